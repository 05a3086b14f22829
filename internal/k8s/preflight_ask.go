package k8s

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/preflight"
)

// metrics looks whether there is a metrics API. The bot does without: one step of
// the diagnosis stays unknown.
func (a *asking) metrics(ctx context.Context) []preflight.Finding {
	const what = "metrics API"
	err := a.cluster.Clients.Discovery().RESTClient().Get().AbsPath("/apis/metrics.k8s.io/v1beta1").Do(ctx).Error()
	var f preflight.Finding
	switch {
	case err == nil:
		f = a.finding(what, preflight.OK, "it is there", "")
	case apierrors.IsNotFound(err):
		f = a.finding(what, preflight.Unknown, "there is none: what pods use cannot be read", "install metrics-server, or do without")
		f.Minor = true
	case apierrors.IsServiceUnavailable(err):
		f = a.finding(what, preflight.Wrong, "it does not answer", "metrics-server is down or still starting: kubectl get apiservice v1beta1.metrics.k8s.io"+a.flag())
	default:
		f = a.finding(what, preflight.Unknown, "not known: "+short(err), "ask again")
	}
	return []preflight.Finding{f}
}

// permissions asks whether the bot may do what it needs in a namespace; "" for
// what belongs to none.
func (a *asking) permissions(namespace string, needed []grounds) preflight.Question {
	about := "permissions in " + namespace
	if namespace == "" {
		about = "permissions in the whole cluster"
	}
	if a.context != "" {
		about += " of " + a.context
	}
	return a.question(about, about, func(ctx context.Context) []preflight.Finding {
		return a.cluster.permissions(ctx, about, namespace, rulesFor(needed))
	})
}

// permissions asks by a SelfSubjectAccessReview for each verb of each rule: a
// finding for each rule.
func (c *Cluster) permissions(ctx context.Context, about, namespace string, rules []rbacv1.PolicyRule) []preflight.Finding {
	found := make([]granting, len(rules))
	var group errgroup.Group
	group.SetLimit(asksAtOnce)
	for i, rule := range rules {
		for _, one := range ofRule(rule, namespace == "") {
			group.Go(func() error {
				allowed, err := c.may(ctx, evidence.Target{Namespace: namespace}, one)
				found[i].hear(one, allowed, err)
				return nil
			})
		}
	}
	_ = group.Wait() // what could not be asked is in found
	var all []preflight.Finding
	for i, rule := range rules {
		all = append(all, found[i].finding(about, namespace, rule))
	}
	return all
}

// ofRule are the permissions that a rule of one resource grants.
func ofRule(rule rbacv1.PolicyRule, wide bool) (all []permission) {
	resource, subresource, nested := strings.Cut(rule.Resources[0], "/")
	if group := rule.APIGroups[0]; group != "" {
		resource += "." + group
	}
	if nested {
		resource += "/" + subresource
	}
	for _, verb := range rule.Verbs {
		all = append(all, allow(verb, resource, rule.ResourceNames...)...)
	}
	for i := range all {
		all[i].cluster = wide
	}
	return all
}

// granting is what the API server says of one rule. Safe for concurrent use.
type granting struct {
	mu    sync.Mutex
	lacks []permission
	err   error // of one that could not be asked
}

func (g *granting) hear(one permission, allowed bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case err != nil:
		g.err = err
	case !allowed:
		g.lacks = append(g.lacks, one)
	}
}

func (g *granting) finding(about, namespace string, rule rbacv1.PolicyRule) preflight.Finding {
	f := preflight.Finding{About: about, What: ruleWords(rule), Status: preflight.OK, Says: "granted"}
	g.lacks = inOrder(g.lacks)
	switch {
	case len(g.lacks) > 0:
		f.Status, f.Says = preflight.Wrong, "the bot may not "+lackingWords(g.lacks)
		f.Mend = fmt.Sprintf("add to its %s %s, or apply what bot rbac prints", roleOf(namespace, g.lacks), rulesOf(g.lacks))
	case g.err != nil:
		f.Status, f.Says, f.Mend = preflight.Unknown, "not known: "+short(g.err), "ask again"
	}
	return f
}

// ruleWords says a rule: "get, update deployments.apps redis-session".
func ruleWords(rule rbacv1.PolicyRule) string {
	of := ofRule(rule, false)
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", strings.Join(rule.Verbs, ", "), of[0].resource, strings.Join(rule.ResourceNames, ", ")))
}

// store asks each running server of a target what it says of itself. Nothing is
// written to it.
func (a *asking) store(ctx context.Context, target evidence.Target) []preflight.Finding {
	f := a.finding("Redis of "+target.String(), preflight.Wrong, "", "bot diagnose "+target.Name+" says why")
	round := a.cluster.look(target)
	w, err := round.readWorkload(ctx)
	if err == nil && w.kind() == "" {
		f.Says, f.Mend = strings.TrimSuffix(noWorkload(target.Namespace, target.Workload).Error(), "."), "correct namespace and workload of the target"
		return []preflight.Finding{f}
	}
	servers, err := round.servers(ctx)
	if err != nil {
		if f.Says = round.redact(ctx).Text(short(err)); !isRefusal(err) {
			f.Status, f.Says = preflight.Unknown, "not asked: "+f.Says
		}
		return []preflight.Finding{f}
	}
	var all []preflight.Finding
	for _, one := range servers {
		f := f
		f.Says = one.Pod + ": " + one.Error
		if one.Error == "" {
			f.Status, f.Mend = preflight.OK, ""
			f.Says = strings.TrimSpace(one.Pod + " answers, Redis " + one.Info["redis_version"])
		}
		all = append(all, f)
	}
	return all
}
