package k8s

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

// without is a cluster in which the bot may do everything but these: "update deployments".
func without(denied ...string) *Cluster {
	clients := fake.NewSimpleClientset()
	clients.PrependReactor("create", "selfsubjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview).DeepCopy()
		asked := review.Spec.ResourceAttributes
		resource := asked.Resource
		if asked.Subresource != "" {
			resource += "/" + asked.Subresource
		}
		review.Status.Allowed = !slices.Contains(denied, asked.Verb+" "+resource)
		return true, review, nil
	})
	return &Cluster{Clients: clients, Now: time.Now}
}

// TestMayWrite: what a plan cannot do without is refused, with the rules to
// add; what it can is a warning.
func TestMayWrite(t *testing.T) {
	target := evidence.Target{Namespace: "ns", Workload: "redis-session"}
	writes := []incident.Write{
		{Verb: incident.Update, Object: incident.Object{Kind: "ConfigMap", Name: "conf"}},
		{Verb: incident.Update, Object: incident.Object{Kind: "Deployment", Name: "redis-session"}, Await: incident.Rollout, Awaited: incident.Object{Kind: "Deployment", Name: "redis-session"}},
	}
	for name, test := range map[string]struct {
		denied  []string
		refused []string // parts of the refusal; none: not refused
		warned  string
	}{
		"everything": {},
		"no update": {denied: []string{"update configmaps"}, refused: []string{
			"The bot may not update configmaps conf.", `Add to its Role in ns: {apiGroups: [""], resources: [configmaps], verbs: [update], resourceNames: [conf]}`}},
		"two missing": {denied: []string{"update deployments", "list pods"}, refused: []string{
			"update deployments.apps redis-session, list pods", `{apiGroups: ["apps"], resources: [deployments], verbs: [update], resourceNames: [redis-session]} and {apiGroups: [""], resources: [pods], verbs: [list]}`}},
		"no events": {denied: []string{"create events"}, warned: `the bot may not create events. Add to its Role in ns: {apiGroups: [""], resources: [events], verbs: [create]}`},
	} {
		t.Run(name, func(t *testing.T) {
			warnings, err := without(test.denied...).mayWrite(t.Context(), target, writes)
			var refusal *incident.Refusal
			if errors.As(err, &refusal) != (len(test.refused) > 0) || refusal == nil && err != nil {
				t.Fatalf("got %v", err)
			}
			for _, part := range test.refused {
				if !strings.Contains(refusal.Says, part) {
					t.Errorf("%q is not in: %s", part, refusal.Says)
				}
			}
			if got := strings.Join(warnings, "\n"); !strings.Contains(got, test.warned) || (test.warned == "") != (got == "") {
				t.Errorf("warned: %q", got)
			}
		})
	}
}

// TestAnnounce: the Event stands on the object that was changed and names the
// person; a refused one says what to add.
func TestAnnounce(t *testing.T) {
	cluster := without()
	target := evidence.Target{Namespace: "ns"}
	object := incident.Object{Kind: "Deployment", Name: "redis-session", UID: "u-1"}
	if err := cluster.Announce(t.Context(), target, object, "Ada (U1) by plan 3 of INC-7: "+strings.Repeat("é", maxEvent)); err != nil {
		t.Fatal(err)
	}
	events, err := cluster.Clients.CoreV1().Events("ns").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(events.Items) != 1 {
		t.Fatalf("%v, %v", events, err)
	}
	got := events.Items[0]
	want := corev1.ObjectReference{Kind: "Deployment", APIVersion: "apps/v1", Namespace: "ns", Name: "redis-session", UID: "u-1"}
	if got.InvolvedObject != want || got.Reason != reasonChanged || !strings.HasPrefix(got.Message, "Ada (U1) by plan 3 of INC-7: é") || !strings.HasSuffix(got.Message, "é…") || len(got.Message) > maxEvent {
		t.Errorf("%+v", got)
	}
	clients := fake.NewSimpleClientset()
	clients.PrependReactor("create", "events", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "events"}, "", errors.New(`User "bot" cannot create resource "events" in API group "" in the namespace "ns"`))
	})
	err = (&Cluster{Clients: clients, Now: time.Now}).Announce(t.Context(), target, object, "x")
	if err == nil || !strings.Contains(err.Error(), "the bot may not create events: add to its Role") {
		t.Errorf("got %v", err)
	}
}
