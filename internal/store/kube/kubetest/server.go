// Package kubetest is an API server that knows ConfigMaps and nothing else, with
// what a store leans on: a resourceVersion decides, a name is given once, labels
// select, lists come in pages, watches end. It can misbehave as a real one does.
//
// It is for tests. The suite that runs against it runs against a real API server,
// too (lab/live/kubestore).
package kubetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

// limit is how many bytes the values of a ConfigMap may have.
const limit = 1 << 20

// Server is one API server. Start makes it.
type Server struct {
	http    *httptest.Server
	clients atomic.Int64

	mu      sync.Mutex
	version uint64 // of the newest write
	objects map[string]corev1.ConfigMap
	events  []event
	changed chan struct{} // closed and replaced by every write
	dropped chan struct{} // closed and replaced where watches end
	oldest  uint64        // events before it are forgotten
	faults  func(*http.Request) Fault
	asked   int
	late    sync.WaitGroup
}

// Start serves until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{objects: map[string]corev1.ConfigMap{}, changed: make(chan struct{}), dropped: make(chan struct{})}
	s.http = httptest.NewServer(s)
	t.Cleanup(func() { s.EndWatches(); s.http.CloseClientConnections(); s.http.Close(); s.late.Wait() })
	return s
}

// Config is how a client reaches the server.
func (s *Server) Config() *rest.Config { return &rest.Config{Host: s.http.URL, QPS: -1} }

// Clients gives a client of its own, as each replica has. Its user agent tells
// which: client-1, client-2, …
func (s *Server) Clients(t testing.TB) kubernetes.Interface {
	t.Helper()
	config := s.Config()
	config.UserAgent = fmt.Sprintf("client-%d", s.clients.Add(1))
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return clients
}

// Requests is how many there were.
func (s *Server) Requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// Names lists the objects whose names contain a word, each with its namespace.
func (s *Server) Names(word string) (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.objects {
		if strings.Contains(name, word) {
			names = append(names, name)
		}
	}
	return names
}

// ServeHTTP answers as an API server does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch fault := s.fault(r); fault {
	case LoseAnswer:
		s.answer(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case Late:
		body, _ := io.ReadAll(r.Body) // what did not arrive is not carried out
		s.late.Go(func() {
			time.Sleep(lateness)
			again := r.WithContext(context.WithoutCancel(r.Context()))
			again.Body = io.NopCloser(bytes.NewReader(body))
			s.answer(httptest.NewRecorder(), again)
		})
		panic(http.ErrAbortHandler)
	default:
		if !fault.before(w, r) {
			s.answer(w, r)
		}
	}
}

func (s *Server) answer(answer http.ResponseWriter, r *http.Request) {
	namespace, name, ok := parse(r.URL.Path)
	if !ok {
		refuse(answer, http.StatusNotFound, metav1.StatusReasonNotFound, "the server could not find the requested resource")
		return
	}
	switch {
	case r.Method == http.MethodGet && name == "" && r.URL.Query().Get("watch") == "true":
		s.watch(answer, r, namespace)
	case r.Method == http.MethodGet && name == "":
		s.list(answer, r, namespace)
	case r.Method == http.MethodGet:
		s.get(answer, namespace, name)
	case r.Method == http.MethodPost:
		s.create(answer, r, namespace)
	case r.Method == http.MethodPut:
		s.update(answer, r, namespace, name)
	case r.Method == http.MethodPatch:
		s.patch(answer, r, namespace, name)
	case r.Method == http.MethodDelete:
		s.delete(answer, r, namespace, name)
	default:
		refuse(answer, http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed, r.Method)
	}
}

// parse reads /api/v1/namespaces/NS/configmaps[/NAME].
func parse(path string) (namespace, name string, ok bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if len(parts) < 5 || len(parts) > 6 || strings.Join(parts[:3], "/") != "api/v1/namespaces" || parts[4] != "configmaps" {
		return "", "", false
	}
	if len(parts) == 6 {
		name = parts[5]
	}
	return parts[3], name, true
}

func key(namespace, name string) string { return namespace + "/" + name }

func (s *Server) get(w http.ResponseWriter, namespace, name string) {
	s.mu.Lock()
	object, ok := s.objects[key(namespace, name)]
	s.mu.Unlock()
	if !ok {
		notFound(w, name)
		return
	}
	reply(w, http.StatusOK, object)
}

func (s *Server) create(w http.ResponseWriter, r *http.Request, namespace string) {
	object, ok := read(w, r)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.objects[key(namespace, object.Name)]; there {
		refuse(w, http.StatusConflict, metav1.StatusReasonAlreadyExists, fmt.Sprintf("configmaps %q already exists", object.Name))
		return
	}
	object.Namespace, object.UID, object.CreationTimestamp = namespace, types.UID(fmt.Sprintf("uid-%d", s.version)), metav1.Now()
	s.put(w, r, http.StatusCreated, object)
}

func (s *Server) update(w http.ResponseWriter, r *http.Request, namespace, name string) {
	object, ok := read(w, r)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	there, ok := s.objects[key(namespace, name)]
	switch {
	case !ok:
		notFound(w, name)
	case object.ResourceVersion != "" && object.ResourceVersion != there.ResourceVersion:
		conflict(w, name)
	default:
		object.Namespace, object.UID, object.CreationTimestamp = namespace, there.UID, there.CreationTimestamp
		s.put(w, r, http.StatusOK, object)
	}
}

