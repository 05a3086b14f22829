// Package role tries the Role that `bot rbac` prints, rule by rule. That the
// bot needs no more than it, every other live test shows: there it acts with
// exactly that.
package role

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"redis-session-bot/lab/faults"
	"redis-session-bot/lab/live"
	"redis-session-bot/lab/workload"
)

// grant is one verb of one rule.
type grant struct {
	role, group, resource, verb string
	names                       []string
}

// says is how the bot says that it lacks the grant.
func (g grant) says() string {
	resource, subresource, nested := strings.Cut(g.resource, "/")
	full := schema.GroupResource{Group: g.group, Resource: resource}.String()
	if nested {
		full += "/" + subresource
	}
	return g.verb + " " + full
}

// spared are grants that the bot does without: a stream to a pod begins over
// SPDY then, which takes one request more.
var spared = []string{"get pods/exec", "get pods/portforward"}

// ward is a store in a state of its own, and the fixes that are proposed there.
type ward struct {
	*live.Patient
	plans     [][]string
	manifests []runtime.Object
	as        kubernetes.Interface
}

func admit(t *testing.T, name, shape, fault string, plans ...[]string) *ward {
	t.Helper()
	p := live.Admit(t, "role-"+name, shape, "")
	if fault != "" {
		if err := faults.Break(t.Context(), faults.Options{Kubeconfig: p.Admin, Namespace: p.Namespace}, fault); err != nil {
			t.Fatal(err)
		}
	}
	config, err := clientcmd.BuildConfigFromFlags("", p.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	as, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return &ward{Patient: p, plans: plans, manifests: p.Grants(), as: as}
}

// say runs the bot and gives all that it says.
func (w *ward) say(args []string) string {
	w.T.Helper()
	command := exec.CommandContext(w.T.Context(), w.Bot, append(slices.Clone(args), "-n", w.Namespace)...)
	command.Env, command.Dir = append(os.Environ(), "KUBECONFIG="+w.Kubeconfig), w.T.TempDir()
	output, err := command.CombinedOutput()
	if command.ProcessState == nil {
		w.T.Fatalf("bot %s: %v", strings.Join(args, " "), err)
	}
	return string(output) // an exit code other than 0 is a finding, which the store has anyway
}

// misses reports whether the bot says somewhere what it may not do. What it
// writes it asks about when it makes a plan, and what it reads it mostly needs for
// a diagnosis, for an audit or for manifests.
func (w *ward) misses(g grant) (said string, missed bool) {
	w.T.Helper()
	if !w.without(g) {
		return "", false
	}
	defer w.Grant(w.manifests)
	asks := w.plans
	if g.verb == "get" || g.verb == "list" || strings.Contains(g.resource, "/") {
		asks = append([][]string{{"diagnose"}, {"audit"}, {"ha"}}, asks...)
	}
	for _, ask := range asks {
		output := strings.Join(strings.Fields(w.say(ask)), " ")
		if strings.Contains(output, "may not") && strings.Contains(output, g.says()) {
			return output, true
		}
		said += output + "\n"
	}
	return said, false
}

// without takes one grant away and waits until the API server knows; false
// where the Role of this store has no such rule.
func (w *ward) without(lost grant) bool {
	w.T.Helper()
	var rest []runtime.Object
	found := false
	for _, object := range w.manifests {
		object = object.DeepCopyObject()
		role, rules := rulesIn(object)
		for i, rule := range rules {
			if role == lost.role && rule.APIGroups[0] == lost.group && rule.Resources[0] == lost.resource && slices.Equal(rule.ResourceNames, lost.names) {
				rules[i].Verbs = slices.DeleteFunc(slices.Clone(rule.Verbs), func(verb string) bool { return verb == lost.verb })
				found = found || len(rules[i].Verbs) < len(rule.Verbs)
				if len(rules[i].Verbs) == 0 {
					rules[i].Verbs = []string{"none"} // a rule without a verb is refused
				}
			}
		}
		rest = append(rest, object)
	}
	if !found {
		return false
	}
	w.Grant(rest)
	resource, subresource, _ := strings.Cut(lost.resource, "/")
	asked := authorizationv1.ResourceAttributes{Group: lost.group, Resource: resource, Subresource: subresource, Verb: lost.verb}
	if lost.role == "Role" {
		asked.Namespace = w.Namespace
	}
	if len(lost.names) > 0 {
		asked.Name = lost.names[0]
	}
	err := wait.PollUntilContextTimeout(w.T.Context(), 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		review, err := w.as.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx,
			&authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &asked}}, metav1.CreateOptions{})
		return err == nil && !review.Status.Allowed, err
	})
	if err != nil {
		w.T.Fatalf("take %s away: %v", lost.says(), err)
	}
	return true
}

func rulesIn(object runtime.Object) (string, []rbacv1.PolicyRule) {
	switch o := object.(type) {
	case *rbacv1.Role:
		return "Role", o.Rules
	case *rbacv1.ClusterRole:
		return "ClusterRole", o.Rules
	}
	return "", nil
}

// TestNoRuleIsTooMany takes each verb of each rule away, one after another: the
// bot says which it lacks.
func TestNoRuleIsTooMany(t *testing.T) {
	plan := func(fix string) []string { return []string{"fix", fix, "--dry-run"} }
	// Those come first where an answer is quick: a pod that waits for a claim is waited for.
	wards := []*ward{
		admit(t, "service", workload.Deployment, "service-mismatch", plan("service-mismatch")),
		admit(t, "alarm", workload.Deployment, "false-alarm"),
		admit(t, "admission", workload.Deployment, "admission/limitrange"),
		admit(t, "config", workload.StatefulSet, "config-error", plan("config-error"), plan("auth-failure/rotate"), plan("corrupt-aof/start-empty")),
		admit(t, "claim", workload.Deployment, "volume/pending", plan("volume"), plan("out-of-memory"), []string{"fallback", "--dry-run"}),
	}
	tried := 0
	for _, object := range wards[0].manifests {
		role, rules := rulesIn(object)
		for _, rule := range rules {
			for _, verb := range rule.Verbs {
				g := grant{role, rule.APIGroups[0], rule.Resources[0], verb, rule.ResourceNames}
				tried++
				t.Run(g.says(), func(t *testing.T) { tryWithout(t, g, wards) })
			}
		}
	}
	if tried < 20 {
		t.Errorf("only %d grants were tried: the Role is not read rightly", tried)
	}
}

// tryWithout takes one grant away from one store after another, until one misses it.
func tryWithout(t *testing.T, g grant, wards []*ward) {
	var said []string
	missed := false
	for _, w := range wards {
		output, ok := w.misses(g)
		if missed = missed || ok; missed {
			break
		}
		said = append(said, output)
	}
	switch free := slices.Contains(spared, g.says()); {
	case !missed && !free:
		t.Errorf("nothing misses %s %v:\n%s", g.says(), g.names, strings.Join(said, "\n"))
	case missed && free:
		t.Errorf("%s is missed, though another way was to be taken", g.says())
	}
}
