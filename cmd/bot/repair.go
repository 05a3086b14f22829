package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
	"redis-session-bot/internal/terminal"
)

// repair is one fix from a terminal: read, plan, ask, apply, verify.
type repair struct {
	service *incident.Service
	handler *commands.Handler
	target  evidence.Target
	actor   incident.Actor
	out     terminal.Terminal
	in      io.Reader
	asks    bool // somebody can be asked
	yes     bool // consent was given on the command line
	dryRun  bool
	changed chan struct{}
}

func newRepair(s *incident.Service, book *runbook.Runbook, target evidence.Target, actor incident.Actor) *repair {
	r := &repair{service: s, target: target, actor: actor, changed: make(chan struct{}, 1),
		handler: &commands.Handler{Incidents: s, Command: book.Command, Targets: []evidence.Target{target}, Approvers: []string{actor.Name}, Log: s.Log}}
	s.Changed = func(string) {
		select {
		case r.changed <- struct{}{}:
		default:
		}
	}
	return r
}

// run makes a plan of the fix of that reference, and applies it once somebody
// has consented. Its error is an exit, nil for a fix that is verified.
func (r *repair) run(ctx context.Context, ref string, set map[string]string) error {
	if !r.asks && !r.yes && !r.dryRun {
		return exit{exitUsage, errors.New("nobody can be asked: there is no terminal. Give --yes to apply without asking, or --dry-run to see the plan")}
	}
	inc, err := r.open(ctx)
	if err != nil {
		return err
	}
	r.out.Draw(r.handler.Messages(inc)[0].View)
	if doubt := r.doubt(inc, ref); doubt != "" {
		r.say("%s", doubt)
	}
	if err := r.plan(ctx, inc, ref, set); err != nil {
		return err
	}
	inc, err = r.follow(ctx, inc.ID, func(inc incident.Incident) bool { return inc.Plans[0].State != incident.Preparing })
	if err != nil {
		return err
	}
	r.out.Draw(commands.View{Parts: []commands.Part{commands.Rule{}}})
	r.card(inc, "plan/1")
	plan := inc.Plans[0]
	switch {
	case plan.State != incident.Proposed || !incident.Accepted(plan):
		return exit{exitProblem, nil} // the card says why
	case r.dryRun:
		return nil
	}
	if err := r.apply(ctx, inc, plan); err != nil {
		return err
	}
	return r.finish(ctx, inc.ID)
}

// doubt says that the evidence does not name the cause that a fix is for; ""
// where it does, and for a measure.
func (r *repair) doubt(inc incident.Incident, ref string) string {
	for _, scenario := range r.service.Runbooks[inc.Runbook].Scenarios {
		mends := slices.ContainsFunc(scenario.Fixes, func(fix runbook.Fix) bool { return fix.Ref == ref }) || scenario.ID == ref
		named := slices.ContainsFunc(inc.Verdict.Causes, func(c runbook.Cause) bool { return c.Scenario == scenario.ID })
		if mends && !named {
			return fmt.Sprintf("Mind: the evidence does not speak for %q.", scenario.Title)
		}
	}
	return ""
}

// say prints one line.
func (r *repair) say(format string, args ...any) {
	r.out.Draw(commands.View{Parts: []commands.Part{commands.Paragraph{Text: commands.Text{{Text: fmt.Sprintf(format, args...)}}}}})
}

// open opens an incident of its own and reads the evidence.
func (r *repair) open(ctx context.Context) (incident.Incident, error) {
	inc, _, err := r.service.Open(ctx, r.actor, r.handler.Command, r.target, incident.Place{})
	if err == nil {
		err = r.service.ReadFirst(ctx, inc.ID, r.actor)
	}
	if err == nil {
		inc, err = r.service.Get(ctx, inc.ID)
	}
	if err != nil {
		return inc, exit{exitNoCluster, err}
	}
	if !slices.ContainsFunc(inc.Steps, func(s incident.Step) bool { return s.Status != checks.Unknown }) {
		return inc, exit{exitNoCluster, fmt.Errorf("%s could not be read: %s", r.target, inc.Steps[0].Summary)}
	}
	return inc, nil
}

