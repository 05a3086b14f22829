package k8s

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// TestWhatARevisionNeeds finds every way that a pod names a ConfigMap or a
// Secret, and leaves out what it can do without.
func TestWhatARevisionNeeds(t *testing.T) {
	yes := true
	ref := func(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }
	pod := &corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		Volumes: []corev1.Volume{
			{VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: ref("conf")}}},
			{VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "tls"}}},
			{VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "maybe", Optional: &yes}}},
			{VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
				{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: ref("users")}}, {Secret: &corev1.SecretProjection{LocalObjectReference: ref("keys")}}}}}},
		},
		InitContainers: []corev1.Container{{EnvFrom: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: ref("env")}}, {SecretRef: &corev1.SecretEnvSource{LocalObjectReference: ref("secrets")}}}}},
		Containers: []corev1.Container{{Env: []corev1.EnvVar{
			{Name: "A", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: ref("secrets")}}},
			{Name: "B", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: ref("conf")}}},
			{Name: "C", Value: "c"}}}},
	}}
	want := []objectName{{kindConfigMap, "conf"}, {kindSecret, "tls"}, {kindConfigMap, "users"}, {kindSecret, "keys"}, {kindConfigMap, "env"}, {kindSecret, "secrets"}}
	if got := neededBy(pod); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestWhatHasChangedSinceARevision: a rollback brings back no ConfigMap, so
// one that was written after the revision, or is gone, is told before.
func TestWhatHasChangedSinceARevision(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	at := func(ago time.Duration) metav1.Time { return metav1.NewTime(now.Add(-ago)) }
	written := func(name string, ago time.Duration, manager, fields string) *corev1.ConfigMap {
		time := at(ago)
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns", CreationTimestamp: at(90 * 24 * 3600e9),
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: manager, Time: &time, FieldsV1: metav1.NewFieldsV1(fields)}}}}
	}
	clients := fake.NewSimpleClientset(
		written("old", 72*time.Hour, "kubectl", `{"f:data":{}}`),
		written("new", 3*time.Hour, "kubectl-edit", `{"f:data":{"f:redis.conf":{}}}`),
		written("labelled", time.Hour, "kubectl-label", `{"f:metadata":{}}`))
	clients.PrependReactor("get", "secrets", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "tls", errors.New(`User "bot" cannot get resource "secrets" in API group "" in the namespace "ns"`))
	})
	pod := &corev1.PodTemplateSpec{}
	for _, name := range []string{"old", "new", "labelled", "gone"} {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}}})
	}
	pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "tls"}}})
	c := &Cluster{Clients: clients, Now: func() time.Time { return now }}
	got := c.changedSince(t.Context(), "ns", pod, 4, now.Add(-24*time.Hour))
	want := []string{
		"the ConfigMap new was changed by kubectl-edit 3 h ago, after revision 4 was made: the rollback does not bring it back",
		"revision 4 needs the ConfigMap gone, which is not there: its pods cannot start",
		`whether the Secret tls has changed since revision 4 is not known: the bot may not get secrets: add to its Role {apiGroups: [""], resources: [secrets], verbs: [get]}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
