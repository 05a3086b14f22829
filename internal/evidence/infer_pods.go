package evidence

import (
	"slices"
	"strings"
	"time"
)

// loopWindow is how long a back-off counts after the container was started anew.
const loopWindow = 10 * time.Minute

// inferPods tells of the pods that events complain about, where nobody listed
// the pods: each as its last word has it. A pod without trouble is left out,
// since that it was started says nothing about how it is.
func (r *reader) inferPods() {
	if r.evidence.Knows("pods") || !r.evidence.Knows("events") {
		return
	}
	var told []*toldPod
	for _, event := range r.evidence.Events {
		if event.Kind != "Pod" {
			continue
		}
		i := slices.IndexFunc(told, func(t *toldPod) bool { return t.pod.Name == event.Name })
		if i < 0 {
			told = append(told, &toldPod{pod: Pod{Name: event.Name, Phase: "Pending", CreatedAt: event.First}})
			i = len(told) - 1
		}
		told[i].hear(event)
	}
	for _, t := range told {
		if one, troubled := t.told(r.evidence.At); troubled {
			r.evidence.Pods = append(r.evidence.Pods, one)
		}
	}
	if len(r.evidence.Pods) == 0 {
		return
	}
	r.evidence.Inferred["pods"] = r.evidence.Unknown["pods"]
	delete(r.evidence.Unknown, "pods")
}

// toldPod is a pod as its events tell of it, oldest first.
type toldPod struct {
	pod     Pod
	wait    string // why its container waits; "" when it does not
	message string
	looped  time.Time // the last back-off
	running bool
	hurt    bool // a probe fails
	gone    bool
}

func (t *toldPod) hear(event Event) {
	message := event.Message
	switch event.Reason {
	case "FailedScheduling":
		t.pod.Conditions = []Condition{{"PodScheduled", "False", "Unschedulable", message}}
	case "Scheduled":
		t.pod.Conditions = []Condition{{"PodScheduled", "True", "", ""}}
		t.pod.Node = message[strings.LastIndex(message, " ")+1:]
	case "FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedCreatePodSandBox":
		t.wait, t.message = "ContainerCreating", ""
	case "Started":
		t.wait, t.message, t.running, t.hurt, t.pod.Phase = "", "", true, false, "Running"
	case "Unhealthy", "NodeNotReady", "TaintManagerEviction":
		t.running, t.hurt, t.pod.Phase = true, true, "Running"
	case "Evicted":
		t.pod.Phase, t.pod.Reason, t.pod.Message = "Failed", event.Reason, message
	case "Killing":
		t.hurt = strings.Contains(message, "probe")
		t.gone = !t.hurt
	case "BackOff", "Failed":
		t.fail(message, event.Last)
	}
}

// fail reads what the kubelet says of a container that does not come up.
func (t *toldPod) fail(message string, at time.Time) {
	reason, said := "", strings.TrimPrefix(message, "Error: ")
	switch {
	case strings.Contains(message, "restarting failed"):
		reason, t.looped, t.pod.Phase = "CrashLoopBackOff", at, "Running"
	case strings.Contains(message, "pull") || strings.Contains(message, "Image"):
		reason = "ImagePullBackOff"
	case strings.Contains(said, "not found") && !strings.Contains(said, "exec") || strings.Contains(said, "couldn't find key"):
		reason = "CreateContainerConfigError"
	default:
		reason = "RunContainerError"
	}
	t.wait, t.message = reason, said
}

// told gives the pod, and whether there is any trouble with it.
func (t *toldPod) told(at time.Time) (Pod, bool) {
	container := Container{State: "waiting", Reason: t.wait, Message: t.message}
	switch {
	case t.gone:
		return Pod{}, false
	case t.pod.Phase == "Failed":
		return t.pod, true
	case t.wait == "" && !t.looped.IsZero() && at.Sub(t.looped) <= loopWindow:
		container.Reason = "CrashLoopBackOff"
	case t.wait == "" && t.running:
		container.State = "running"
	}
	unplaced := slices.ContainsFunc(t.pod.Conditions, func(c Condition) bool { return c.Status == "False" })
	if !unplaced {
		t.pod.Containers = []Container{container}
	}
	return t.pod, unplaced || t.hurt || container.Reason != ""
}
