package kube

import (
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// watchPause is the pause before a watch that ended is begun anew.
const watchPause = time.Second

// Watch calls changed with the ID of each incident that another process has
// changed. Where it was deaf for a while, it looks what it has missed.
func (s *Store) Watch(ctx context.Context, changed func(id string)) {
	seen := map[string]string{}
	for ctx.Err() == nil {
		if since, ok := s.catchUp(ctx, seen, changed); ok {
			s.follow(ctx, since, seen, changed)
		}
		timer := time.NewTimer(watchPause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// catchUp looks at the incidents that do not rest, and at those that did not.
func (s *Store) catchUp(ctx context.Context, seen map[string]string, changed func(id string)) (since string, ok bool) {
	var got *corev1.ConfigMapList
	err := s.again(ctx, func(ctx context.Context) (err error) {
		// It is not read page by page: it is few, and has one resourceVersion.
		got, err = s.bareList(ctx, metav1.ListOptions{LabelSelector: watched + "," + labelActive + "=true"})
		return err
	})
	if err != nil || got.Continue != "" {
		return "", false
	}
	active := map[string]bool{}
	for _, object := range got.Items {
		active[object.Name] = true
		s.notice(&object, seen, changed)
	}
	for name := range seen {
		if !active[name] {
			delete(seen, name)
			changed(idOf(name))
		}
	}
	return got.ResourceVersion, true
}

const watched = labelManagedBy + "=" + manager + "," + labelKind + "=" + kindIncident

// follow hears of changes until the API server ends it, as it does from time to time.
func (s *Store) follow(ctx context.Context, since string, seen map[string]string, changed func(id string)) {
	watching, err := s.maps().Watch(ctx, metav1.ListOptions{LabelSelector: watched, ResourceVersion: since})
	if err != nil {
		return
	}
	defer watching.Stop()
	for event := range watching.ResultChan() {
		object, ok := event.Object.(*corev1.ConfigMap)
		if !ok || event.Type == watch.Error {
			return
		}
		if event.Type == watch.Deleted {
			delete(seen, object.Name)
			continue
		}
		s.notice(object, seen, changed)
		if object.Labels[labelActive] != "true" {
			delete(seen, object.Name) // it is not looked at again
		}
	}
}

// notice tells of a change of the incident that this process has not made.
func (s *Store) notice(object *corev1.ConfigMap, seen map[string]string, changed func(id string)) {
	version := object.Annotations[noteVersion]
	if seen[object.Name] == version {
		return
	}
	seen[object.Name] = version
	marks := strings.Fields(object.Annotations[noteMarks])
	if len(marks) > 0 && s.own(marks[len(marks)-1]) {
		return
	}
	changed(idOf(object.Name))
}
