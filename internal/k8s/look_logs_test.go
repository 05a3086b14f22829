package k8s

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func numbered(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "line %d\n", i)
	}
	return b.String()
}

func TestJoin(t *testing.T) {
	for _, test := range []struct {
		name, head, tail, want string
		truncated              bool
	}{
		{"they meet", numbered(0, 10), numbered(5, 20), numbered(0, 20), false},
		{"they do not meet", numbered(0, 10), numbered(50, 60), numbered(0, 10) + "… lines left out …\n" + numbered(50, 60), true},
		{"the head is cut in a line", numbered(0, 10) + "line 1", numbered(50, 60), numbered(0, 10) + "… lines left out …\n" + numbered(50, 60), true},
		{"the same", numbered(0, 10), numbered(0, 10), numbered(0, 10), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, truncated := join(test.head, test.tail)
			if got != test.want || truncated != test.truncated {
				t.Errorf("got %q, %t", got, truncated)
			}
		})
	}
}

func TestRunsOf(t *testing.T) {
	ended := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}}
	failed := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}}
	well := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}
	waits := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
	runs := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	pod := func(name string, ready bool, init, redis corev1.ContainerStatus) corev1.Pod {
		condition := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionFalse}
		if ready {
			condition.Status = corev1.ConditionTrue
		}
		init.Name, redis.Name = "init", "redis"
		return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{NodeName: "n", Containers: []corev1.Container{{Name: "redis"}},
			InitContainers: []corev1.Container{{Name: "init"}}},
			Status: corev1.PodStatus{Conditions: []corev1.PodCondition{condition},
				InitContainerStatuses: []corev1.ContainerStatus{init}, ContainerStatuses: []corev1.ContainerStatus{redis}}}
	}
	fine := func(name string) corev1.Pod {
		return pod(name, true, corev1.ContainerStatus{State: well}, corev1.ContainerStatus{State: runs})
	}
	homeless := pod("p", false, corev1.ContainerStatus{}, corev1.ContainerStatus{})
	homeless.Spec.NodeName = ""
	for _, test := range []struct {
		name string
		pod  corev1.Pod
		want []run
	}{
		{"it runs", fine("p"), []run{{pod: "p", container: "redis"}}},
		{"it runs again", pod("p", true, corev1.ContainerStatus{State: well}, corev1.ContainerStatus{State: runs, RestartCount: 1, LastTerminationState: ended}),
			[]run{{pod: "p", container: "redis"}, {pod: "p", container: "redis", previous: true}}},
		{"it waits for its next run", pod("p", false, corev1.ContainerStatus{State: well}, corev1.ContainerStatus{State: waits, RestartCount: 4, LastTerminationState: ended}),
			[]run{{pod: "p", container: "redis", previous: true, both: true}}},
		{"the run before is forgotten", pod("p", false, corev1.ContainerStatus{State: well}, corev1.ContainerStatus{State: runs, RestartCount: 4}),
			[]run{{pod: "p", container: "redis"}}},
		{"its init container fails", pod("p", false, corev1.ContainerStatus{State: failed}, corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}}}),
			[]run{{pod: "p", container: "redis", never: "container redis is waiting to start: PodInitializing"}, {pod: "p", container: "init", over: true}}},
		{"no node takes it", homeless, []run{{pod: "p", container: "redis", never: "the pod is on no node"}, {pod: "p", container: "init", never: "the pod is on no node"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := runsOf([]corev1.Pod{test.pod}); !slices.Equal(got, test.want) {
				t.Errorf("got %+v\nwant %+v", got, test.want)
			}
		})
	}
	var pods []corev1.Pod
	for i := range 30 {
		pods = append(pods, fine(fmt.Sprint("well-", i)))
	}
	pods = append(pods, pod("ill", false, corev1.ContainerStatus{State: well}, corev1.ContainerStatus{State: runs}))
	if all := runsOf(pods); len(all) != maxLoggedPods || all[0].pod != "ill" {
		t.Errorf("of many: %+v", all)
	}
}

// TestReadRun holds the two requests to what a flood leaves of its start.
func TestReadRun(t *testing.T) {
	now := time.Date(2026, 11, 23, 2, 50, 0, 0, time.UTC)
	for _, test := range []struct {
		name      string
		written   string
		requests  int
		has       []string
		truncated bool
	}{
		{"short", numbered(0, 300), 1, []string{"line 0\n", "line 299\n"}, false},
		{"a flood", "cause\n" + numbered(0, 51000), 2, []string{"cause\n", "line 50999\n", "left out"}, true},
		{"long lines", "cause\n" + strings.ReplaceAll(numbered(0, 1400), "\n", strings.Repeat(" x", 1000)+"\n") + "end\n", 3, []string{"cause\n", "end\n", "left out"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := &api{texts: map[string]string{"/api/v1/namespaces/ns/pods/p/log": test.written}}
			l := server.cluster(t, now).look(testTarget)
			text, truncated, err := l.readRun(t.Context(), run{pod: "p", container: "redis"})
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range test.has {
				if !strings.Contains(text, want) {
					t.Errorf("%q was not read", want)
				}
			}
			if truncated != test.truncated || len(server.asked) != test.requests || len(text) > headBytes+tailBytes+100 {
				t.Errorf("truncated %t, %d bytes, %d requests: %v", truncated, len(text), len(server.asked), server.asked)
			}
		})
	}
}
