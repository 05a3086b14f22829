package runbooks_test

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"redis-session-bot/internal/audit"
	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/k8s"
	"redis-session-bot/internal/runbook"
	"redis-session-bot/runbooks"
)

// trap is one case of testdata/traps*.yaml.
type trap struct {
	Name       string
	Why        string // why the obvious reading is wrong, where the name does not say it
	Pod        trapPod
	Log        *string
	Previous   *string
	InitLog    *string
	MetricsLog *string // of an exporter beside Redis
	Bot, App   string  // "ok", or what was heard
	Keys       *int64
	Said       string // the application's log
	Conf       string // redis.conf
	Events     []trapEvent
	Neighbours []trapNeighbour
	Prometheus *evidence.Prometheus
	Objects    map[string]json.RawMessage // by the bundle's file names without .json
	Files      map[string]json.RawMessage // the whole bundle as it lies in a folder: a list of items, an object, or a log's text
	Want       string
	Also       []string
	Likely     bool // nobody can be certain
}

type trapPod struct {
	State, Reason, Waiting, Message, Claim string
	Exit                                   int32
	Finished                               *metav1.Time
}

type trapEvent struct {
	Reason, Says, Type, Kind, About string
	At                              *metav1.Time
}

type trapNeighbour struct{ Name, Image, Waiting string }

const (
	trapName  = "redis-session-6fc8b8c84-n0tzl"
	trapSpace = "langgraph-agent"
)

var trapTime = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func load(t *testing.T) *runbook.Runbook {
	t.Helper()
	vocabulary := runbook.Vocabulary{Audits: []string{audit.Redis}, Checks: map[string][]string{}, Changes: k8s.Changes()}
	for _, check := range checks.All() {
		vocabulary.Checks[check.Name] = check.Fields
	}
	book, err := runbook.Load(runbooks.DefaultName, runbooks.Default, vocabulary)
	if err != nil {
		t.Fatal(err)
	}
	return book
}

// TestTraps judges causes that are easily taken for another.
func TestTraps(t *testing.T) {
	book := load(t)
	for _, one := range traps(t) {
		t.Run(one.Name, func(t *testing.T) {
			verdict := book.Judge(evidence.Read(one.bundle(t), book.Target))
			got, confidence := "", runbook.Confidence("")
			if len(verdict.Causes) > 0 {
				got, confidence = verdict.Causes[0].Scenario, verdict.Causes[0].Confidence
			}
			if got != one.Want && !slices.Contains(one.Also, got) || one.Likely && confidence == runbook.Certain {
				t.Errorf("want %q (certain: %v), got %q %s; %s", one.Want, !one.Likely, got, confidence, one.Why)
				for _, cause := range verdict.Causes {
					t.Logf("%s %s because %q against %q", cause.Scenario, cause.Confidence, cause.Because, cause.Against)
				}
			}
		})
	}
}

// traps reads every file of cases.
func traps(t *testing.T) []trap {
	t.Helper()
	files, err := filepath.Glob("testdata/traps*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var all []trap
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var some []trap
		if err := yaml.UnmarshalStrict(data, &some); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, some...)
	}
	return all
}

// folder writes the files of a case and opens them as a bundle.
func (one trap) folder(t *testing.T) evidence.Bundle {
	t.Helper()
	dir := t.TempDir()
	for name, content := range one.Files {
		var text string
		switch {
		case json.Unmarshal(content, &text) == nil:
			content = []byte(text)
		case content[0] == '[':
			content = []byte(`{"apiVersion":"v1","kind":"List","items":` + string(content) + `}`)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	b, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (one trap) bundle(t *testing.T) evidence.Bundle {
	t.Helper()
	if one.Files != nil {
		return one.folder(t)
	}
	b := evidence.Bundle{Meta: evidence.Meta{At: trapTime, Namespace: trapSpace, Workload: "redis-session"}, Missing: map[string]string{}}
	b.Pods = &corev1.PodList{}
	if one.Pod.State != "none" {
		b.Pods.Items = append(b.Pods.Items, one.pod())
	}
	for _, n := range one.Neighbours {
		b.Pods.Items = append(b.Pods.Items, corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: n.Name, Namespace: trapSpace, Labels: map[string]string{"app": "redis-exporter"}},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "exporter", Image: n.Image}}},
			Status: corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{{Name: "exporter",
				State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: n.Waiting}}}}}})
	}
	logOf := func(pod, container string, previous bool, text *string) {
		if text != nil {
			b.Logs = append(b.Logs, evidence.RawLog{Pod: pod, Container: container, Previous: previous, Text: *text})
		}
	}
	logOf(trapName, "redis", true, one.Previous)
	logOf(trapName, "redis", false, one.Log)
	logOf(trapName, "prepare", false, one.InitLog)
	logOf(trapName, "metrics", false, one.MetricsLog)
	if one.Said != "" {
		logOf("langgraph-agent-5d5c-x", "langgraph-agent", false, &one.Said)
	}
	if one.Bot != "" || one.App != "" {
		b.Probes = one.probes()
		b.Prometheus = one.Prometheus
	}
	if one.Conf != "" {
		b.ConfigMaps = &corev1.ConfigMapList{Items: []corev1.ConfigMap{{ObjectMeta: metav1.ObjectMeta{Name: "redis-session-config", Namespace: trapSpace},
			Data: map[string]string{"redis.conf": one.Conf}}}}
	}
	if one.Events != nil {
		b.Events = &corev1.EventList{}
		for _, event := range one.Events {
			b.Events.Items = append(b.Events.Items, event.event())
		}
	}
	into := map[string]any{"nodes": &b.Nodes, "storageclasses": &b.Classes, "persistentvolumeclaims": &b.Claims, "services": &b.Services,
		"endpointslices": &b.Slices, "deployments": &b.Deployments, "statefulsets": &b.StatefulSets, "replicasets": &b.ReplicaSets}
	for file, items := range one.Objects {
		if into[file] == nil {
			t.Fatalf("no trap has %s yet", file)
		}
		if err := json.Unmarshal([]byte(`{"items":`+string(items)+`}`), into[file]); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func (one trap) probes() *evidence.Probes {
	probes := &evidence.Probes{Reach: []evidence.Reach{{From: "app", OK: one.App == "ok"}}, Redis: []evidence.Redis{{Pod: trapName, OK: one.Bot == "ok", Keys: -1}}}
	if one.App != "ok" {
		probes.Reach[0].Error = one.App
	}
	if one.Bot != "ok" {
		probes.Redis[0].Error = one.Bot
	}
	if one.Keys != nil {
		probes.Redis[0].Keys = *one.Keys
	}
	return probes
}

func (e trapEvent) event() corev1.Event {
	at := metav1.NewTime(trapTime.Add(-time.Minute))
	if e.At != nil {
		at = *e.At
	}
	event := corev1.Event{Reason: e.Reason, Message: e.Says, Type: "Warning", Count: 3, FirstTimestamp: at, LastTimestamp: at,
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: trapName, Namespace: trapSpace}}
	if e.Type != "" {
		event.Type = e.Type
	}
	if e.Kind != "" {
		event.InvolvedObject.Kind = e.Kind
	}
	if e.About != "" {
		event.InvolvedObject.Name = e.About
	}
	return event
}

