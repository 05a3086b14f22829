package faults_test

import (
	"io"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
	"k8s.io/kubectl/pkg/polymorphichelpers"

	"redis-session-bot/lab/workload"
)

// course is how one fault is seen and mended by hand.
type course struct {
	see  func(p *patient) // what kubectl would show
	mend func(p *patient) // what a person would do about it
	keys int              // how many sessions the mended store has at least
	// ready: the store's pods stay ready while it is broken.
	ready bool
	// hears is in a line of the application's log that begins with "redis: ";
	// empty: "dial tcp ", since there is nobody to talk to.
	hears string
	// unheard: the application has nothing to complain of.
	unheard bool
}

func cases() map[string]course {
	return map[string]course{
		"config-error":   {see: seeConfigError, mend: mendConfig},
		"out-of-memory":  {see: seeOutOfMemory, mend: mendMemory, keys: 10_000},
		"corrupt-aof":    {see: seeCorruptAOF, mend: mendAOF, keys: 1000},
		"bad-rollout":    {see: seeBadRollout, mend: undo},
		"scaled-to-zero": {see: seeNoPods, mend: scaleUp},

		"auth-failure/store":          {see: seeOldPasswordInStore, mend: mendStorePassword, ready: true, hears: wrongPassword},
		"auth-failure/app":            {see: seeOldPasswordInApplication, mend: mendApplicationPassword, ready: true, hears: wrongPassword},
		"auth-failure/newline":        {see: seeNewline, mend: mendNewline, ready: true, hears: wrongPassword},
		"missing-config/secret-key":   {see: seeMissingKey, mend: mendKey},
		"missing-config/configmap":    {see: seeMissingMap, mend: mendMap},
		"image-pull":                  {see: seeImagePull, mend: undo},
		"unschedulable/node-selector": {see: seeNoNode, mend: mendNodeSelector},
		"unschedulable/memory":        {see: seeNoNode},
		"admission/quota":             {see: seeRefusal, mend: mendQuota},
		"admission/limitrange":        {see: seeRefusal},
		"admission/podsecurity":       {see: seeRefusal},
		"service-mismatch":            {see: seeNoEndpoints, mend: mendSelector, ready: true},
		"broken-probe/command":        {see: seeNeverReady, mend: mendProbe},
		"broken-probe/port":           {see: seeNeverReady},
		"crash-loop":                  {see: seeSilentLoop},

		"volume/pending":          {see: seePendingVolume},
		"volume/missing-class":    {see: seeMissingClass},
		"volume/lost":             {see: seeLostVolume},
		"port-conflict/container": {see: seePortConflict, mend: mendSetUp(withoutCache)},
		"port-conflict/owner":     {see: seeNodePort},
		"port-conflict/pod":       {see: seeNodePort},
		"slow-start":              {see: seeSlowStart, mend: mendSetUp(withPatience), keys: 100_000},
		"data-dir/readonly":       {see: seeReadOnly, mend: mendSetUp(withWrites)},
		"data-dir/full":           {see: seeFullDisk, ready: true, hears: "MISCONF"},
		"replication":             {see: seeReplica, mend: promote, ready: true, hears: "READONLY"},
		"corrupt-rdb":             {see: seeCorruptRDB},
		"emptied":                 {see: seeEmptied, ready: true, unheard: true},
		"false-alarm":             {see: seeOnlyExporterGone, ready: true, unheard: true},
		"overloaded/clients":      {see: seeNoConnectionFree, ready: true, hears: "EOF"},
		"overloaded/blocked":      {see: seeBlocked, mend: killScript, ready: true, hears: "BUSY"},
		"network-blocked":         {see: seeBlockedNetwork, mend: losePod, ready: true, hears: "i/o timeout"},
	}
}

func seeConfigError(p *patient) {
	s := p.crashed()
	if code := s.Ended().ExitCode; code != 1 {
		p.Errorf("the container ends with %d", code)
	}
	p.logHolds(s, "*** FATAL CONFIG FILE ERROR (Redis ", "\n>>> 'active-defrag yes'\n")
	conf := p.config()
	for _, kept := range []string{"# Memory. ", "maxmemory 256mb\n", "appendonly yes\n", "save 300 100\n"} {
		if !strings.Contains(conf, kept) {
			p.Errorf("redis.conf has lost %q", kept)
		}
	}
}

func mendConfig(p *patient) {
	p.edit(func(conf string) string { return strings.Replace(conf, "active-defrag yes\n", "", 1) })
	p.restart()
}

func seeOutOfMemory(p *patient) {
	p.until("a second kill", func() bool {
		s := p.crashed()
		if ended := s.Ended(); ended.Reason != "OOMKilled" || ended.ExitCode != 137 {
			p.Fatalf("the container ends with %s %d", ended.Reason, ended.ExitCode)
		}
		return s.Container.RestartCount >= 1
	})
	if !strings.Contains(p.config(), "maxmemory 256mb\n") {
		p.Error("maxmemory is not as it was")
	}
}

