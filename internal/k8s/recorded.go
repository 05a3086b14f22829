package k8s

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

// Recorded is a cluster as a bundle recorded it. It can be looked at, and a
// change can be prepared against its objects to show the diff; nobody checks
// that change, and nothing is ever written.
type Recorded struct {
	Bundle evidence.Bundle
	Now    func() time.Time
}

var errRecorded = &incident.Refusal{Says: "This is a recorded bundle: nothing can be changed in it."}

// Look gives each check what it would have read.
func (r Recorded) Look(evidence.Target) incident.Look { return r }

// Check gives the part of the bundle that the check is about.
func (r Recorded) Check(_ context.Context, check string) (evidence.Bundle, error) {
	b := r.Bundle
	part := evidence.Bundle{Meta: b.Meta, Pods: b.Pods, Deployments: b.Deployments, StatefulSets: b.StatefulSets, Secrets: b.Secrets}
	sources := []string{evidence.FilePods, evidence.FileDeployments, evidence.FileStatefulSets, evidence.FileSecrets}
	add := func(more ...string) { sources = append(sources, more...) }
	switch check {
	case CheckPods:
		part.Events, part.Nodes, part.ConfigMaps, part.ReplicaSets, part.Revisions, part.Ranges = b.Events, b.Nodes, b.ConfigMaps, b.ReplicaSets, b.Revisions, b.Ranges
		add(evidence.FileEvents, evidence.FileNodes, evidence.FileConfigMaps, evidence.FileReplicaSets, evidence.FileRevisions, evidence.FileRanges)
	case CheckLogs:
		part.Logs = b.Logs
		add(evidence.SourceLogs)
	case CheckEndpoints:
		part.Services, part.Slices = b.Services, b.Slices
		add(evidence.FileServices, evidence.FileSlices)
	case CheckUsage:
		part.Metrics, part.ConfigMaps, part.Prometheus = b.Metrics, b.ConfigMaps, b.Prometheus
		add(evidence.FileMetrics, evidence.FileConfigMaps, evidence.FilePrometheus)
	case CheckReach:
		part.Probes, part.Logs, part.Policies = b.Probes, b.Logs, b.Policies
		add(evidence.FileProbes, evidence.SourceLogs, evidence.FilePolicies)
	case CheckVolumes:
		part.Claims, part.Classes, part.Events = b.Claims, b.Classes, b.Events
		add(evidence.FileClaims, evidence.FileClasses, evidence.FileEvents)
	default:
		return evidence.Bundle{}, fmt.Errorf("there is no check %q", check)
	}
	part.Missing = map[string]string{}
	for _, source := range sources {
		if why := b.Missing[source]; why != "" {
			part.Missing[source] = why
		}
	}
	return part, nil
}

// Prepare makes the diffs against the recorded objects. The dry run of each
// write says that nobody was asked.
func (r Recorded) Prepare(ctx context.Context, wanted incident.Wanted) (incident.Prepared, error) {
	if r.Bundle.Deployments == nil && r.Bundle.StatefulSets == nil {
		return incident.Prepared{}, refuse("The bundle holds neither deployments.json nor statefulsets.json, so there is nothing to show a change on.")
	}
	config := &rest.Config{Host: "http://bundle", Transport: transport{r.Bundle}, QPS: -1}
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return incident.Prepared{}, fmt.Errorf("open the bundle: %w", err)
	}
	nobodyAsked := func(context.Context, evidence.Target, []incident.Write) ([]string, error) { return nil, nil }
	prepared, err := (&Cluster{Clients: clients, REST: config, Now: r.Now}).prepare(ctx, wanted, nobodyAsked)
	if err != nil {
		return incident.Prepared{}, err
	}
	for i := range prepared.Writes {
		prepared.Writes[i].DryRun = incident.DryRunNotAsked
	}
	return prepared, nil
}

// Unchanged refuses.
func (Recorded) Unchanged(context.Context, evidence.Target, []incident.Write) error {
	return errRecorded
}

// Apply refuses.
func (Recorded) Apply(context.Context, evidence.Target, incident.Write, incident.Actor) (string, error) {
	return "", errRecorded
}

// Settle refuses.
func (Recorded) Settle(context.Context, evidence.Target, incident.Write, func(string)) ([]string, error) {
	return nil, errRecorded
}

