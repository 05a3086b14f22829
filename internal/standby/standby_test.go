package standby

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/redisconf"
)

var update = flag.Bool("update", false, "write the golden files anew")

// live is a store with all that a copy takes over, and much that it must not.
func live() Store {
	user, class, yes := int64(999), "fast", true
	password := &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "secrets"}, Key: "password"}}
	tcp, port := corev1.ProtocolTCP, intstr.FromInt32(6379)
	return Store{
		Target: evidence.Target{Namespace: "shop", Workload: "sessions", Container: "redis", Port: 6379, Secret: "secrets", SecretKey: "password"},
		At:     time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Pod: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "sessions", "team": "identity", "app.kubernetes.io/managed-by": "Helm", "argocd.argoproj.io/instance": "shop"}},
			Spec: corev1.PodSpec{
				ServiceAccountName: "sessions", NodeSelector: map[string]string{"disk": "ssd"}, PriorityClassName: "high",
				SecurityContext: &corev1.PodSecurityContext{FSGroup: &user},
				InitContainers: []corev1.Container{
					{Name: "own", Image: "redis:7.2", Command: []string{"chown", "999", "/data"}, VolumeMounts: []corev1.VolumeMount{{Name: "store", MountPath: "/data"}}},
					{Name: "fetch", Image: "fetch:1", Env: []corev1.EnvVar{{Name: "TOKEN", Value: "[redacted]"}}}},
				Containers: []corev1.Container{
					{Name: "redis", Image: "redis:7.2", Command: []string{"redis-server", "/etc/redis/redis.conf"}, Env: []corev1.EnvVar{{Name: "PASSWORD", ValueFrom: password}},
						Resources:       corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1536Mi")}},
						SecurityContext: &corev1.SecurityContext{RunAsUser: &user, ReadOnlyRootFilesystem: &yes},
						VolumeMounts:    []corev1.VolumeMount{{Name: "store", MountPath: "/data"}, {Name: "config", MountPath: "/etc/redis"}, {Name: "certs", MountPath: "/certs"}}},
					{Name: "exporter", Image: "exporter:1"}},
				Volumes: []corev1.Volume{{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{}}}},
			}},
		Selected: []string{"app"},
		Conf: "# the old password was hunter2\nport 6379\nbind 127.0.0.1\nmaxmemory 1gb\nmaxmemory-policy allkeys-lru\nrequirepass [redacted]\n" +
			"appendonly yes\nsave 900 1\nsave 300 100\ndir /data\nrename-command CONFIG \"\"\ntls-port 0\nclient-output-buffer-limit normal 0 0 0\nclient-output-buffer-limit pubsub 32mb 8mb 60\n",
		Options: []redisconf.Directive{{Name: "requirepass", Args: []string{"$(PASSWORD)"}}, {Name: "loglevel", Args: []string{"notice"}}, {Name: "timeout", Args: []string{"$(TIMEOUT)"}}},
		Server: evidence.Server{Info: map[string]string{"redis_version": "7.2.4"}, Settings: map[string]string{"maxmemory": "1073741824", "maxmemory-policy": "volatile-ttl",
			"appendonly": "yes", "appendfsync": "everysec", "save": "900 1 300 100", "dir": "/data"}},
		Dir: "/data", Volume: "store", Nodes: 5,
		Claim: &corev1.PersistentVolumeClaimSpec{StorageClassName: &class, Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("8Gi")}}},
		Policies: []networkingv1.NetworkPolicy{{ObjectMeta: metav1.ObjectMeta{Name: "sessions-from-app"}, Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "sessions"}}, PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress: []networkingv1.NetworkPolicyIngressRule{{From: []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "agent"}}}},
				Ports: []networkingv1.NetworkPolicyPort{{Protocol: &tcp, Port: &port}}}}}}},
	}
}

