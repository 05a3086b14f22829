package k8s

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes/scheme"

	"redis-session-bot/internal/evidence"
)

// Bounds of the events that are read.
const (
	// maxScanned is how many events of the namespace are looked through.
	maxScanned  = 20000
	maxEvents   = 500 // that are kept, and that one object is asked for
	maxNames    = 6   // objects that are asked for their events one by one
	eventWindow = time.Hour
)

func (l *look) noteEvents(ctx context.Context, n *notes) {
	list, err := l.readEvents(ctx)
	n.note(evidence.FileEvents, err, func(b *evidence.Bundle) { b.Events = list })
}

// readEvents reads the last hour's events of what belongs to the workload.
// The API server pages events by name, not by time, and selects by the name of
// one object only, which makes it look through all of them each time. So the
// namespace's events are read once, and dropped one by one as they arrive.
// Where there are too many for that, each object is asked for by name.
func (l *look) readEvents(ctx context.Context) (*corev1.EventList, error) {
	return l.events.get(ctx, func(ctx context.Context) (*corev1.EventList, error) {
		list, more, err := l.scanEvents(ctx)
		if err == nil && more {
			list, err = l.eventsByName(ctx)
		}
		if err != nil {
			return nil, err
		}
		list.Items = slices.DeleteFunc(list.Items, func(e corev1.Event) bool { return !l.matters(&e) })
		slices.SortStableFunc(list.Items, func(a, b corev1.Event) int { return lastSeen(&a).Compare(lastSeen(&b)) })
		list.Items = list.Items[max(0, len(list.Items)-maxEvents):]
		return list, nil
	})
}

// scanEvents keeps of the namespace's events those that matter. It reports
// whether there are more than it may look through; it reads none of them then.
func (l *look) scanEvents(ctx context.Context) (*corev1.EventList, bool, error) {
	ctx, cancel := l.limited(ctx)
	defer cancel()
	stream, err := l.cluster.Clients.CoreV1().RESTClient().Get().Namespace(l.target.Namespace).Resource("events").
		VersionedParams(&metav1.ListOptions{Limit: maxScanned}, scheme.ParameterCodec).
		SetHeader("Accept", "application/json").Stream(ctx)
	if err != nil {
		return nil, false, err
	}
	defer stream.Close()
	list, err := decodeEvents(stream, l.matters)
	return list, list.Continue != "", err
}

// decodeEvents reads the JSON of an EventList and keeps what is worth keeping,
// with never more than one other event in memory. It stops at the beginning
// of a list that goes on elsewhere.
func decodeEvents(from io.Reader, keep func(*corev1.Event) bool) (*corev1.EventList, error) {
	list := &corev1.EventList{Items: []corev1.Event{}}
	decoder := json.NewDecoder(from)
	if _, err := decoder.Token(); err != nil {
		return list, fmt.Errorf("decode the events: %w", err)
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return list, fmt.Errorf("decode the events: %w", err)
		}
		switch key {
		case "metadata":
			err = decoder.Decode(&list.ListMeta)
		case "items":
			if list.Continue != "" {
				return list, nil
			}
			err = decodeItems(decoder, list, keep)
		default:
			err = decoder.Decode(new(json.RawMessage))
		}
		if err != nil {
			return list, fmt.Errorf("decode the events: %w", err)
		}
	}
	return list, nil
}

func decodeItems(decoder *json.Decoder, list *corev1.EventList, keep func(*corev1.Event) bool) error {
	begin, err := decoder.Token()
	if err != nil || begin == nil { // null is an empty list
		return err
	}
	for decoder.More() {
		var event corev1.Event
		if err := decoder.Decode(&event); err != nil {
			return err
		}
		if keep(&event) {
			list.Items = append(list.Items, event)
		}
	}
	_, err = decoder.Token()
	return err
}

func (l *look) listEvents(ctx context.Context, name string) (*corev1.EventList, error) {
	ctx, cancel := l.limited(ctx)
	defer cancel()
	return l.cluster.Clients.CoreV1().Events(l.target.Namespace).List(ctx, metav1.ListOptions{Limit: maxEvents,
		FieldSelector: fields.OneTermEqualSelector("involvedObject.name", name).String()})
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

// matters reports whether an event is of the last hour and of the workload.
func (l *look) matters(event *corev1.Event) bool {
	return !lastSeen(event).Before(l.cluster.Now().Add(-eventWindow)) && l.concerns(event)
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
