package changes

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/k8s"
	"redis-session-bot/internal/runbook"
	"redis-session-bot/internal/store/bolt"
)

// The people. Roles are by their IDs.
var (
	responder = incident.Actor{ID: "responder", Name: "Rea"}
	first     = incident.Actor{ID: "approver-1", Name: "Ada"}
	second    = incident.Actor{ID: "approver-2", Name: "Bob"}
	guest     = incident.Actor{ID: "guest", Name: "Gus"}
)

// roles lets both approvers apply, the responder diagnose, and guests nothing.
type roles struct{}

func (roles) Allows(_ context.Context, actor incident.Actor, role incident.Role) error {
	switch {
	case actor.ID == first.ID, actor.ID == second.ID, actor.ID == responder.ID && role == incident.Responder:
		return nil
	case actor.ID == responder.ID:
		return &incident.Refusal{Says: "You may diagnose, not apply."}
	}
	return &incident.Refusal{Says: "Guests may not use me."}
}

// bot is one life of the bot: its service over the file that outlives it.
type bot struct {
	*incident.Service
	file  *bolt.Store
	life  *mortal
	end   context.CancelFunc
	ahead *atomic.Int64 // nanoseconds by which its clock is fast
}

// mortal is the store of a bot that can be killed: a dead one writes nothing.
type mortal struct {
	incident.Store
	dead atomic.Bool
}

var errDead = errors.New("the bot is dead")

// Update stores an incident while the bot lives.
func (m *mortal) Update(ctx context.Context, inc incident.Incident) (incident.Incident, error) {
	if m.dead.Load() {
		return inc, errDead
	}
	return m.Store.Update(ctx, inc)
}

// born starts a bot over the ward's file, as `bot serve` does.
func (w *ward) born() {
	w.T.Helper()
	file, err := bolt.Open(w.path)
	if err != nil {
		w.T.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	b := &bot{file: file, life: &mortal{Store: file}, end: end, ahead: &atomic.Int64{}}
	limits := incident.DefaultLimits()
	limits.Prepare, limits.Verify, limits.Poll = 2*time.Minute, 10*time.Second, 200*time.Millisecond
	b.Service = &incident.Service{
		Checks: checks.Named(), Cluster: w.cluster, Store: b.life, Roles: roles{},
		Kubectl:  func(evidence.Target, evidence.Workload, string) []string { return nil },
		Announce: w.cluster.Announce, Changed: func(string) {}, Limits: limits, Log: slog.New(slog.DiscardHandler),
		Now:        func() time.Time { return time.Now().Add(time.Duration(b.ahead.Load())) },
		Background: ctx,
	}
	w.bot = b
	w.read(nil)
	if err := b.Recover(ctx); err != nil {
		w.T.Fatal(err)
	}
}

// die ends the bot as a lost node does: nothing is stored any more, and every
// request ends.
func (w *ward) die() {
	w.T.Helper()
	w.bot.life.dead.Store(true)
	w.buried()
}

// buried ends the bot, whether or not it knows.
func (w *ward) buried() {
	w.T.Helper()
	w.bot.end()
	w.bot.Wait()
	if err := w.bot.file.Close(); err != nil {
		w.T.Error(err)
	}
}

// command is the name of the tests' runbook.
const command = "changes"

// read gives the bot a runbook with a measure for each row.
func (w *ward) read(rows []row) {
	w.T.Helper()
	book, err := document(w, rows)
	if err != nil {
		w.T.Fatal(err)
	}
	w.bot.Runbooks = map[string]*runbook.Runbook{command: book}
}

// document is a runbook whose measures are the rows, each with the arguments that
// it has now.
func document(w *ward, rows []row) (*runbook.Runbook, error) {
	text := "---\nalert: Changes\ncommand: " + command + "\ntarget: {namespace: " + w.target.Namespace + ", workload: " + w.target.Workload + "}\n---\n" +
		"# Changes\n\n## Diagnosis\n\n### Pods\n\n```yaml\nid: pods\ncheck: pods\n```\n\n" +
		"## Scenarios\n\n### Well\n\n```yaml\nid: well\nok: true\nsigns:\n  - {when: workload.exists, says: it is here, weight: weak}\n```\n\n## Measures\n"
	for _, r := range rows {
		text += "\n### " + r.kind + "\n\n```yaml\nid: " + r.kind + "\naction: " + r.kind + "\nchanges:\n  - " + r.kind + ": " + r.args(w) + "\n```\n"
	}
	text += "\n## Verification\n\n### Pods\n\n```yaml\nid: pods\ncheck: pods\nexpect: size(pods) >= 0\nsays: it was looked at\notherwise: nobody looked\n```\n"
	vocabulary := runbook.Vocabulary{Checks: map[string][]string{}, Changes: k8s.Changes()}
	for _, check := range checks.All() {
		vocabulary.Checks[check.Name] = check.Fields
	}
	return runbook.Load("changes.md", []byte(text), vocabulary)
}
