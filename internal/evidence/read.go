package evidence

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// eventWindow is how far back events count; older ones are over.
const eventWindow = time.Hour

// Read reads the facts about a target out of a bundle. It is pure: the same
// bundle always gives the same evidence, whether it came from a cluster or
// from a folder. Where the target leaves a name empty, the bundle's meta does.
func Read(b Bundle, target Target) Evidence {
	if target.Namespace == "" || b.Meta.Namespace != "" {
		target.Namespace = orElse(b.Meta.Namespace, target.Namespace)
	}
	target.Workload = orElse(b.Meta.Workload, target.Workload)
	target.Namespace = adoptNamespace(b, target.Namespace)
	r := reader{bundle: b, target: target, evidence: Evidence{At: b.Meta.At, Target: target, Unknown: map[string]string{}, Inferred: map[string]string{}}}
	if r.evidence.At.IsZero() {
		r.evidence.At = newest(b)
	}
	r.readWorkload()
	r.readPods()
	r.adoptNames()
	r.readNodes()
	r.readEvents()
	r.inferPods()
	r.readLogs()
	r.readRevisions()
	r.readConfig()
	r.readData()
	r.readQuotas()
	r.readRanges()
	r.readService()
	r.readUsage()
	r.readProbes()
	r.readClaims()
	r.readSecret()
	r.readApp()
	r.readPolicies()
	r.readExporters()
	r.readHeard()
	r.readHistory()
	if b.Alerts != nil { // without any, none is known of: that is no gap
		r.evidence.Alerts = *b.Alerts
	}
	return r.evidence
}

type reader struct {
	bundle   Bundle
	target   Target
	evidence Evidence
	template *corev1.PodTemplateSpec // of the workload; nil where it is not there
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// NotRead is the reason of a field that nobody has asked for.
const NotRead = "not read"

// unknown notes that a field was not read, with the reason of its source.
func (r *reader) unknown(field string, sources ...string) {
	for _, source := range sources {
		if why := r.bundle.Missing[source]; why != "" {
			r.evidence.Unknown[field] = why
			return
		}
	}
	r.evidence.Unknown[field] = NotRead
}

// readPods tells the workload's own pods from the others.
func (r *reader) readPods() {
	if r.bundle.Pods == nil {
		r.unknown("pods", FilePods)
		r.unknown("neighbours", FilePods)
		return
	}
	for i := range r.bundle.Pods.Items {
		pod := &r.bundle.Pods.Items[i]
		if pod.Namespace != "" && pod.Namespace != r.target.Namespace {
			continue
		}
		one := podOf(pod)
		for c := range one.Containers {
			exit := &one.Containers[c].LastExit
			exit.Recent = exit.Happened && (exit.FinishedAt.IsZero() || r.evidence.At.Sub(exit.FinishedAt) <= eventWindow)
		}
		if r.owns(pod) {
			r.evidence.Pods = append(r.evidence.Pods, one)
		} else {
			r.evidence.Neighbours = append(r.evidence.Neighbours, one)
		}
	}
	slices.SortFunc(r.evidence.Pods, func(a, b Pod) int { return a.CreatedAt.Compare(b.CreatedAt) })
}

// owns reports whether a pod belongs to the workload: by its controller, by
// the workload's selector, or, where the workload itself was not read, by name.
func (r *reader) owns(pod *corev1.Pod) bool {
	if r.ownsByController(pod) {
		return true
	}
	if r.evidence.Workload.Exists {
		selector := r.evidence.Workload.Selector
		return len(selector) > 0 && labels.SelectorFromSet(selector).Matches(labels.Set(pod.Labels))
	}
	if pod.Labels["app"] != "" {
		return pod.Labels["app"] == r.target.Workload
	}
	return pod.Name == r.target.Workload || strings.HasPrefix(pod.Name, r.target.Workload+"-")
}

func (r *reader) ownsByController(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return false
	}
	if owner.Kind == "StatefulSet" {
		return owner.Name == r.target.Workload
	}
	hash := pod.Labels["pod-template-hash"]
	return owner.Kind == "ReplicaSet" && hash != "" && owner.Name == r.target.Workload+"-"+hash
}

func (r *reader) readNodes() {
	if r.bundle.Nodes == nil {
		r.unknown("nodes", FileNodes)
		return
	}
	for i := range r.bundle.Nodes.Items {
		node := &r.bundle.Nodes.Items[i]
		one := Node{Name: node.Name, Cordoned: node.Spec.Unschedulable, Allocatable: node.Status.Allocatable.Memory().Value()}
		for _, c := range node.Status.Conditions {
			if c.Type == corev1.NodeReady {
				one.Ready = c.Status == corev1.ConditionTrue
			}
			one.Conditions = append(one.Conditions, Condition{string(c.Type), string(c.Status), c.Reason, c.Message})
		}
		for _, taint := range node.Spec.Taints {
			one.Taints = append(one.Taints, taint.ToString())
		}
		r.evidence.Nodes = append(r.evidence.Nodes, one)
	}
}

