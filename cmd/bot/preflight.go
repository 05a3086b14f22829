package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"redis-session-bot/internal/config"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/k8s"
	"redis-session-bot/internal/preflight"
	"redis-session-bot/internal/runbook"
	"redis-session-bot/internal/slack"
	"redis-session-bot/internal/store/bolt"
)

// askWithin bounds each question of a check.
const askWithin = 15 * time.Second

// preflights asks questions.
func preflights() preflight.Runner { return preflight.Runner{Now: time.Now, Within: askWithin} }

// slackQuestion asks the chat.
func slackQuestion(app *slack.App) preflight.Question {
	return preflight.Question{About: "Slack", What: "Slack", Ask: func(ctx context.Context) []preflight.Finding {
		findings, _ := app.Preflight(ctx) // the findings say that nobody answers, too
		return findings
	}}
}

// otherQuestions ask everybody else: the clusters, the store and the pagers.
func otherQuestions(c config.Config, book *runbook.Runbook, targets []evidence.Target, live *k8s.Clusters, reach map[string]incident.Pager, store preflight.Question) []preflight.Question {
	namespace := ""
	if c.Store.Kind == config.StoreKubernetes {
		own, _ := live.Namespace() // the question about the store says why there is none
		namespace = cmp.Or(c.Store.Namespace, own)
	}
	all := append(live.Questions(book, targets, namespace), store)
	for _, p := range c.Pagers {
		if pager, ok := reach[p.Name].(trier); ok {
			all = append(all, pagerQuestion(p, pager))
		}
	}
	return all
}

// trier is a pager that tells whether it would page, and pages nobody. A channel
// is none: whether the bot is in it is asked of Slack.
type trier interface {
	Try(ctx context.Context) (says string, err error)
}

func pagerQuestion(p config.Pager, pager trier) preflight.Question {
	f := preflight.Finding{About: "pagers", What: "pager " + p.Name}
	return preflight.Question{About: f.About, What: f.What, Ask: func(ctx context.Context) []preflight.Finding {
		says, err := pager.Try(ctx)
		if err == nil {
			f.Status, f.Says = preflight.OK, says
			return []preflight.Finding{f}
		}
		f.Status, f.Says = preflight.Wrong, err.Error()
		var refusal *incident.Refusal
		if errors.As(err, &refusal) {
			f.Says = refusal.Says
		}
		f.Mend = "compare its key with the receiver's"
		if from := cmp.Or(p.KeyEnv, p.KeyFile); from != "" {
			f.Mend += fmt.Sprintf(" (it is read from %s)", from)
		}
		f.Mend += ", and look at the way to its address"
		return []preflight.Finding{f}
	}}
}

// storeQuestion asks whether incidents can be kept; ask is nil, or why not.
func storeQuestion(c config.Store, ask func(ctx context.Context) error) preflight.Question {
	f := preflight.Finding{About: "store", What: "store " + c.Path}
	if c.Kind == config.StoreKubernetes {
		f.What = "store in " + cmp.Or(c.Namespace, "the bot's own namespace")
	}
	return preflight.Question{About: f.About, What: f.What, Ask: func(ctx context.Context) []preflight.Finding {
		err := ask(ctx)
		f.Status, f.Mend = preflight.Wrong, "give it another place (store.path)"
		switch {
		case err == nil:
			f.Status, f.Says, f.Mend = preflight.OK, "it can be written", ""
			return []preflight.Finding{f}
		case apierrors.IsForbidden(err):
			f.Status, f.Mend = preflight.Unknown, "apply what bot rbac prints" // which permission is missing is a finding of its own
		case c.Kind == config.StoreKubernetes:
			f.Mend = "look at the namespace, or name another (store.namespace)"
		case errors.Is(err, syscall.ENOSPC):
			f.Mend = "make room on that disk"
		case errors.Is(err, fs.ErrPermission):
			f.Mend = "let the bot's user write there, or give it another place (store.path)"
		}
		f.Says = err.Error()
		return []preflight.Finding{f}
	}}
}

// tryStore asks about the configured store without opening it for good: a bot may
// have it open.
func tryStore(c config.Config) preflight.Question {
	return storeQuestion(c.Store, func(ctx context.Context) error {
		if c.Store.Kind == config.StoreFile {
			return bolt.Try(c.Store.Path)
		}
		shared, err := kubeStore(c)
		if err != nil {
			return err
		}
		return shared.Check(ctx)
	})
}

// tryOpenStore asks about the store that this bot has open.
func tryOpenStore(c config.Store, store any) preflight.Question {
	return storeQuestion(c, func(ctx context.Context) error {
		switch open := store.(type) {
		case interface{ Check(context.Context) error }: // it says more than for everybody
			return open.Check(ctx)
		case pinger:
			return open.Ping(ctx)
		}
		return nil
	})
}

// logFindings logs what is wrong, and what could not be asked.
func logFindings(log *slog.Logger, findings []preflight.Finding) {
	for _, one := range findings {
		switch {
		case one.Status == preflight.Wrong:
			log.Warn("check: "+one.What, "about", one.About, "says", one.Says, "mend", one.Mend)
		case one.Status == preflight.Unknown && !one.Minor:
			log.Info("check: "+one.What+" is not known", "about", one.About, "says", one.Says, "mend", one.Mend)
		}
	}
}