// plan makes a plan with the values that the evidence proposes and those of
// the command line.
func (r *repair) plan(ctx context.Context, inc incident.Incident, ref string, set map[string]string) error {
	values, err := r.service.Inputs(ctx, inc.ID, r.actor, ref)
	if err != nil {
		return exit{exitProblem, err}
	}
	answers := map[string]string{}
	var known []string
	for _, value := range values {
		answers[value.ID] = value.Value
		if given, ok := set[value.ID]; ok {
			answers[value.ID] = given
		}
		if answers[value.ID] == "" {
			return exit{exitUsage, fmt.Errorf("give --set %s=…: %s", value.ID, strings.TrimSpace(value.Label+". "+value.Hint))}
		}
		known = append(known, value.ID)
	}
	for id := range set {
		if !slices.Contains(known, id) {
			return exit{exitUsage, fmt.Errorf("--set %s: %s has no such value; it has: %s", id, ref, orNone(strings.Join(known, ", ")))}
		}
	}
	var bad *runbook.BadInput
	switch err := r.service.MakePlan(ctx, inc.ID, r.actor, ref, answers); {
	case errors.As(err, &bad) && len(known) > 0:
		return exit{exitUsage, fmt.Errorf("%s. Give other values with --set %s=…", strings.TrimRight(bad.Says, "."), strings.Join(known, "=… --set "))}
	case err != nil:
		return exit{exitProblem, err}
	}
	return nil
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// apply asks for the word that applies a plan, yes or the workload's name where
// data is lost, and applies it.
func (r *repair) apply(ctx context.Context, inc incident.Incident, plan incident.Plan) error {
	consent := incident.Consent{Number: plan.Number, Digest: plan.Digest}
	switch {
	case plan.Loses() && !r.asks:
		return exit{exitUsage, errors.New("this plan loses data: it is applied only from a terminal, where the name of the workload is typed. Nothing was changed")}
	case plan.Loses():
		typed, err := r.out.Ask(ctx, r.in, fmt.Sprintf("Type %s to apply it: ", inc.Target.Workload))
		if err != nil {
			return exit{exitProblem, err}
		}
		consent.Typed = typed
	case !r.yes:
		typed, err := r.out.Ask(ctx, r.in, "Type yes to apply it: ")
		if err != nil {
			return exit{exitProblem, err}
		}
		if typed != "yes" {
			return exit{exitProblem, errors.New("not applied: that was not yes. Nothing was changed")}
		}
	}
	if err := r.service.ApplyPlan(ctx, inc.ID, r.actor, consent); err != nil {
		return exit{exitProblem, err}
	}
	return nil
}

// finish tells what is done until the verification has ended.
func (r *repair) finish(ctx context.Context, id string) error {
	defer context.AfterFunc(ctx, func() { r.say("Interrupted. What was begun is ended first.") })()
	inc, err := r.follow(context.WithoutCancel(ctx), id, func(inc incident.Incident) bool {
		return inc.State != incident.Applying && inc.State != incident.Verifying && (inc.State != incident.Walking || inc.Plans[0].State != incident.Underway)
	})
	if err != nil {
		return err
	}
	// What was not mended is read anew; it shows when that has ended.
	r.service.Wait()
	if inc, err = r.service.Get(context.WithoutCancel(ctx), id); err != nil {
		return exit{exitNoCluster, err}
	}
	r.out.Draw(commands.View{Parts: []commands.Part{commands.Rule{}}})
	if inc.Plans[0].State != incident.Applied {
		r.card(inc, "plan/1")
		return exit{exitProblem, nil}
	}
	r.out.Draw(r.handler.Messages(inc)[0].View)
	if inc.State == incident.Fixed {
		return nil
	}
	return r.offerUndo(ctx, inc)
}

// offerUndo puts back what has not helped, when somebody asks for it.
func (r *repair) offerUndo(ctx context.Context, inc incident.Incident) error {
	if !r.asks || len(incident.UndoOf(inc.Plans[0])) == 0 {
		return exit{exitProblem, nil}
	}
	typed, err := r.out.Ask(ctx, r.in, "Type undo to put it back; anything else leaves it: ")
	if err != nil || typed != "undo" {
		return exit{exitProblem, err}
	}
	if err := r.service.UndoPlan(ctx, inc.ID, r.actor, 1); err != nil {
		return exit{exitProblem, err}
	}
	id := inc.ID // inc is read anew below, while an interrupt may come
	defer context.AfterFunc(ctx, func() {
		if err := r.service.CancelPlan(context.WithoutCancel(ctx), id, r.actor, 2); err != nil {
			r.say("Interrupted. What was begun is ended first.")
		}
	})()
	inc, err = r.follow(context.WithoutCancel(ctx), id, func(inc incident.Incident) bool { return inc.Plans[1].State != incident.Preparing })
	if err != nil {
		return err
	}
	if undo := inc.Plans[1]; undo.State == incident.Proposed { // it loses data
		r.card(inc, "plan/2")
		if err := r.apply(ctx, inc, undo); err != nil {
			return err
		}
	}
	r.service.Wait()
	if inc, err = r.service.Get(context.WithoutCancel(ctx), inc.ID); err != nil {
		return exit{exitNoCluster, err}
	}
	r.card(inc, "plan/2")
	return exit{exitProblem, nil}
}

// verify holds the cluster against the runbook's verification.
func (r *repair) verify(ctx context.Context) error {
	inc, _, err := r.service.Open(ctx, r.actor, r.handler.Command, r.target, incident.Place{})
	if err != nil {
		return exit{exitNoCluster, err}
	}
	if err := r.service.Verify(ctx, inc.ID, r.actor); err != nil {
		return exit{exitNoCluster, err}
	}
	if inc, err = r.service.Get(ctx, inc.ID); err != nil {
		return exit{exitNoCluster, err}
	}
	r.out.Draw(r.handler.Verification(inc))
	r.service.Wait()
	if inc.State != incident.Fixed {
		return exit{exitProblem, nil}
	}
	return nil
}

// follow tells what goes on until the incident is as asked.
func (r *repair) follow(ctx context.Context, id string, ok func(inc incident.Incident) bool) (incident.Incident, error) {
	told := map[string]bool{}
	return r.until(ctx, id, func(inc incident.Incident) bool {
		for _, line := range r.handler.Progress(inc) {
			if !told[line.String()] {
				told[line.String()] = true
				r.out.Draw(commands.View{Parts: []commands.Part{commands.Paragraph{Text: line}}})
			}
		}
		return ok(inc)
	})
}

// until waits until the incident is as asked.
func (r *repair) until(ctx context.Context, id string, ok func(inc incident.Incident) bool) (incident.Incident, error) {
	for {
		inc, err := r.service.Get(ctx, id)
		if err != nil {
			return inc, exit{exitNoCluster, err}
		}
		if ok(inc) {
			return inc, nil
		}
		select {
		case <-r.changed:
		case <-ctx.Done():
			return inc, exit{exitProblem, errors.New("interrupted. Nothing was changed")}
		}
	}
}

// card draws the message of that key.
func (r *repair) card(inc incident.Incident, key string) {
	for _, message := range r.handler.Messages(inc) {
		if message.Key == key {
			r.out.Draw(message.View)
		}
	}
}

// knows reports whether a name is a target's.
func knows(targets []evidence.Target, name string) bool {
	return slices.ContainsFunc(targets, func(t evidence.Target) bool { return strings.EqualFold(t.Name, name) })
}
