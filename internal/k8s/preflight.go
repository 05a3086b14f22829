package k8s

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"k8s.io/client-go/rest"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/preflight"
	"redis-session-bot/internal/runbook"
)

// Questions are what is asked of the clusters before the bot is needed: whether
// their API servers answer and have the time, whether the bot may do what its
// runbook needs, and whether the stores answer. The incidents are kept in the
// namespace store of the bot's own cluster; "" where they are not. Nothing is
// changed, and nothing is written to a store.
func (c *Clusters) Questions(book *runbook.Runbook, targets []evidence.Target, store string) []preflight.Question {
	var all []preflight.Question
	for _, one := range byContext(targets, store != "") {
		own := ""
		if one.context == "" {
			own = store
		}
		a := &asking{clusters: c, context: one.context}
		all = append(all, a.question(a.about(), "API server", func(ctx context.Context) []preflight.Finding { found, _ := a.reach(ctx); return found }))
		if usesMetrics(book) && len(one.targets) > 0 {
			all = append(all, a.question(a.about(), "metrics API", a.metrics))
		}
		granted := grantsFor(book, one.targets, own, Extra{})
		for _, namespace := range granted.namespaces {
			all = append(all, a.permissions(namespace, granted.in[namespace]))
		}
		if len(granted.whole) > 0 {
			all = append(all, a.permissions("", granted.whole))
		}
		if book.Audit != "" {
			for _, target := range one.targets {
				all = append(all, a.question(a.about(), "Redis of "+target.String(), func(ctx context.Context) []preflight.Finding { return a.store(ctx, target) }))
			}
		}
	}
	return all
}

// inContext is a cluster, and the targets in it.
type inContext struct {
	context string
	targets []evidence.Target
}

// byContext sorts targets by their cluster; with own, the bot's own is one of them.
func byContext(targets []evidence.Target, own bool) (all []inContext) {
	for _, target := range targets {
		i := slices.IndexFunc(all, func(one inContext) bool { return one.context == target.Context })
		if i < 0 {
			i, all = len(all), append(all, inContext{context: target.Context})
		}
		all[i].targets = append(all[i].targets, target)
	}
	if own && !slices.ContainsFunc(all, func(one inContext) bool { return one.context == "" }) {
		all = append(all, inContext{})
	}
	return all
}

func usesMetrics(book *runbook.Runbook) bool {
	return slices.ContainsFunc(book.Steps, func(s runbook.Step) bool { return s.Check == CheckUsage })
}

// asking asks one cluster. Whether its API server answers is asked once.
type asking struct {
	clusters *Clusters
	context  string

	once    sync.Once
	cluster *Cluster
	found   []preflight.Finding
	silent  error // why nothing can be asked
}

func (a *asking) about() string {
	if a.context == "" {
		return "cluster"
	}
	return "cluster " + a.context
}

func (a *asking) finding(what string, status preflight.Status, says, mend string) preflight.Finding {
	return preflight.Finding{About: a.about(), What: what, Status: status, Says: says, Mend: mend}
}

// reach asks the API server for its version. The error is that it does not answer.
func (a *asking) reach(ctx context.Context) ([]preflight.Finding, error) {
	a.once.Do(func() {
		const what = "API server"
		if a.cluster, a.silent = a.clusters.Cluster(a.context); a.silent != nil {
			a.found = []preflight.Finding{a.finding(what, preflight.Wrong, a.silent.Error(), "name a kubeconfig that has the target's context, or run it where its account is")}
			return
		}
		sent := a.clusters.Now()
		answer, version, err := a.cluster.version(ctx)
		switch {
		case err != nil:
			a.silent = err
			a.found = []preflight.Finding{a.finding(what, preflight.Wrong, "it does not answer: "+short(err), "look at the way to it: kubectl version"+a.flag())}
			return
		case answer.StatusCode == http.StatusUnauthorized:
			a.silent = fmt.Errorf("the API server refuses the bot's credentials")
			a.found = []preflight.Finding{a.finding(what, preflight.Wrong, "it does not accept the bot's credentials (401)", "renew them: kubectl auth whoami"+a.flag())}
		case answer.StatusCode >= http.StatusInternalServerError:
			a.silent = fmt.Errorf("the API server answers %s", answer.Status)
			a.found = []preflight.Finding{a.finding(what, preflight.Wrong, "it answers "+answer.Status, "look at it: kubectl get --raw /readyz?verbose"+a.flag())}
		default:
			a.found = []preflight.Finding{a.finding(what, preflight.OK, strings.TrimSpace("it answers, Kubernetes "+version), "")}
		}
		a.found = append(a.found, preflight.Clock(a.about(), "the API server", sent, a.clusters.Now(), answer.Header.Get("Date")))
	})
	return a.found, a.silent
}

// flag names the context to kubectl.
func (a *asking) flag() string {
	if a.context == "" {
		return ""
	}
	return " --context " + a.context
}

// question is asked where the API server answers; where it does not, that is
// said instead.
func (a *asking) question(about, what string, ask func(context.Context) []preflight.Finding) preflight.Question {
	return preflight.Question{About: about, What: what, Ask: func(ctx context.Context) []preflight.Finding {
		if _, err := a.reach(ctx); err != nil && what != "API server" {
			return []preflight.Finding{{About: about, What: what, Status: preflight.Unknown, Says: "not asked: the API server gives no answer"}}
		}
		return ask(ctx)
	}}
}

// version asks for the version. It gives the answer, whatever its status.
func (c *Cluster) version(ctx context.Context) (answer *http.Response, version string, err error) {
	client, err := rest.HTTPClientFor(c.REST)
	if err != nil {
		return nil, "", err
	}
	address := c.Clients.Discovery().RESTClient().Get().AbsPath("/version").URL()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, "", err
	}
	if answer, err = client.Do(request); err != nil {
		return nil, "", err
	}
	defer func() { _ = answer.Body.Close() }() // it is read
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxOutput))
	if err != nil {
		return nil, "", err
	}
	var said struct {
		GitVersion string `json:"gitVersion"`
	}
	_ = json.Unmarshal(body, &said) // whoever may not ask for it is answered all the same
	return answer, said.GitVersion, nil
}
