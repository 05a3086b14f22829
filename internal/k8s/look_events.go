package k8s

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"redis-session-bot/internal/evidence"
)

// Bounds of the events that are read.
const (
	maxEvents   = 500
	maxNames    = 12 // objects that are asked for their events one by one
	eventWindow = time.Hour
)

func (l *look) noteEvents(ctx context.Context, n *notes) {
	list, err := l.readEvents(ctx)
	n.note(evidence.FileEvents, err, func(b *evidence.Bundle) { b.Events = list })
}

// readEvents reads the last hour's events of what belongs to the workload.
// The API server pages events by name, not by time: when the namespace has
// more than one page, each object is asked for by name.
func (l *look) readEvents(ctx context.Context) (*corev1.EventList, error) {
	return l.events.get(ctx, func(ctx context.Context) (*corev1.EventList, error) {
		page, err := l.listEvents(ctx, "")
		if err != nil {
			return nil, err
		}
		if page.Continue != "" {
			if page, err = l.eventsByName(ctx); err != nil {
				return nil, err
			}
		}
		since := l.cluster.Now().Add(-eventWindow)
		page.Items = slices.DeleteFunc(page.Items, func(e corev1.Event) bool { return lastSeen(&e).Before(since) || !l.concerns(&e) })
		slices.SortStableFunc(page.Items, func(a, b corev1.Event) int { return lastSeen(&a).Compare(lastSeen(&b)) })
		if len(page.Items) > maxEvents {
			page.Items = page.Items[len(page.Items)-maxEvents:]
		}
		return page, nil
	})
}

func (l *look) listEvents(ctx context.Context, name string) (*corev1.EventList, error) {
	ctx, cancel := l.limited(ctx)
	defer cancel()
	options := metav1.ListOptions{Limit: maxEvents}
	if name != "" {
		options.FieldSelector = fields.OneTermEqualSelector("involvedObject.name", name).String()
	}
	return l.cluster.Clients.CoreV1().Events(l.target.Namespace).List(ctx, options)
}

// eventsByName asks for the workload's events object by object.
func (l *look) eventsByName(ctx context.Context) (*corev1.EventList, error) {
	names := l.eventNames(ctx)
	var (
		mu    sync.Mutex
		all   corev1.EventList
		first error
		asks  []func()
	)
	for _, name := range names {
		asks = append(asks, func() {
			list, err := l.listEvents(ctx, name)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				first = cmp.Or(first, err)
				return
			}
			all.Items = append(all.Items, list.Items...)
		})
	}
	parallel(asks...)
	if all.Items == nil && first != nil {
		return nil, first
	}
	return &all, nil
}

// eventNames are the objects of the workload: itself (and the Service, which
// often has its name), its newest ReplicaSet, its pods and its claims.
func (l *look) eventNames(ctx context.Context) []string {
	names := []string{l.target.Workload, l.target.Service}
	w, _ := l.readWorkload(ctx)
	if pods, err := l.readPods(ctx); err == nil {
		for _, pod := range slices.SortedFunc(slices.Values(pods.Items), notReadyFirst) {
			names = append(names, pod.Name)
			if owner := metav1.GetControllerOf(&pod); owner != nil {
				names = append(names, owner.Name)
			}
		}
	}
	if sets, err := l.readReplicaSets(ctx, w); err == nil && len(sets.Items) > 0 {
		newest := slices.MaxFunc(sets.Items, func(a, b appsv1.ReplicaSet) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
		names = slices.Insert(names, 1, newest.Name)
	}
	names = slices.Concat(l.facts(w).Claims, names)
	var unique []string
	for _, name := range names {
		if name != "" && !slices.Contains(unique, name) && len(unique) < maxNames {
			unique = append(unique, name)
		}
	}
	return unique
}

// concerns reports whether an event is about the workload, what carries its
// name, its Service or a claim.
func (l *look) concerns(event *corev1.Event) bool {
	object := event.InvolvedObject
	return object.Kind == "PersistentVolumeClaim" || strings.Contains(object.Name, l.target.Workload) || object.Name == l.target.Service
}

func lastSeen(event *corev1.Event) time.Time {
	if event.Series != nil {
		return event.Series.LastObservedTime.Time
	}
	for _, at := range []time.Time{event.LastTimestamp.Time, event.EventTime.Time, event.FirstTimestamp.Time} {
		if !at.IsZero() {
			return at
		}
	}
	return event.CreationTimestamp.Time
}
