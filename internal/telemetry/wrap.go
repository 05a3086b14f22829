package telemetry

import (
	"context"
	"errors"

	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

// Handler is a commands.Handler that is measured.
type Handler struct {
	*commands.Handler
	Telemetry *Telemetry
}

// Handle answers a request and counts it.
func (h Handler) Handle(ctx context.Context, r commands.Request) commands.Reply {
	began := h.Telemetry.now()
	reply := h.Handler.Handle(ctx, r)
	outcome := map[commands.Outcome]string{commands.Done: outcomeOK, commands.Refused: outcomeRefused, commands.Failed: outcomeFailed}[reply.Outcome]
	h.Telemetry.commands.since(began, h.Telemetry.now(), h.NameOf(r), outcome)
	return reply
}

// Pager is an incident.Pager that is measured.
type Pager struct {
	incident.Pager
	Name      string
	Telemetry *Telemetry
}

// Call tells a receiver and counts it.
func (p Pager) Call(ctx context.Context, summons incident.Summons) (string, error) {
	began := p.Telemetry.now()
	ref, err := p.Pager.Call(ctx, summons)
	outcome := outcomeUnknown // only ErrNotTaken says that it has not arrived
	switch {
	case err == nil:
		outcome = outcomeOK
	case errors.Is(err, incident.ErrNotTaken):
		outcome = outcomeRefused
	}
	p.Telemetry.pages.since(began, p.Telemetry.now(), p.Name, outcome)
	return ref, err
}

// Cluster is an incident.Cluster that is measured.
type Cluster struct {
	incident.Cluster
	Telemetry *Telemetry
}

// Look begins a round of reading whose checks are counted.
func (c Cluster) Look(target evidence.Target) incident.Look {
	return look{c.Cluster.Look(target), c.Telemetry}
}

type look struct {
	next      incident.Look
	telemetry *Telemetry
}

// Check runs one check and counts it.
func (l look) Check(ctx context.Context, check string) (evidence.Bundle, error) {
	began := l.telemetry.now()
	bundle, err := l.next.Check(ctx, check)
	l.telemetry.checks.since(began, l.telemetry.now(), check, outcomeOf(err))
	return bundle, err
}

// Prepare makes a plan and counts it.
func (c Cluster) Prepare(ctx context.Context, wanted incident.Wanted) (incident.Prepared, error) {
	began := c.Telemetry.now()
	prepared, err := c.Cluster.Prepare(ctx, wanted)
	kind := ""
	if len(wanted.Changes) > 0 {
		kind = wanted.Changes[0].Kind
	}
	c.Telemetry.prepares.since(began, c.Telemetry.now(), kind, outcomeOf(err))
	return prepared, err
}

// Apply sends a write and counts it.
func (c Cluster) Apply(ctx context.Context, target evidence.Target, write incident.Write, actor incident.Actor) (string, error) {
	began := c.Telemetry.now()
	after, err := c.Cluster.Apply(ctx, target, write, actor)
	kind, outcome := string(write.Verb), outcomeOf(err)
	if len(write.Changes) > 0 {
		kind = write.Changes[0].Kind
	}
	if outcome == outcomeFailed {
		outcome = outcomeUnknown // only a refusal says that nothing was written
	}
	c.Telemetry.changes.since(began, c.Telemetry.now(), kind, outcome)
	return after, err
}