// Arrived refuses.
func (Recorded) Arrived(context.Context, evidence.Target, incident.Write) (bool, string, error) {
	return false, "", errRecorded
}

// transport answers the reads of a client from a bundle, and refuses the rest.
// It gives no Secret: what a bundle holds of one is no value.
type transport struct{ bundle evidence.Bundle }

// RoundTrip answers one request.
func (t transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodGet {
		return answer(http.StatusMethodNotAllowed, failure(http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed, "a recorded bundle cannot be written"))
	}
	words := strings.Split(strings.Trim(request.URL.Path, "/"), "/")
	kind, name := words[len(words)-1], ""
	list, known := t.list(kind)
	if !known && len(words) > 1 {
		kind, name = words[len(words)-2], words[len(words)-1]
		list, known = t.list(kind)
	}
	if !known {
		return notFound(request)
	}
	if name != "" {
		for _, object := range list.items {
			if object.GetName() == name {
				return answer(http.StatusOK, object)
			}
		}
		return notFound(request)
	}
	selector, err := labels.Parse(request.URL.Query().Get("labelSelector"))
	if err != nil {
		return answer(http.StatusBadRequest, failure(http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error()))
	}
	found := []object{}
	for _, one := range list.items {
		if selector.Matches(labels.Set(one.GetLabels())) {
			found = append(found, one)
		}
	}
	return answer(http.StatusOK, map[string]any{"kind": list.kind.Kind + "List", "apiVersion": list.kind.GroupVersion().String(), "metadata": map[string]any{}, "items": found})
}

type object interface {
	runtime.Object
	metav1.Object
}

// recordedList is what a bundle holds of one kind.
type recordedList struct {
	kind  schema.GroupVersionKind
	items []object
}

// list finds the objects of a resource; false for one that is not recorded.
func (t transport) list(resource string) (recordedList, bool) {
	apps := func(kind string) schema.GroupVersionKind { return appsv1.SchemeGroupVersion.WithKind(kind) }
	core := func(kind string) schema.GroupVersionKind { return corev1.SchemeGroupVersion.WithKind(kind) }
	b := t.bundle
	switch {
	case resource == "deployments" && b.Deployments != nil:
		return listOf(apps("Deployment"), b.Deployments.Items, func(o *appsv1.Deployment) object { return o }), true
	case resource == "statefulsets" && b.StatefulSets != nil:
		return listOf(apps("StatefulSet"), b.StatefulSets.Items, func(o *appsv1.StatefulSet) object { return o }), true
	case resource == "replicasets" && b.ReplicaSets != nil:
		return listOf(apps("ReplicaSet"), b.ReplicaSets.Items, func(o *appsv1.ReplicaSet) object { return o }), true
	case resource == "controllerrevisions" && b.Revisions != nil:
		return listOf(apps("ControllerRevision"), b.Revisions.Items, func(o *appsv1.ControllerRevision) object { return o }), true
	case resource == "configmaps" && b.ConfigMaps != nil:
		return listOf(core("ConfigMap"), b.ConfigMaps.Items, func(o *corev1.ConfigMap) object { return o }), true
	case resource == "pods" && b.Pods != nil:
		return listOf(core("Pod"), b.Pods.Items, func(o *corev1.Pod) object { return o }), true
	}
	return recordedList{}, false
}

func listOf[T any](kind schema.GroupVersionKind, items []T, as func(*T) object) recordedList {
	list := recordedList{kind: kind}
	for i := range items {
		one := as(&items[i]).DeepCopyObject().(object) // the bundle itself stays as it was read
		one.GetObjectKind().SetGroupVersionKind(kind)
		list.items = append(list.items, one)
	}
	return list
}

func notFound(request *http.Request) (*http.Response, error) {
	return answer(http.StatusNotFound, failure(http.StatusNotFound, metav1.StatusReasonNotFound, path.Base(request.URL.Path)+" is not in the bundle"))
}

func failure(code int32, reason metav1.StatusReason, says string) *metav1.Status {
	return &metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: code, Reason: reason, Message: says}
}

func answer(code int, body any) (*http.Response, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: code, Status: http.StatusText(code), ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(data)), ContentLength: int64(len(data))}, nil
}
