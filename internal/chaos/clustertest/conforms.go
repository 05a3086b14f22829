package clustertest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
)

// Subject is a cluster with a change to try on it.
type Subject struct {
	Cluster incident.Cluster
	Target  evidence.Target
	// Changes make one update of one object, and change something each time that
	// a Subject is opened.
	Changes []runbook.Change
	// Edit is somebody else's edit of the same object, of something else in it,
	// and another one each time.
	Edit func(t *testing.T)
	// State is what the object holds, as far as people and plans change it.
	State func(t *testing.T) any
	// Within is how long what the write sets going may take at the most.
	Within time.Duration
}

// Conforms is what the engine relies on in an incident.Cluster. open gives a
// Subject for each case; they may be of one cluster.
func Conforms(t *testing.T, open func(t *testing.T) Subject) {
	cases := []struct {
		name string
		try  func(c *trial)
	}{
		{"what is prepared is one accepted update that can be undone", prepares},
		{"a write is there once it is applied, with the fingerprint that Apply gave", applies},
		{"a second Apply is a Drift that writes nothing", appliesTwice},
		{"of two Applies at once one writes", appliesAtOnce},
		{"after somebody's edit Unchanged and Apply are a Drift that writes nothing", drifts},
		{"a call that is over writes nothing", isOver},
		{"what an edit of somebody else leaves in doubt is a Refusal", isInDoubt},
		{"what has arrived is there after somebody's edit of something else, as it is now", arrivedAndEdited},
		{"what it sets going ends", settles},
		{"waiting ends with its time", waits},
		{"the undo finds what Apply left, and puts it back", undoes},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.try(&trial{t, t.Context(), open(t)}) })
	}
}

// trial is one case.
type trial struct {
	*testing.T
	ctx context.Context
	Subject
}

// prepared is the one write of the Subject's changes.
func (c *trial) prepared(changes []runbook.Change) incident.Write {
	c.Helper()
	prepared, err := c.Cluster.Prepare(c.ctx, incident.Wanted{Target: c.Target, Changes: changes, Name: "inc-1-1", Progress: func(string) {}})
	if err != nil {
		c.Fatalf("prepare: %v", err)
	}
	if len(prepared.Writes) != 1 || prepared.Writes[0].Verb != incident.Update {
		c.Fatalf("want one update: %+v", prepared.Writes)
	}
	return prepared.Writes[0]
}

func (c *trial) apply(write incident.Write) (after string) {
	c.Helper()
	after, err := c.Cluster.Apply(c.ctx, c.Target, write, incident.Actor{ID: "approver", Name: "Ada"})
	if err != nil || after == "" {
		c.Fatalf("apply: %q, %v", after, err)
	}
	return after
}

// drifted holds that an answer is a Drift of the write's object.
func (c *trial) drifted(what string, err error, write incident.Write) {
	c.Helper()
	var drift *incident.Drift
	if !errors.As(err, &drift) || drift.Object.Name != write.Object.Name || drift.Says == "" {
		c.Errorf("%s: %v, want a drift of %s with a sentence", what, err, write.Object)
	}
}

// writesNothing holds that an Apply leaves everything as it is, and gives its error.
func (c *trial) writesNothing(ctx context.Context, write incident.Write) error {
	c.Helper()
	before := c.State(c.T)
	after, err := c.Cluster.Apply(ctx, c.Target, write, incident.Actor{ID: "approver", Name: "Ada"})
	if err == nil || after != "" {
		c.Errorf("apply: %q, %v", after, err)
	}
	if diff := cmp.Diff(before, c.State(c.T)); diff != "" {
		c.Errorf("it has written (-before +after):\n%s", diff)
	}
	return err
}

// arrived holds what is said of a write that may have been sent.
func (c *trial) arrived(write incident.Write, want bool, after string) {
	c.Helper()
	got, fingerprint, err := c.Cluster.Arrived(c.ctx, c.Target, write)
	if err != nil || got != want || fingerprint != after {
		c.Errorf("arrived %t as %q, %v; want %t as %q", got, fingerprint, err, want, after)
	}
}

func prepares(c *trial) {
	before := c.State(c.T)
	write := c.prepared(c.Changes)
	if write.DryRun != incident.DryRunAccepted || write.Base == "" || write.Want == "" || len(write.Undo) == 0 {
		c.Errorf("prepared: %+v", write)
	}
	if diff := cmp.Diff(before, c.State(c.T)); diff != "" {
		c.Errorf("preparing has written (-before +after):\n%s", diff)
	}
}

