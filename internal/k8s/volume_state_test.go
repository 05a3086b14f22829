package k8s

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/redisconf"
)

// told is what scripts/read.sh printed for a damaged store on 7.0.15, with a
// whole backup beside it.
const told = `@now	1795465517
@version	7.0.15
@free	54637668
@file	129	1795465339	appendonlydir/appendonly.aof.2.base.rdb
@file	198	1795465516	appendonlydir/appendonly.aof.2.incr.aof
@aof	there	appendonlydir/appendonly.aof.manifest	415	1795465516
@checked	no
@loads	aof	no	Bad file format reading the append only file appendonly.aof.2.incr.aof
@cut	appendonly.aof.2.incr.aof	198	30	168
@loads	mended	yes	10
@rdb	none
@backup	data	old	aof	20	1795465340
@loads	data/old	yes	9
a line that is for people
@read	all
`

func TestStateOf(t *testing.T) {
	state := stateOf(readWork(told))
	if state.why != "" || state.version != "7.0.15" || len(state.files) != 2 {
		t.Errorf("%+v", state)
	}
	if !state.repair.needed || state.repair.bytes() != 30 || state.repair.keys != 10 || state.repair.impossible != "" {
		t.Errorf("the repair: %+v", state.repair)
	}
	if keys, says := state.keysWith(true); keys != -1 || !strings.Contains(says, "Bad file format") {
		t.Errorf("with the file on: %d, %s", keys, says)
	}
	if keys, _ := state.keysWith(false); keys != 0 {
		t.Errorf("with the file off: %d", keys)
	}
	if len(state.backups) != 1 || state.backups[0].keys != 9 || state.backups[0].trouble != "" {
		t.Errorf("the backups: %+v", state.backups)
	}
	short, _, _ := strings.Cut(told, "@rdb")
	if keys, says := stateOf(readWork(short)).keysWith(false); keys != -1 || !strings.HasPrefix(says, "not known: ") {
		t.Errorf("cut short: %d, %s", keys, says)
	}
}

func FuzzStateOf(f *testing.F) {
	f.Add(told)
	f.Add("@aof\n@cut\n@loads\taof\n@backup")
	f.Fuzz(func(t *testing.T, log string) {
		state := stateOf(readWork(log))
		state.keysWith(true)
		if !strings.Contains(log, "@read") && state.why == "" {
			t.Error("a reading that did not end is taken for whole")
		}
	})
}

func TestFileNames(t *testing.T) {
	container := corev1.Container{Command: []string{"redis-server", "/etc/redis.conf"}, Args: []string{"--appendonly", "yes", "--requirepass", "hush", "--dbfilename", "s.rdb"}}
	names, dir := fileNamesOf(redisconf.Parse("dir /var/lib/redis\nappendonly no\nappendfilename \"a.aof\"\nmasterauth hush\nloadmodule /m.so\n"), container)
	want := fileNames{aofDir: "appendonlydir", aofFile: "a.aof", rdbFile: "s.rdb", appendOnly: true, conf: "appendfilename a.aof\nloadmodule /m.so\ndbfilename s.rdb"}
	if diff := cmp.Diff(want, names, cmp.AllowUnexported(fileNames{})); diff != "" || dir != "/var/lib/redis" {
		t.Errorf("dir %s\n%s", dir, diff)
	}
}

func storeTemplate(volume corev1.VolumeSource) corev1.PodTemplateSpec {
	user, memory := int64(999), corev1.ResourceList{}
	memory[corev1.ResourceMemory] = resource.MustParse("384Mi")
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "store"}},
		Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{{Name: "init"}},
			Containers: []corev1.Container{{Name: "sidecar"}, {Name: "redis", Image: "redis:7", Resources: corev1.ResourceRequirements{Limits: memory},
				Env:             []corev1.EnvVar{{Name: "REDIS_PASSWORD", Value: "hush"}},
				LivenessProbe:   &corev1.Probe{},
				SecurityContext: &corev1.SecurityContext{RunAsUser: &user},
				VolumeMounts:    []corev1.VolumeMount{{Name: "conf", MountPath: "/etc"}, {Name: "data", MountPath: "/data", SubPath: "redis"}}}},
			Volumes: []corev1.Volume{{Name: "data", VolumeSource: volume}},
		},
	}
}

func claimSource(name string) corev1.VolumeSource {
	return corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}}
}

func podOn(name, node string, ready corev1.ConditionStatus) corev1.Pod {
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{NodeName: node}}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}
	return pod
}

