package k8s

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
)

var storeTarget = evidence.Target{Namespace: "ns", Workload: "store", Container: "redis", App: "app"}

// specWith is a pod of one container that mounts a claim; "" for none.
func specWith(claim string, containers ...string) corev1.PodSpec {
	var spec corev1.PodSpec
	for _, name := range containers {
		spec.Containers = append(spec.Containers, corev1.Container{Name: name, Image: name})
	}
	if claim != "" {
		spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim}}}}
		spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
	}
	return spec
}

func deploymentOf(name string, pod corev1.PodSpec) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns", UID: "u-1"}}
	d.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	d.Spec.Template = corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod}
	return d
}

func setOf(pod corev1.PodSpec) *appsv1.StatefulSet {
	labels := map[string]string{"app": "store"}
	set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "store", Namespace: "ns"}}
	set.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
	set.Spec.Template = corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod}
	set.Spec.VolumeClaimTemplates = []corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "data"}}}
	set.Spec.Template.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
	return set
}

func barePod(name string, ready bool, spec corev1.PodSpec, labels map[string]string) *corev1.Pod {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns", UID: "p-1", Labels: labels}, Spec: spec,
		Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: status}}}}
}

// TestTheDuplicateGoesAndNeverTheData: who else listens is stopped; the
// application, the store and whoever has the store's files are not.
func TestTheDuplicateGoesAndNeverTheData(t *testing.T) {
	store := deploymentOf("store", specWith("redis-data", "redis"))
	for name, test := range map[string]struct {
		objects []runtime.Object
		kind    string
		args    string
		refused string
		title   string // of the first write
	}{
		"an owner": {[]runtime.Object{store, deploymentOf("copy", specWith("", "redis"))}, changeReplicas, `{"workload":"copy","replicas":0}`, "", "scale deployment/copy 1 → 0"},
		"the application": {[]runtime.Object{store, deploymentOf("app", specWith("", "app"))}, changeReplicas, `{"workload":"app","replicas":0}`,
			"deployment/app is the application itself", ""},
		"who has the data": {[]runtime.Object{store, deploymentOf("copy", specWith("redis-data", "redis"))}, changeReplicas, `{"workload":"copy","replicas":0}`,
			"deployment/copy mounts the claim redis-data, which holds the sessions", ""},
		"who has the data of a set": {[]runtime.Object{setOf(specWith("", "redis")), deploymentOf("copy", specWith("data-store-0", "redis"))}, changeReplicas, `{"workload":"copy","replicas":0}`,
			"mounts the claim data-store-0", ""},
		"more of who has the data": {[]runtime.Object{store, deploymentOf("copy", specWith("redis-data", "redis"))}, changeReplicas, `{"workload":"copy","replicas":2}`, "", "scale deployment/copy 1 → 2"},
		"a bare pod": {[]runtime.Object{store, barePod("copy", true, specWith("", "redis"), nil)}, changePods, `{"pods":[{"name":"copy","uid":"p-1"}]}`, "",
			"delete pod copy: nothing brings it back"},
		"a bare pod with the data": {[]runtime.Object{store, barePod("copy", false, specWith("redis-data", "redis"), nil)}, changePods, `{"pods":[{"name":"copy","uid":"p-1"}]}`,
			"Pod copy mounts the claim redis-data", ""},
		"the pod that serves": {[]runtime.Object{store, barePod("store-1", true, specWith("redis-data", "redis"), map[string]string{"app": "store"})}, changePods, `{"pods":[{"name":"store-1","uid":"p-1"}]}`,
			"Pod store-1 serves the sessions now", ""},
		"another pod of that name": {[]runtime.Object{store, barePod("copy", true, specWith("", "redis"), nil)}, changePods, `{"pods":[{"name":"copy","uid":"p-0"}]}`, "another one has its name", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := &Cluster{Clients: fake.NewSimpleClientset(test.objects...), Now: time.Now}
			prepared, err := c.prepare(t.Context(), incident.Wanted{Target: storeTarget, Changes: []runbook.Change{{Kind: test.kind, Args: json.RawMessage(test.args)}}, Name: "inc-1-1"}, anything)
			if test.refused != "" {
				if err == nil || !strings.Contains(err.Error(), test.refused) {
					t.Fatalf("want %q, got %v", test.refused, err)
				}
				return
			}
			if err != nil || len(prepared.Writes) == 0 || prepared.Writes[0].Title != test.title {
				t.Fatalf("%+v, %v", prepared.Writes, err)
			}
			if write := prepared.Writes[0]; write.Await == incident.Rollout {
				t.Errorf("the pods of somebody else are waited for: %+v", write)
			}
		})
	}
}