func applies(c *trial) {
	write := c.prepared(c.Changes)
	before := c.State(c.T)
	if err := c.Cluster.Unchanged(c.ctx, c.Target, []incident.Write{write}); err != nil {
		c.Errorf("unchanged, before: %v", err)
	}
	c.arrived(write, false, "")
	after := c.apply(write)
	if cmp.Equal(before, c.State(c.T)) {
		c.Errorf("nothing has changed: %v", before)
	}
	c.arrived(write, true, after) // also for one who has not heard the answer
	c.drifted("unchanged, after", c.Cluster.Unchanged(c.ctx, c.Target, []incident.Write{write}), write)
}

func appliesTwice(c *trial) {
	write := c.prepared(c.Changes)
	c.apply(write)
	c.drifted("the second apply", c.writesNothing(c.ctx, write), write)
}

func appliesAtOnce(c *trial) {
	write := c.prepared(c.Changes)
	var errs [2]error
	var both sync.WaitGroup
	for i := range errs {
		both.Go(func() {
			_, errs[i] = c.Cluster.Apply(c.ctx, c.Target, write, incident.Actor{ID: "approver", Name: "Ada"})
		})
	}
	both.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		c.Fatalf("one of two has to be heard: %v, %v", errs[0], errs[1])
	}
	c.drifted("the other one", errors.Join(errs[:]...), write)
}

func drifts(c *trial) {
	write := c.prepared(c.Changes)
	c.Edit(c.T)
	c.drifted("unchanged", c.Cluster.Unchanged(c.ctx, c.Target, []incident.Write{write}), write)
	c.drifted("apply", c.writesNothing(c.ctx, write), write)
}

func isOver(c *trial) {
	write := c.prepared(c.Changes)
	over, cancel := context.WithCancel(c.ctx)
	cancel()
	c.writesNothing(over, write)
	var drift *incident.Drift
	if err := c.Cluster.Unchanged(over, c.Target, []incident.Write{write}); err == nil || errors.As(err, &drift) {
		c.Errorf("unchanged: %v", err)
	}
	if _, _, err := c.Cluster.Arrived(over, c.Target, write); err == nil {
		c.Error("arrived is known of a cluster that was not asked")
	}
	c.arrived(write, false, "")
}

func isInDoubt(c *trial) {
	write := c.prepared(c.Changes)
	c.Edit(c.T)
	arrived, _, err := c.Cluster.Arrived(c.ctx, c.Target, write)
	var refusal *incident.Refusal
	if !errors.As(err, &refusal) || arrived {
		c.Errorf("arrived %t, %v; want a refusal", arrived, err)
	}
}

func arrivedAndEdited(c *trial) {
	write := c.prepared(c.Changes)
	left := c.apply(write)
	c.Edit(c.T)
	arrived, after, err := c.Cluster.Arrived(c.ctx, c.Target, write)
	if err != nil || !arrived || after == "" || after == left {
		c.Errorf("arrived %t as %q, %v; it was left as %q", arrived, after, err, left)
	}
}

func settles(c *trial) {
	write := c.prepared(c.Changes)
	c.apply(write)
	limited, cancel := context.WithTimeout(c.ctx, c.Within)
	defer cancel()
	if _, err := c.Cluster.Settle(limited, c.Target, write, func(string) {}); err != nil {
		c.Errorf("settle: %v", err)
	}
}

func waits(c *trial) {
	write := c.prepared(c.Changes)
	if write.Await == incident.Nothing {
		c.Skip("it sets nothing going")
	}
	c.apply(write)
	over, cancel := context.WithCancel(c.ctx)
	cancel()
	if says, err := c.Cluster.Settle(over, c.Target, write, func(string) {}); err == nil {
		c.Errorf("settle says %q although its time was over", says)
	}
	limited, stop := context.WithTimeout(c.ctx, c.Within)
	defer stop()
	if _, err := c.Cluster.Settle(limited, c.Target, write, func(string) {}); err != nil {
		c.Errorf("settle, asked again: %v", err)
	}
}

func undoes(c *trial) {
	before := c.State(c.T)
	write := c.prepared(c.Changes)
	after := c.apply(write)
	undo := c.prepared(write.Undo)
	if undo.Base != after || undo.Object.Name != write.Object.Name {
		c.Errorf("the undo finds %s as %q, want as %q", undo.Object, undo.Base, after)
	}
	c.apply(undo)
	if diff := cmp.Diff(before, c.State(c.T)); diff != "" {
		c.Errorf("it is not what it was (-before +after):\n%s", diff)
	}
}