func TestFindPlace(t *testing.T) {
	target := evidence.Target{Namespace: "ns", Workload: "store", Container: "redis"}
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "store"}}
	deployment.Spec.Template = storeTemplate(claimSource("files"))
	set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "store"}}
	set.Spec.Template = storeTemplate(corev1.VolumeSource{})
	set.Spec.Template.Spec.Volumes = nil
	set.Spec.VolumeClaimTemplates = []corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "data"}}}
	lost := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "store"}}
	lost.Spec.Template = storeTemplate(corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}})
	for name, test := range map[string]struct {
		workload    any
		pods        []corev1.Pod
		claim, node string
		refused     string
	}{
		"a claim":                      {workload: deployment, pods: []corev1.Pod{podOn("store-x", "n1", "False")}, claim: "files", node: "n1"},
		"nobody runs":                  {workload: deployment, claim: "files"},
		"a template":                   {workload: set, claim: "data-store-0"},
		"the one that is not ready":    {workload: set, pods: []corev1.Pod{podOn("store-0", "n0", "True"), podOn("store-1", "n1", "False")}, claim: "data-store-1", node: "n1"},
		"gone with the pod":            {workload: lost, refused: "goes with the pod"},
		"a configuration that escapes": {workload: deployment, refused: "no plain name"},
	} {
		t.Run(name, func(t *testing.T) {
			conf := redisconf.Parse("")
			if strings.Contains(name, "escapes") {
				conf = redisconf.Parse("dbfilename ../../etc/passwd")
			}
			place, err := findPlace(target, test.workload, test.pods, conf)
			if test.refused != "" {
				if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "files go", "goes"), test.refused) {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil || place.claim != test.claim || place.node != test.node {
				t.Errorf("claim %s on %s, %v", place.claim, place.node, err)
			}
		})
	}
}

// TestPod: whatever admits the store admits the pod, and nothing takes it for
// the store.
func TestPod(t *testing.T) {
	target := evidence.Target{Namespace: "ns", Workload: strings.Repeat("store", 20), Container: "redis", Backup: "kept"}
	deployment := &appsv1.Deployment{}
	deployment.Spec.Template = storeTemplate(claimSource("files"))
	place, err := findPlace(target, deployment, []corev1.Pod{podOn("x", "n1", "False")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	pod := place.pod(target, volumeWork{kind: "read", plan: "inc-7-3", script: "echo $$", readOnly: true, limit: readLimit})
	container := pod.Spec.Containers[0]
	if len(pod.Name) > 63 || !strings.HasSuffix(pod.Name, "-inc-7-3-read") || pod.Labels["app"] != "" || pod.Annotations[annotationPlan] != "inc-7-3" {
		t.Errorf("named %s, labels %v", pod.Name, pod.Labels)
	}
	if len(pod.Spec.Containers) != 1 || len(pod.Spec.InitContainers) != 0 || container.LivenessProbe != nil || container.Image != "redis:7" || *pod.Spec.AutomountServiceAccountToken {
		t.Errorf("%+v", pod.Spec)
	}
	if data := container.VolumeMounts[0]; !data.ReadOnly || data.SubPath != "redis" || data.MountPath != "/data" {
		t.Errorf("the data is mounted as %+v", data)
	}
	if kept := container.VolumeMounts[2]; !kept.ReadOnly || kept.MountPath != backupDir || pod.Spec.Volumes[2].PersistentVolumeClaim.ClaimName != "kept" {
		t.Errorf("the backups are mounted as %+v", kept)
	}
	if s := container.SecurityContext; !*s.RunAsNonRoot || *s.AllowPrivilegeEscalation || s.Capabilities.Drop[0] != "ALL" || s.SeccompProfile == nil {
		t.Errorf("%+v", s)
	}
	if request := container.Resources.Requests[corev1.ResourceMemory]; request.String() != "64Mi" || container.Resources.Limits.Memory().String() != "384Mi" {
		t.Errorf("%+v", container.Resources)
	}
	for _, env := range container.Env {
		if strings.Contains(env.Value, "hush") || env.ValueFrom != nil {
			t.Errorf("%s holds a secret", env.Name)
		}
	}
	if term := pod.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchFields[0]; term.Values[0] != "n1" {
		t.Errorf("on %+v", term)
	}
}

// TestScriptsAreShell: a shell takes every script as it is sent.
func TestScriptsAreShell(t *testing.T) {
	for name, script := range map[string]string{"read": readScript, "repair": workScript + repairScript, "aside": workScript + asideScript, "restore": workScript + restoreScript} {
		if out, err := exec.CommandContext(t.Context(), "sh", "-n", "-c", commonScript+script).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func TestAReaderIsNotAsSlowAsTheStore(t *testing.T) {
	for limit, want := range map[string]string{"": "", "50m": "1", "1": "", "2": ""} {
		pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{}}}}}}
		if limit != "" {
			pod.Spec.Containers[0].Resources.Limits[corev1.ResourceCPU] = resource.MustParse(limit)
		}
		got := ""
		if fast := hastened(pod); fast != nil {
			got = fast.Spec.Containers[0].Resources.Limits.Cpu().String()
		}
		if got != want {
			t.Errorf("a limit of %q: %q, want %q", limit, got, want)
		}
		if is := pod.Spec.Containers[0].Resources.Limits.Cpu().String(); limit != "" && is != limit {
			t.Errorf("the pod itself has %s now", is)
		}
	}
}