func mendMemory(p *patient) {
	p.edit(func(conf string) string { return strings.Replace(conf, "maxmemory 256mb\n", "maxmemory 1024mb\n", 1) })
	err := p.copy.EditTemplate(p.Context(), "kubectl-edit", "more memory", func(template *corev1.PodTemplateSpec) {
		template.Spec.Containers[0].Resources.Limits[corev1.ResourceMemory] = resource.MustParse("1536Mi")
	})
	if err != nil {
		p.Fatal(err)
	}
	p.releaseStatefulSet()
}

func seeCorruptAOF(p *patient) {
	s := p.crashed()
	if code := s.Ended().ExitCode; code != 1 {
		p.Errorf("the container ends with %d", code)
	}
	p.logHolds(s, "Bad file format reading the append only file appendonly.aof.1.incr.aof")
}

// mendAOF repairs the file in a pod of its own, since the store's cannot be
// entered while it crashes.
func mendAOF(p *patient) {
	p.scale(0)
	p.until("the store's pods to go", func() bool { return len(p.pods()) == 0 })
	claim := "redis-data"
	if p.shape() == workload.StatefulSet {
		claim = "data-redis-session-0"
	}
	pods := p.copy.Clients.CoreV1().Pods(p.copy.Namespace)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "repair", Labels: map[string]string{"app": "repair"}},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim},
			}}},
			Containers: []corev1.Container{{
				Name: "repair", Image: p.image(), ImagePullPolicy: corev1.PullIfNotPresent,
				Command:      []string{"sh", "-c", "cd /data/appendonlydir && echo y | redis-check-aof --fix appendonly.aof.manifest"},
				VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: "/data"}},
			}},
		},
	}
	if _, err := pods.Create(p.Context(), pod, metav1.CreateOptions{}); err != nil {
		p.Fatal(err)
	}
	p.until("the repair", func() bool {
		live, err := pods.Get(p.Context(), "repair", metav1.GetOptions{})
		if err != nil {
			p.Fatal(err)
		}
		if live.Status.Phase == corev1.PodFailed {
			p.Fatal("the repair failed")
		}
		return live.Status.Phase == corev1.PodSucceeded
	})
	p.scale(1)
}

func seeBadRollout(p *patient) {
	s := p.crashed()
	p.until("a start error", func() bool {
		s = p.crashed()
		return s.Ended().Reason == "StartError"
	})
	if !strings.Contains(s.Ended().Message, `exec: "valkey-server": executable file not found`) {
		p.Errorf("the container ends with %q", s.Ended().Message)
	}
	history := p.history()
	for _, cause := range []string{"run lab.local/redis:", "move the session store to Valkey"} {
		if !strings.Contains(history, cause) {
			p.Errorf("the history holds no %q:\n%s", cause, history)
		}
	}
}

// undo is kubectl rollout undo, and on a StatefulSet what its documentation
// asks for after it: deleting the pod that never came up.
func undo(p *patient) {
	kind := schema.GroupKind{Group: "apps", Kind: "Deployment"}
	var live runtime.Object
	var err error
	if p.shape() == workload.StatefulSet {
		kind.Kind = "StatefulSet"
		live, err = p.copy.Clients.AppsV1().StatefulSets(p.copy.Namespace).Get(p.Context(), workload.Redis, metav1.GetOptions{})
	} else {
		live, err = p.copy.Clients.AppsV1().Deployments(p.copy.Namespace).Get(p.Context(), workload.Redis, metav1.GetOptions{})
	}
	if err != nil {
		p.Fatal(err)
	}
	rollbacker, err := polymorphichelpers.RollbackerFor(kind, p.copy.Clients)
	if err != nil {
		p.Fatal(err)
	}
	if _, err := rollbacker.Rollback(live, nil, 0, cmdutil.DryRunNone); err != nil {
		p.Fatal(err)
	}
	p.releaseStatefulSet()
}

func seeNoPods(p *patient) {
	if pods := p.pods(); len(pods) > 0 {
		p.Errorf("%d pods are left", len(pods))
	}
	p.serviceIsEmpty()
}