func TestManifests(t *testing.T) {
	bare := live()
	bare.Pod.Spec = corev1.PodSpec{Containers: []corev1.Container{{Name: "redis", Image: "valkey/valkey:8", Args: []string{"--save", ""}}}}
	bare.Conf, bare.Options, bare.Server, bare.Volume, bare.Dir, bare.Claim, bare.Policies, bare.Nodes = "", nil, evidence.Server{}, "", "", nil, nil, -1
	bare.Notes = []string{"The running server was not asked: it said\n---\nkind: Pod"}
	for name, store := range map[string]Store{"whole": live(), "bare": bare} {
		made, err := Make(store)
		if err != nil {
			t.Fatal(err)
		}
		text, err := made.YAML()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Make(store)
		if err != nil {
			t.Fatal(err)
		}
		if repeated, err := again.YAML(); err != nil || string(repeated) != string(text) {
			t.Errorf("%s: made twice it differs: %v", name, err)
		}
		golden := filepath.Join("testdata", name+".yaml")
		if *update {
			if err := os.WriteFile(golden, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(text)); diff != "" {
			t.Errorf("%s (-want +got); -update accepts it:\n%s", name, diff)
		}
		for _, secret := range []string{"hunter2", "redacted"} {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s holds %q", name, secret)
			}
		}
	}
}

// TestNobodyTakesACopyForTheStore: what selects the store's pods selects none of
// the copy's, and what owns the store does not own the copy.
func TestNobodyTakesACopyForTheStore(t *testing.T) {
	made, err := Make(live())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"app": "sessions-ha", "team": "identity"}
	if diff := cmp.Diff(want, made.Pod.Labels); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	set := made.Objects[len(made.Objects)-1].(*appsv1.StatefulSet)
	if diff := cmp.Diff(map[string]string{"app": "sessions-ha"}, set.Spec.Selector.MatchLabels); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestRefusals(t *testing.T) {
	for says, change := range map[string]func(*Store){
		"names no Secret":        func(s *Store) { s.Target.SecretKey = "" },
		"is a Redis Cluster":     func(s *Store) { s.Server.Info["cluster_enabled"] = "1" },
		"runs Redis 6.0.16":      func(s *Store) { s.Server.Info["redis_version"] = "6.0.16" },
		`has no container "red"`: func(s *Store) { s.Target.Container = "red" },
	} {
		store := live()
		change(&store)
		if _, err := Make(store); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", says, err)
		}
	}
}

// TestConfig: what the running server does counts, whatever its file says.
func TestConfig(t *testing.T) {
	for _, test := range []struct {
		name, conf string
		runs       map[string]string
		want       string // the lines beside the copy's own
		notes      []string
	}{
		{"nothing is known", "", nil, "", nil},
		{"the file alone", "maxmemory 512mb\nsave \"\"\n", nil, "maxmemory 512mb\nsave \"\"\n", nil},
		{"they say the same", "maxmemory 512mb\nsave 900 1\n", map[string]string{"maxmemory": "536870912", "save": "900 1", "appendonly": "no"}, "maxmemory 512mb\nsave 900 1\n", nil},
		{"save points of nobody", "", map[string]string{"save": "3600 1 300 100 60 10000"}, "", nil},
		{"somebody raised it by hand", "maxmemory 512mb\n", map[string]string{"maxmemory": "1073741824"}, "maxmemory 1024mb\n",
			[]string{"The file has maxmemory 512mb, the running server 1073741824: the copy takes the latter."}},
		{"somebody switched it on by hand", "", map[string]string{"appendonly": "yes"}, "appendonly yes\n", nil},
		{"somebody took the snapshots away", "save 900 1\n", map[string]string{"save": ""}, "save \"\"\n",
			[]string{"The file has save 900 1, the running server no save: the copy takes the latter."}},
		{"the last line holds", "maxmemory 1mb\nMaxmemory 2mb\n", nil, "maxmemory 2mb\n", nil},
		{"what must not be carried over", "user alice on >secret\nreplicaof old 6379\ninclude /etc/other.conf\n", nil, "",
			[]string{"The directive user is not carried over: look at whether the copy needs it.", "The directive include is not carried over: look at whether the copy needs it."}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := &maker{Store: Store{Conf: test.conf, Server: evidence.Server{Settings: test.runs}}, port: 6379}
			got := m.config()
			if want := test.want + "port 6379\nprotected-mode no\ndir /data\n"; !slices.Equal(sorted(want), sorted(got)) {
				t.Errorf("got\n%s", got)
			}
			if diff := cmp.Diff(test.notes, m.notes); diff != "" {
				t.Errorf("notes: -want +got\n%s", diff)
			}
		})
	}
}

func sorted(text string) []string {
	return slices.Sorted(strings.Lines(text))
}
