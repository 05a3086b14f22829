package k8s

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

// permission is one verb on one resource: what one rule of a Role can grant.
type permission struct {
	verb     string
	resource string // as kubectl writes it, with its group and subresource: deployments.apps, pods/log
	name     string // of the one object; "" for all
	cluster  bool   // the resource belongs to no namespace
}

// asksAtOnce bounds how many questions about permissions are open.
const asksAtOnce = 8

// allow are the permissions of these verbs, which are parted by spaces.
func allow(verbs, resource string, names ...string) []permission {
	if len(names) == 0 {
		names = []string{""}
	}
	var all []permission
	for _, verb := range strings.Fields(verbs) {
		for _, name := range names {
			all = append(all, permission{verb: verb, resource: resource, name: name})
		}
	}
	return all
}

// resourceOf is the resource of a kind that a change can be about.
func resourceOf(kind string) string {
	switch kind {
	case evidence.KindDeployment:
		return "deployments.apps"
	case evidence.KindStatefulSet:
		return "statefulsets.apps"
	}
	return strings.ToLower(kind) + "s"
}

// permissionsOf is what a write, and the waiting for what comes of it, asks of
// the API server.
func permissionsOf(write incident.Write) []permission {
	var all []permission
	resource, name := resourceOf(write.Object.Kind), write.Object.Name
	switch write.Verb {
	case incident.Update:
		all = allow("get update", resource, name)
	case incident.Delete:
		all = allow("get delete", resource, name)
	case incident.Create:
		all = allow("create", resource)
	case incident.Command:
		all = slices.Concat(allow("get", "pods"), allow("create", "pods/portforward"))
	}
	switch write.Await {
	case incident.Rollout, incident.Gone:
		all = slices.Concat(all, allow("get", resourceOf(write.Awaited.Kind), write.Awaited.Name), allow("list", "pods"))
	case incident.Job:
		all = slices.Concat(all, allow("get delete", "pods"), allow("get", "pods/log"))
	}
	return all
}

// mayWrite asks the API server whether the bot may do what the writes need:
// one refusal names everything that it may not, and the rules to add. What a
// plan can do without is a warning.
func (c *Cluster) mayWrite(ctx context.Context, target evidence.Target, writes []incident.Write) (warnings []string, err error) {
	all := announces()
	for _, write := range writes {
		for _, one := range permissionsOf(write) {
			if !slices.Contains(all, one) {
				all = append(all, one)
			}
		}
	}
	denied := make([]bool, len(all))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(asksAtOnce)
	for i, one := range all {
		group.Go(func() error {
			allowed, err := c.may(ctx, target, one)
			denied[i] = !allowed
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("ask what the bot may do: %w", err)
	}
	var missing []permission
	for i, one := range all {
		switch {
		case denied[i] && slices.Contains(announces(), one):
			warnings = append(warnings, fmt.Sprintf("no Event in the cluster will tell who made this change: the bot may not %s. Add to its Role in %s: %s",
				lackingWords([]permission{one}), target.Namespace, rulesOf([]permission{one})))
		case denied[i]:
			missing = append(missing, one)
		}
	}
	if len(missing) == 0 {
		return warnings, nil
	}
	return nil, refuse("%s", lackingSentence(target, missing))
}

// lackingSentence says what may not be done, and the rules to add.
func lackingSentence(target evidence.Target, missing []permission) string {
	return fmt.Sprintf("The bot may not %s. Add to its %s: %s.", lackingWords(missing), roleOf(target.Namespace, missing), rulesOf(missing))
}

// roleOf names the role that has to grant what is missing.
func roleOf(namespace string, missing []permission) string {
	if !slices.ContainsFunc(missing, func(one permission) bool { return !one.cluster }) {
		return "ClusterRole"
	}
	return "Role in " + namespace
}

// may asks by a SelfSubjectAccessReview, which everybody who is logged in may.
func (c *Cluster) may(ctx context.Context, target evidence.Target, one permission) (bool, error) {
	resource, subresource, _ := strings.Cut(one.resource, "/")
	gr := schema.ParseGroupResource(resource)
	attributes := &authorizationv1.ResourceAttributes{Verb: one.verb, Group: gr.Group, Resource: gr.Resource, Subresource: subresource, Name: one.name}
	if !one.cluster {
		attributes.Namespace = target.Namespace
	}
	review, err := c.Clients.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx,
		&authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: attributes}}, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	return review.Status.Allowed, nil
}

// lackingWords says what may not be done: "update deployments.apps redis-session, delete pods".
func lackingWords(missing []permission) string {
	var words []string
	for _, one := range missing {
		words = append(words, strings.TrimSpace(one.verb+" "+one.resource+" "+one.name))
	}
	return strings.Join(words, ", ")
}

// rulesOf are the rules that grant permissions, each on a line of YAML.
func rulesOf(missing []permission) string {
	var lines []string
	for _, rule := range policyRules(missing) {
		line := fmt.Sprintf(`{apiGroups: [%q], resources: [%s], verbs: [%s]`, rule.APIGroups[0], strings.Join(rule.Resources, ", "), strings.Join(rule.Verbs, ", "))
		if len(rule.ResourceNames) > 0 {
			line += fmt.Sprintf(", resourceNames: [%s]", strings.Join(rule.ResourceNames, ", "))
		}
		lines = append(lines, line+"}")
	}
	return strings.Join(lines, " and ")
}

// notAuthorized is how every authorizer of the API server ends its refusal.
var notAuthorized = regexp.MustCompile(`cannot (\w+) resource "([\w./-]+)" in API group "([\w.-]*)"( in the namespace| at the cluster scope)?`)

// lacking reads from an error which permission is missing. Of a stream that was
// refused only the text is left.
func lacking(err error) (permission, bool) {
	if isRefusal(err) || !isForbidden(err) {
		return permission{}, false
	}
	found := notAuthorized.FindStringSubmatch(err.Error())
	if found == nil {
		return permission{}, false
	}
	resource, subresource, nested := strings.Cut(found[2], "/")
	gr := schema.GroupResource{Group: found[3], Resource: resource}.String()
	if nested {
		gr += "/" + subresource
	}
	return permission{verb: found[1], resource: gr, cluster: strings.Contains(found[4], "cluster")}, true
}

// sentenceOfLacking says of a refused request what to add to which role; "" where
// it was refused for something else.
func sentenceOfLacking(err error) string {
	one, ok := lacking(err)
	if !ok {
		return ""
	}
	role := "Role"
	if one.cluster {
		role = "ClusterRole"
	}
	return fmt.Sprintf("the bot may not %s: add to its %s %s", lackingWords([]permission{one}), role, rulesOf([]permission{one}))
}

// inOrder sorts permissions as a Role lists them, each once.
func inOrder(all []permission) []permission {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b permission) int {
		return cmp.Or(cmp.Compare(a.resource, b.resource), cmp.Compare(a.name, b.name), cmp.Compare(a.verb, b.verb))
	})
	return slices.Compact(all)
}
