package kubetest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/watch"
)

// event is one write: an object before it and after it; the zero one for none.
type event struct {
	version       uint64
	before, after corev1.ConfigMap
}

// happened keeps an event and wakes who watches. The lock is held.
func (s *Server) happened(e event) {
	s.events = append(s.events, e)
	close(s.changed)
	s.changed = make(chan struct{})
}

func selector(w http.ResponseWriter, r *http.Request) (labels.Selector, bool) {
	selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		refuse(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())
	}
	return selector, err == nil
}

func (s *Server) list(w http.ResponseWriter, r *http.Request, namespace string) {
	wanted, ok := selector(w, r)
	if !ok {
		return
	}
	s.mu.Lock()
	list := corev1.ConfigMapList{TypeMeta: metav1.TypeMeta{Kind: "ConfigMapList", APIVersion: "v1"}, ListMeta: metav1.ListMeta{ResourceVersion: strconv.FormatUint(s.version, 10)}}
	for _, object := range s.objects {
		if object.Namespace == namespace && wanted.Matches(labels.Set(object.Labels)) && object.Name > r.URL.Query().Get("continue") {
			list.Items = append(list.Items, object)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(list.Items, func(a, b corev1.ConfigMap) int { return cmp.Compare(a.Name, b.Name) })
	if limit, err := strconv.Atoi(r.URL.Query().Get("limit")); err == nil && limit > 0 && len(list.Items) > limit {
		list.Items = list.Items[:limit]
		list.Continue = list.Items[limit-1].Name
	}
	if strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadataList") {
		for i := range list.Items {
			list.Items[i] = corev1.ConfigMap{ObjectMeta: list.Items[i].ObjectMeta}
		}
	}
	reply(w, http.StatusOK, list)
}

func (s *Server) watch(w http.ResponseWriter, r *http.Request, namespace string) {
	wanted, ok := selector(w, r)
	if !ok {
		return
	}
	matches := func(object corev1.ConfigMap) bool {
		return object.Namespace == namespace && wanted.Matches(labels.Set(object.Labels))
	}
	since, err := strconv.ParseUint(r.URL.Query().Get("resourceVersion"), 10, 64)
	if err != nil {
		refuse(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, "a watch needs a resourceVersion here")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	flusher, _ := w.(http.Flusher)
	encoder := json.NewEncoder(w)
	send := func(kind watch.EventType, object any) {
		_ = encoder.Encode(map[string]any{"type": kind, "object": object}) // who left is seen below
	}
	for {
		s.mu.Lock()
		changed, dropped, tooOld := s.changed, s.dropped, since < s.oldest
		events := slices.Clone(s.events)
		s.mu.Unlock()
		if tooOld {
			send(watch.Error, metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
				Code: http.StatusGone, Reason: metav1.StatusReasonExpired, Message: "too old resource version"})
			return
		}
		for _, e := range events {
			if e.version <= since {
				continue
			}
			since = e.version
			e.before.Kind, e.before.APIVersion, e.after.Kind, e.after.APIVersion = "ConfigMap", "v1", "ConfigMap", "v1"
			switch was, is := matches(e.before), matches(e.after); {
			case was && is:
				send(watch.Modified, e.after)
			case is:
				send(watch.Added, e.after)
			case was:
				send(watch.Deleted, e.before)
			}
		}
		flusher.Flush()
		select {
		case <-changed:
		case <-dropped:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// EndWatches ends every watch, as an API server does from time to time.
func (s *Server) EndWatches() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.dropped)
	s.dropped = make(chan struct{})
}

// ForgetEvents makes every watch that begins in the past begin anew.
func (s *Server) ForgetEvents() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.oldest, s.events = s.version, nil
}
