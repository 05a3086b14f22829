package workload

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestWhyPod(t *testing.T) {
	waiting := func(reason, message string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
	ended := func(reason string, code int32) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: reason, ExitCode: code}}
	}
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	one := func(s corev1.ContainerStatus) corev1.PodStatus {
		s.Name = "redis"
		return corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{s}}
	}
	cases := map[string]struct {
		status corev1.PodStatus
		want   string
	}{
		"ready":    {one(corev1.ContainerStatus{State: running, Ready: true}), ""},
		"starting": {one(corev1.ContainerStatus{State: running}), "p redis runs and is not ready yet"},
		"new":      {corev1.PodStatus{}, "p is about to start"},
		"no node": {corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/1 nodes are available"}}},
			"p has no node: 0/1 nodes are available"},
		"init done": {corev1.PodStatus{
			InitContainerStatuses: []corev1.ContainerStatus{{Name: "open", State: ended("Completed", 0), Ready: true}},
			ContainerStatuses:     []corev1.ContainerStatus{{Name: "redis", State: running, Ready: true}},
		}, ""},
		"crash": {one(corev1.ContainerStatus{State: waiting("CrashLoopBackOff", "back-off"), LastTerminationState: ended("Error", 1)}),
			"p redis waits: CrashLoopBackOff, last exit 1 Error"},
		"killed": {one(corev1.ContainerStatus{State: ended("OOMKilled", 137)}), "p redis ended: OOMKilled, exit 137"},
		"image": {one(corev1.ContainerStatus{State: waiting("ErrImagePull", ""), Image: "lab.local/redis:7.0.15"}),
			"p redis waits: ErrImagePull. The node lacks the image lab.local/redis:7.0.15: load its tar (ctr images import, kind load image-archive, minikube image load)"},
		"config": {one(corev1.ContainerStatus{State: waiting("CreateContainerConfigError", `secret "x" not found`)}),
			`p redis waits: CreateContainerConfigError: secret "x" not found`},
	}
	for name, c := range cases {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Status: c.status}
		if got := whyPod(pod); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.want)
		}
	}
	now := metav1.Now()
	if got := whyPod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", DeletionTimestamp: &now}}); got != "p is ending" {
		t.Errorf("ending: %s", got)
	}
}

func TestSourcesAreFoundFromAnyFolderOfTheClone(t *testing.T) {
	for _, dir := range []string{".", "testdata", "../..", "../../internal"} {
		t.Run(dir, func(t *testing.T) {
			t.Chdir(dir)
			found, err := sources()
			if err != nil || !isModule(found) {
				t.Errorf("from %s: %q, %v", dir, found, err)
			}
		})
	}
}