// serviceIsEmpty: no endpoint stands behind the store's Service.
func (p *patient) serviceIsEmpty() {
	p.Helper()
	slices, err := p.copy.Clients.DiscoveryV1().EndpointSlices(p.copy.Namespace).List(p.Context(),
		metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=" + workload.Redis})
	if err != nil {
		p.Fatal(err)
	}
	for _, slice := range slices.Items {
		if len(slice.Endpoints) > 0 {
			p.Errorf("the Service has the endpoints %v", slice.Endpoints)
		}
	}
}

func scaleUp(p *patient) { p.scale(1) }

// crashed is the store's pod once its container has ended and is not ready.
func (p *patient) crashed() workload.Store {
	p.Helper()
	var s workload.Store
	p.until("a container that ended", func() bool {
		found, there, err := p.copy.Store(p.Context())
		if err != nil {
			p.Fatal(err)
		}
		s = found
		return there && !s.Container.Ready && s.Ended() != nil
	})
	return s
}

// logHolds looks for texts in the log of a run that is over.
func (p *patient) logHolds(s workload.Store, texts ...string) {
	p.Helper()
	p.until(strings.Join(texts, " and ")+" in the log", func() bool {
		var log string
		for _, previous := range []bool{false, true} {
			if text, err := p.copy.Log(p.Context(), s.Pod.Name, previous); err == nil {
				log += text
			}
		}
		for _, text := range texts {
			if !strings.Contains(log, text) {
				return false
			}
		}
		return true
	})
}

func (p *patient) edit(edit func(string) string) {
	p.Helper()
	if err := p.copy.EditConfig(p.Context(), "kubectl-edit", edit); err != nil {
		p.Fatal(err)
	}
}

func (p *patient) restart() {
	p.Helper()
	if err := p.copy.DeletePods(p.Context()); err != nil {
		p.Fatal(err)
	}
}

// releaseStatefulSet deletes the pod that a StatefulSet would wait for, for
// ever, before it takes a better template.
func (p *patient) releaseStatefulSet() {
	p.Helper()
	if p.shape() == workload.StatefulSet {
		p.restart()
	}
}

func (p *patient) scale(replicas int) {
	p.Helper()
	if err := p.copy.Scale(p.Context(), "kubectl", replicas); err != nil {
		p.Fatal(err)
	}
}

func (p *patient) shape() string {
	p.Helper()
	shape, err := p.copy.Shape(p.Context())
	if err != nil {
		p.Fatal(err)
	}
	return shape
}

func (p *patient) pods() []corev1.Pod {
	p.Helper()
	pods, err := p.copy.Pods(p.Context(), workload.Redis)
	if err != nil {
		p.Fatal(err)
	}
	return pods
}

func (p *patient) config() string {
	p.Helper()
	live, err := p.copy.Clients.CoreV1().ConfigMaps(p.copy.Namespace).Get(p.Context(), workload.RedisConfig, metav1.GetOptions{})
	if err != nil {
		p.Fatal(err)
	}
	return live.Data[workload.RedisConfigKey]
}

// image is the one that the store runs.
func (p *patient) image() string {
	p.Helper()
	if p.shape() == workload.StatefulSet {
		s, err := p.copy.Clients.AppsV1().StatefulSets(p.copy.Namespace).Get(p.Context(), workload.Redis, metav1.GetOptions{})
		if err != nil {
			p.Fatal(err)
		}
		return s.Spec.Template.Spec.Containers[0].Image
	}
	d, err := p.copy.Clients.AppsV1().Deployments(p.copy.Namespace).Get(p.Context(), workload.Redis, metav1.GetOptions{})
	if err != nil {
		p.Fatal(err)
	}
	return d.Spec.Template.Spec.Containers[0].Image
}

// history is what kubectl rollout history prints.
func (p *patient) history() string {
	p.Helper()
	kind := schema.GroupKind{Group: "apps", Kind: "Deployment"}
	if p.shape() == workload.StatefulSet {
		kind.Kind = "StatefulSet"
	}
	viewer, err := polymorphichelpers.HistoryViewerFor(kind, p.copy.Clients)
	if err != nil {
		p.Fatal(err)
	}
	text, err := viewer.ViewHistory(p.copy.Namespace, workload.Redis, 0)
	if err != nil {
		p.Fatal(err)
	}
	return text
}

// keys counts the sessions of a healthy store, once it has loaded.
func (p *patient) keys() int {
	p.Helper()
	count := 0
	p.until("the number of sessions", func() bool {
		s, there, err := p.copy.Store(p.Context())
		if err != nil || !there {
			return false
		}
		text, err := p.copy.Exec(p.Context(), s.Pod.Name, "redis-cli", "DBSIZE")
		if err != nil {
			return false
		}
		count, err = strconv.Atoi(strings.TrimSpace(text))
		return err == nil && count > 0
	})
	return count
}

// applicationLog is the last lines of every pod of the application.
func (p *patient) applicationLog() []string {
	p.Helper()
	pods, err := p.copy.Pods(p.Context(), workload.Agent)
	if err != nil {
		p.Fatal(err)
	}
	var lines []string
	tail := int64(20)
	for _, pod := range pods {
		stream, err := p.copy.Clients.CoreV1().Pods(p.copy.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{TailLines: &tail}).Stream(p.Context())
		if err != nil {
			p.Fatal(err)
		}
		text, err := io.ReadAll(stream)
		if err != nil {
			p.Fatal(err)
		}
		_ = stream.Close()
		lines = append(lines, strings.Split(string(text), "\n")...)
	}
	return lines
}