// patch takes a merge patch of labels and annotations.
func (s *Server) patch(w http.ResponseWriter, r *http.Request, namespace, name string) {
	var patch struct {
		Metadata struct {
			ResourceVersion string             `json:"resourceVersion"`
			Labels          map[string]*string `json:"labels"`
			Annotations     map[string]*string `json:"annotations"`
		} `json:"metadata"`
	}
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&patch); err != nil || r.Header.Get("Content-Type") != string(types.MergePatchType) {
		refuse(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, fmt.Sprintf("this server does not know such a patch: %v", err))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	there, ok := s.objects[key(namespace, name)]
	switch {
	case !ok:
		notFound(w, name)
		return
	case patch.Metadata.ResourceVersion != "" && patch.Metadata.ResourceVersion != there.ResourceVersion:
		conflict(w, name)
		return
	}
	object := *there.DeepCopy()
	for values, changes := range map[*map[string]string]map[string]*string{&object.Labels: patch.Metadata.Labels, &object.Annotations: patch.Metadata.Annotations} {
		for name, value := range changes {
			if value == nil {
				delete(*values, name)
			} else {
				(*values)[name] = *value
			}
		}
	}
	s.put(w, r, http.StatusOK, object)
}

// put stores an object that may be stored. The lock is held.
func (s *Server) put(w http.ResponseWriter, r *http.Request, code int, object corev1.ConfigMap) {
	if wrong := invalid(object); wrong != "" {
		refuse(w, http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, wrong)
		return
	}
	if r.URL.Query().Get("dryRun") == "All" {
		reply(w, code, object)
		return
	}
	s.version++
	object.ResourceVersion = strconv.FormatUint(s.version, 10)
	at := key(object.Namespace, object.Name)
	s.happened(event{version: s.version, before: s.objects[at], after: object})
	s.objects[at] = object
	reply(w, code, object)
}

func (s *Server) delete(w http.ResponseWriter, r *http.Request, namespace, name string) {
	var options metav1.DeleteOptions
	if body, err := io.ReadAll(r.Body); err == nil && len(body) > 0 {
		if _, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, &options); err != nil {
			refuse(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	there, ok := s.objects[key(namespace, name)]
	switch {
	case !ok:
		notFound(w, name)
		return
	case options.Preconditions != nil && options.Preconditions.UID != nil && *options.Preconditions.UID != there.UID:
		conflict(w, name)
		return
	}
	s.version++
	s.happened(event{version: s.version, before: there})
	delete(s.objects, key(namespace, name))
	reply(w, http.StatusOK, metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusSuccess})
}

// Edit changes an object past every check but the resourceVersion's, as a forger
// or a disk does; nil deletes it.
func (s *Server) Edit(namespace, name string, edit func(*corev1.ConfigMap) *corev1.ConfigMap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := key(namespace, name)
	before := s.objects[at]
	after := edit(before.DeepCopy())
	s.version++
	if after == nil {
		s.happened(event{version: s.version, before: before})
		delete(s.objects, at)
		return
	}
	after.ResourceVersion = strconv.FormatUint(s.version, 10)
	s.happened(event{version: s.version, before: before, after: *after})
	s.objects[at] = *after
}

// invalid says what a real API server refuses.
func invalid(object corev1.ConfigMap) string {
	var wrong []string
	wrong = append(wrong, validation.IsDNS1123Subdomain(object.Name)...)
	for name, value := range object.Labels {
		wrong = append(append(wrong, validation.IsQualifiedName(name)...), validation.IsValidLabelValue(value)...)
	}
	for name := range object.Annotations {
		wrong = append(wrong, validation.IsQualifiedName(name)...)
	}
	size := 0
	for name, value := range object.BinaryData {
		wrong = append(wrong, validation.IsConfigMapKey(name)...)
		size += len(value)
	}
	if size > limit {
		wrong = append(wrong, fmt.Sprintf("Too long: may not be more than %d bytes", limit))
	}
	return strings.Join(wrong, "; ")
}

// read takes an object in whatever encoding the client has chosen.
func read(w http.ResponseWriter, r *http.Request) (corev1.ConfigMap, bool) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		var decoded runtime.Object
		decoded, _, err = scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
		if object, ok := decoded.(*corev1.ConfigMap); ok {
			return *object, true
		}
	}
	refuse(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, fmt.Sprintf("this is no ConfigMap: %v", err))
	return corev1.ConfigMap{}, false
}

func reply(w http.ResponseWriter, code int, object any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	switch o := object.(type) {
	case corev1.ConfigMap:
		o.Kind, o.APIVersion = "ConfigMap", "v1"
		object = o
	}
	_ = json.NewEncoder(w).Encode(object) // nobody may listen any more
}

func refuse(w http.ResponseWriter, code int, reason metav1.StatusReason, message string) {
	reply(w, code, metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status: metav1.StatusFailure, Code: int32(code), Reason: reason, Message: message})
}

func notFound(w http.ResponseWriter, name string) {
	refuse(w, http.StatusNotFound, metav1.StatusReasonNotFound, fmt.Sprintf("configmaps %q not found", name))
}

func conflict(w http.ResponseWriter, name string) {
	refuse(w, http.StatusConflict, metav1.StatusReasonConflict, fmt.Sprintf("configmaps %q: the object has been modified", name))
}

// lateness is by how much a late request is late.
const lateness = 40 * time.Millisecond

// patience is how long a request that is never answered is held.
const patience = time.Minute