// pod is the store's pod in one of the states of a case.
func (one trap) pod() corev1.Pod {
	created := metav1.NewTime(trapTime.Add(-2 * time.Hour))
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: trapName, Namespace: trapSpace, CreationTimestamp: created,
		Labels: map[string]string{"app": "redis-session", "pod-template-hash": "6fc8b8c84"}},
		Spec: corev1.PodSpec{NodeName: "node1", Containers: []corev1.Container{{Name: "redis", Image: "redis:7.2-alpine",
			Ports: []corev1.ContainerPort{{ContainerPort: 6379}}}}}}
	if one.Pod.Claim != "" {
		pod.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: one.Pod.Claim}}}}
	}
	status := corev1.ContainerStatus{Name: "redis"}
	ended := &corev1.ContainerStateTerminated{ExitCode: one.Pod.Exit, Reason: one.Pod.Reason, FinishedAt: metav1.NewTime(trapTime.Add(-time.Minute))}
	if ended.Reason == "" {
		ended.Reason = "Error"
	}
	if one.Pod.Finished != nil {
		ended.FinishedAt = *one.Pod.Finished
	}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(trapTime.Add(-90 * time.Second))}}
	ready, scheduled := corev1.ConditionFalse, corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}
	pod.Status.Phase = corev1.PodRunning
	switch one.Pod.State {
	case "crash":
		status.State.Waiting = &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}
		status.LastTerminationState.Terminated, status.RestartCount = ended, 6
	case "backoff": // as a report tells it: it backs off, and nobody kept how it ended
		status.State.Waiting = &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 5m0s restarting failed container"}
	case "initcrash":
		pod.Status.Phase = corev1.PodPending
		pod.Spec.InitContainers = []corev1.Container{{Name: "prepare"}}
		pod.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "prepare", RestartCount: 4,
			State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
			LastTerminationState: corev1.ContainerState{Terminated: ended}}}
		status.State.Waiting = &corev1.ContainerStateWaiting{Reason: "PodInitializing"}
	case "ready":
		ready, status.Ready, status.State = corev1.ConditionTrue, true, running
	case "unready":
		status.State = running
	case "creating":
		pod.Status.Phase = corev1.PodPending
		status.State.Waiting = &corev1.ContainerStateWaiting{Reason: one.Pod.Waiting, Message: one.Pod.Message}
	case "pending":
		pod.Status.Phase, pod.Spec.NodeName = corev1.PodPending, ""
		scheduled = corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: one.Pod.Message}
	case "evicted":
		pod.Status.Phase, pod.Status.Reason, pod.Status.Message = corev1.PodFailed, cmp.Or(one.Pod.Reason, "Evicted"), one.Pod.Message
	}
	if (one.Pod.State == "ready" || one.Pod.State == "unready") && (one.Pod.Finished != nil || one.Pod.Reason != "") {
		status.LastTerminationState.Terminated, status.RestartCount = ended, 1
	}
	pod.Status.Conditions = []corev1.PodCondition{scheduled, {Type: corev1.PodReady, Status: ready}}
	if one.Pod.State != "pending" && one.Pod.State != "evicted" {
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{status}
	}
	return pod
}
