package evidence_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
)

// TestARevisionSaysWhatItChangedAndHowItDiffers: what it changed of the one
// before it, and what going back to it would change of the present one.
func TestARevisionSaysWhatItChangedAndHowItDiffers(t *testing.T) {
	yes := true
	set := func(number, image string, limits ...string) appsv1.ReplicaSet {
		s := appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: "store-" + number, Annotations: map[string]string{evidence.RevisionAnnotation: number},
			OwnerReferences: []metav1.OwnerReference{{Kind: "Deployment", Name: "store", Controller: &yes}}}}
		s.Spec.Template.Spec.Containers = []corev1.Container{{Name: "redis", Image: image, Args: limits}}
		return s
	}
	bundle := evidence.Bundle{Meta: evidence.Meta{At: time.Unix(1, 0)},
		Deployments: &appsv1.DeploymentList{Items: []appsv1.Deployment{{ObjectMeta: metav1.ObjectMeta{Name: "store", Namespace: "ns"}}}},
		ReplicaSets: &appsv1.ReplicaSetList{Items: []appsv1.ReplicaSet{set("1", "redis:6"), set("3", "redis:7"), set("2", "redis:6", "--hz 10")}}}
	type said struct{ changes, differs []string }
	got := map[int64]said{}
	for _, r := range evidence.Read(bundle, evidence.Target{Namespace: "ns", Workload: "store"}).Revisions {
		got[r.Number] = said{r.Changes, r.Differs}
	}
	want := map[int64]said{
		3: {changes: []string{"image redis:6 → redis:7", `args of redis ["--hz 10"] → null`}},
		2: {changes: []string{`args of redis null → ["--hz 10"]`}, differs: []string{"image redis:7 → redis:6", `args of redis null → ["--hz 10"]`}},
		1: {differs: []string{"image redis:7 → redis:6"}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(said{})); diff != "" {
		t.Error(diff)
	}
}
