package k8s

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/standby"
)

// TestBlueprintIsNoSecret: a store with canaries all over gives manifests with
// none, and what could not be read stands in their notes.
func TestBlueprintIsNoSecret(t *testing.T) {
	now := time.Now()
	server := namespace(now)
	server.objects["/apis/networking.k8s.io/v1/namespaces/ns/networkpolicies"] = networkingv1.NetworkPolicyList{Items: []networkingv1.NetworkPolicy{
		{ObjectMeta: metav1.ObjectMeta{Name: "from-agent"}, Spec: networkingv1.NetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "redis-session"}}}},
		{ObjectMeta: metav1.ObjectMeta{Name: "of-others"}, Spec: networkingv1.NetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "agent"}}}}}}
	server.objects["/api/v1/nodes"] = corev1.NodeList{Items: []corev1.Node{readyNode("a", false), readyNode("b", true), {ObjectMeta: metav1.ObjectMeta{Name: "c"}}}}
	cluster := server.cluster(t, now)
	cluster.Prober = deaf{}
	store, err := cluster.Blueprint(t.Context(), testTarget)
	if err != nil {
		t.Fatal(err)
	}
	if store.Nodes != 1 || len(store.Policies) != 1 || store.Policies[0].Name != "from-agent" || !slices.Equal(store.Selected, []string{"app"}) {
		t.Errorf("%d nodes, policies %v, selected by %v", store.Nodes, store.Policies, store.Selected)
	}
	wholly, err := json.Marshal(store)
	if err != nil {
		t.Fatal(err)
	}
	made, err := standby.Make(store)
	if err != nil {
		t.Fatal(err)
	}
	text, err := made.YAML()
	if err != nil {
		t.Fatal(err)
	}
	for _, canary := range []string{canarySecret, canaryConf, canaryEnv, canaryArg, canaryLog} {
		if strings.Contains(string(text)+string(wholly), canary) {
			t.Errorf("%s is in\n%s\n%s", canary, wholly, text)
		}
	}
	if !strings.Contains(strings.Join(made.Notes, "\n"), "The running server was not asked") {
		t.Errorf("notes: %q", made.Notes)
	}
}

func readyNode(name string, cordoned bool) corev1.Node {
	return corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.NodeSpec{Unschedulable: cordoned},
		Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}}}
}

// TestDryRun: each object is asked about as a dry run, and each answer has its place.
func TestDryRun(t *testing.T) {
	server := namespace(time.Now())
	cluster := server.cluster(t, time.Now())
	cluster.Prober = deaf{}
	store, err := cluster.Blueprint(t.Context(), testTarget)
	if err != nil {
		t.Fatal(err)
	}
	made, err := standby.Make(store)
	if err != nil {
		t.Fatal(err)
	}
	server.asked = nil
	answers := map[string]int{"configmaps": http.StatusCreated, "services": http.StatusConflict, "poddisruptionbudgets": http.StatusForbidden, "statefulsets": http.StatusUnprocessableEntity}
	server.create = func(w http.ResponseWriter, r *http.Request) {
		resource := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		switch code := answers[resource]; code {
		case http.StatusConflict:
			status(w, code, metav1.StatusReasonAlreadyExists, "it is there")
		case http.StatusForbidden:
			status(w, code, metav1.StatusReasonForbidden, `poddisruptionbudgets.policy is forbidden: User "bot" cannot create resource "poddisruptionbudgets" in API group "policy" in the namespace "ns"`)
		case http.StatusUnprocessableEntity:
			status(w, code, metav1.StatusReasonInvalid, "spec is wrong")
		default:
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			_, _ = w.Write([]byte(`{"kind":"ConfigMap","apiVersion":"v1"}`))
		}
	}
	want := standby.Tried{Accepted: []string{"ConfigMap/redis-session-ha-config"}, There: []string{"Service/redis-session-ha"}, Refused: []string{"StatefulSet/redis-session-ha: spec is wrong"},
		Missing: `The bot may not create poddisruptionbudgets.policy. Add to its Role in ns: {apiGroups: ["policy"], resources: [poddisruptionbudgets], verbs: [create]}.`}
	if diff := cmp.Diff(want, cluster.DryRun(t.Context(), testTarget, made.Objects)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	for _, asked := range server.asked {
		if !strings.HasPrefix(asked, "GET ") && !strings.Contains(asked, "dryRun=All") {
			t.Errorf("not a dry run: %s", asked)
		}
	}
}