func (r *reader) readEvents() {
	if r.bundle.Events == nil {
		r.unknown("events", FileEvents)
		return
	}
	for i := range r.bundle.Events.Items {
		event := eventOf(&r.bundle.Events.Items[i])
		if r.evidence.At.Sub(event.Last) <= eventWindow && r.concerns(event) && !r.replaced(&r.bundle.Events.Items[i]) {
			r.evidence.Events = append(r.evidence.Events, event)
		}
	}
	slices.SortStableFunc(r.evidence.Events, func(a, b Event) int { return a.Last.Compare(b.Last) })
}

// replaced reports whether an event is about a pod that another one of the same
// name has replaced since, as those of a StatefulSet are.
func (r *reader) replaced(event *corev1.Event) bool {
	about := event.InvolvedObject
	return about.Kind == "Pod" && about.UID != "" && slices.ContainsFunc(r.evidence.Pods, func(p Pod) bool {
		return p.Name == about.Name && p.UID != "" && p.UID != string(about.UID)
	})
}

// concerns reports whether an event is about the workload or what belongs to it.
func (r *reader) concerns(event Event) bool {
	if event.Name == r.target.Workload || strings.HasPrefix(event.Name, r.target.Workload+"-") || event.Name == r.target.Service {
		return true
	}
	return event.Kind == "Pod" && slices.ContainsFunc(r.evidence.Pods, func(p Pod) bool { return p.Name == event.Name }) ||
		event.Kind == "PersistentVolumeClaim" && slices.Contains(r.evidence.Workload.Claims, event.Name) ||
		event.Kind == "Node" && slices.ContainsFunc(r.evidence.Pods, func(p Pod) bool { return p.Node == event.Name })
}

func eventOf(event *corev1.Event) Event {
	one := Event{Type: event.Type, Reason: event.Reason, Message: event.Message,
		Kind: event.InvolvedObject.Kind, Name: event.InvolvedObject.Name, Count: int64(max(event.Count, 1)),
		First: event.FirstTimestamp.Time, Last: event.LastTimestamp.Time}
	if event.Series != nil {
		one.Count, one.Last = int64(event.Series.Count), event.Series.LastObservedTime.Time
	}
	if one.First.IsZero() {
		one.First = event.EventTime.Time
	}
	if one.First.IsZero() {
		one.First = event.CreationTimestamp.Time
	}
	if one.Last.IsZero() {
		one.Last = one.First
	}
	return one
}

func (r *reader) readUsage() {
	if r.bundle.Metrics == nil {
		r.unknown("usage", FileMetrics)
		return
	}
	for _, metrics := range r.bundle.Metrics.Items {
		if !slices.ContainsFunc(r.evidence.Pods, func(p Pod) bool { return p.Name == metrics.Name }) {
			continue
		}
		for _, container := range metrics.Containers {
			r.evidence.Usage = append(r.evidence.Usage, Usage{Pod: metrics.Name, Container: container.Name,
				CPU: container.Usage.Cpu().MilliValue(), Memory: container.Usage.Memory().Value()})
		}
	}
}

func (r *reader) readProbes() {
	probes := r.bundle.Probes
	if probes == nil || probes.Reach == nil {
		r.unknown("reach", FileProbes+"#reach", FileProbes)
	}
	if probes == nil || probes.Redis == nil {
		r.unknown("redis", FileProbes+"#redis", FileProbes)
	}
	if probes != nil {
		r.evidence.Reach, r.evidence.Redis = probes.Reach, probes.Redis
	}
}

// newest finds the newest moment that anything in a bundle mentions.
func newest(b Bundle) time.Time {
	var at time.Time
	later := func(t time.Time) {
		if t.After(at) {
			at = t
		}
	}
	if b.Events != nil {
		for i := range b.Events.Items {
			later(eventOf(&b.Events.Items[i]).Last)
		}
	}
	if b.Pods == nil {
		return at
	}
	for i := range b.Pods.Items {
		pod := podOf(&b.Pods.Items[i])
		later(pod.CreatedAt)
		for _, container := range pod.Containers {
			later(container.Since)
			later(container.LastExit.FinishedAt)
		}
		for _, condition := range b.Pods.Items[i].Status.Conditions {
			later(condition.LastTransitionTime.Time)
		}
	}
	return at
}