func anything(context.Context, evidence.Target, []incident.Write) ([]string, error) { return nil, nil }

// TestAContainerIsTakenOut and comes back from the history.
func TestAContainerIsTakenOut(t *testing.T) {
	withData := specWith("redis-data", "redis", "cache")
	withData.Containers[1].VolumeMounts = withData.Containers[0].VolumeMounts
	for name, test := range map[string]struct {
		pod       corev1.PodSpec
		container string
		refused   string
	}{
		"a second server":      {specWith("redis-data", "redis", "cache"), "cache", ""},
		"the store":            {specWith("redis-data", "redis", "cache"), "redis", "is the store itself"},
		"one that is not":      {specWith("redis-data", "redis", "cache"), "cash", "no container cash"},
		"one with the files":   {withData, "cache", "mounts data, which holds the store's files"},
		"the only one of them": {specWith("redis-data", "server"), "server", "is the store itself"},
	} {
		t.Run(name, func(t *testing.T) {
			deployment := deploymentOf("store", test.pod)
			set := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: "store-1", Namespace: "ns", Labels: map[string]string{"app": "store"},
				Annotations:     map[string]string{"deployment.kubernetes.io/revision": "1"},
				OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(deployment, appsv1.SchemeGroupVersion.WithKind("Deployment"))}}}
			set.Spec.Template = *deployment.Spec.Template.DeepCopy()
			c := &Cluster{Clients: fake.NewSimpleClientset(deployment, set), Now: time.Now}
			want := deployment.DeepCopy()
			e, err := dropContainer(t.Context(), c, storeTarget, want, json.RawMessage(`{"container":"`+test.container+`"}`))
			if test.refused != "" {
				if err == nil || !strings.Contains(err.Error(), test.refused) {
					t.Fatalf("want %q, got %v", test.refused, err)
				}
				return
			}
			if err != nil || len(want.Spec.Template.Spec.Containers) != 1 || e.title != "take the container cache out of deployment/store" {
				t.Fatalf("%+v, %v", e, err)
			}
			if len(e.undo) != 1 || e.undo[0].Kind != changeRollBack {
				t.Fatalf("the way back: %+v", e)
			}
			if _, err := editRollBack(t.Context(), c, storeTarget, want, e.undo[0].Args); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(deployment.Spec, want.Spec); diff != "" {
				t.Errorf("after the way back:\n%s", diff)
			}
		})
	}
}

// TestAPodThatServesByNow is not deleted any more; a duplicate that is ready is.
func TestAPodThatServesByNow(t *testing.T) {
	store := deploymentOf("store", specWith("redis-data", "redis"))
	c := &Cluster{Clients: fake.NewSimpleClientset(store,
		barePod("store-1", true, specWith("redis-data", "redis"), map[string]string{"app": "store"}),
		barePod("copy", true, specWith("", "redis"), nil)), Now: time.Now}
	for name, says := range map[string]string{"store-1": "pod store-1 has become ready since this plan was made", "copy": ""} {
		err := c.stillBroken(t.Context(), storeTarget, incident.Write{Object: incident.Object{Name: name}, Base: "p-1"})
		if got := fmt.Sprint(err); says == "" && err != nil || !strings.Contains(got, says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSavePointsThatAreGone: a command that somebody was quicker with is not sent.
func TestSavePointsThatAreGone(t *testing.T) {
	spare := spareChange()
	for points, want := range map[string]standing{
		"3600 1 300 100": {},
		"":               {there: true, changed: "store-1 has no save points any more"},
	} {
		got, err := spare.stands("store-1", evidence.Redis{}, map[string]string{savePoints: points}, nil)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v", points, got, err)
		}
	}
	if !slices.Contains(spare.settings, savePoints) {
		t.Errorf("it asks for %q", spare.settings)
	}
}
