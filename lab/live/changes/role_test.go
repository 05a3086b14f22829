package changes

import (
	"fmt"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/k8s"
	"redis-session-bot/lab/live"
)

// grant is one permission.
type grant struct {
	verb     string
	resource string // with its group and subresource: deployments.apps, pods/portforward
	name     string // "" for all
}

func (g grant) parts() (group, resource, subresource string) {
	resource, subresource, _ = strings.Cut(g.resource, "/")
	gr := schema.ParseGroupResource(resource)
	return gr.Group, gr.Resource, subresource
}

// rule is how the bot says what to add: on a line of YAML.
func (g grant) rule() string {
	group, resource, subresource := g.parts()
	if subresource != "" {
		resource += "/" + subresource
	}
	return fmt.Sprintf("{apiGroups: [%q], resources: [%s], verbs: [%s]", group, resource, g.verb)
}

// grants are the roles for all rows.
func (w *ward) grants() []runtime.Object {
	w.T.Helper()
	book, err := document(w, w.rows)
	w.must(err)
	manifests, err := k8s.RBAC(book, []evidence.Target{w.target}, k8s.Account{Namespace: w.Namespace, Name: live.Account}, k8s.Extra{})
	w.must(err)
	return w.Manifests(manifests)
}

// grant lets the bot do what the rows need.
func (w *ward) grant() {
	w.T.Helper()
	w.Grant(w.grants())
	for _, r := range w.rows {
		w.agreed(r.lacks, true)
	}
}

// without lets the bot do all of that but one thing.
func (w *ward) without(lacks grant) {
	w.T.Helper()
	all, taken := w.grants(), 0
	for _, object := range all {
		if role, ok := object.(*rbacv1.Role); ok {
			taken += lacks.takeFrom(role.Rules)
		}
	}
	if taken == 0 {
		w.T.Fatalf("the Role never grants to %s %s", lacks.verb, lacks.resource)
	}
	w.Grant(all)
	w.agreed(lacks, false)
}

// takeFrom takes the permission out of the rules that give it.
func (g grant) takeFrom(rules []rbacv1.PolicyRule) (taken int) {
	group, resource, subresource := g.parts()
	if subresource != "" {
		resource += "/" + subresource
	}
	for i := range rules {
		rule := &rules[i]
		named := len(rule.ResourceNames) == 0 || slices.Contains(rule.ResourceNames, g.name)
		if !named || !slices.Contains(rule.APIGroups, group) || !slices.Contains(rule.Resources, resource) || !slices.Contains(rule.Verbs, g.verb) {
			continue
		}
		taken++
		if rule.Verbs = slices.DeleteFunc(slices.Clone(rule.Verbs), func(verb string) bool { return verb == g.verb }); len(rule.Verbs) == 0 {
			rule.Verbs = []string{"none"} // a rule without a verb is refused
		}
	}
	return taken
}

// agreed waits until the API server agrees on what the bot may do.
func (w *ward) agreed(g grant, allowed bool) {
	w.T.Helper()
	group, resource, subresource := g.parts()
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
		Namespace: w.Namespace, Verb: g.verb, Group: group, Resource: resource, Subresource: subresource, Name: g.name}}}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) { // there is no event to wait for
		got, err := w.cluster.Clients.AuthorizationV1().SelfSubjectAccessReviews().Create(w.T.Context(), review, metav1.CreateOptions{})
		w.must(err)
		if got.Status.Allowed == allowed {
			return
		}
		if time.Now().After(deadline) {
			w.T.Fatalf("the API server does not take over whether the bot may %s %s", g.verb, g.resource)
		}
	}
}
