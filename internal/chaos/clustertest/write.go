package clustertest

import (
	"context"
	"fmt"
	"time"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

// Unchanged compares every object with what the writes were prepared against.
func (f *Fake) Unchanged(ctx context.Context, _ evidence.Target, writes []incident.Write) error {
	if err := ctx.Err(); err != nil {
		return unread(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, write := range writes {
		if err := f.drift(write); err != nil {
			return err
		}
	}
	return nil
}

// drift is the *incident.Drift of an update. The caller holds f.mu.
func (f *Fake) drift(write incident.Write) error {
	if write.Verb != incident.Update {
		return nil
	}
	if now := f.the(write.Object.Name); now.fingerprint() != write.Base {
		return &incident.Drift{Object: write.Object, Says: fmt.Sprintf("%s was edited by %s, after this plan was made", write.Object.Name, now.by)}
	}
	return nil
}

// Apply writes once.
func (f *Fake) Apply(ctx context.Context, _ evidence.Target, write incident.Write, _ incident.Actor) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", unread(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.drift(write); err != nil {
		return "", err
	}
	var edits []Edit
	for _, change := range write.Changes {
		edit, err := editOf(change)
		if err != nil {
			return "", &incident.Refusal{Says: err.Error(), Err: err}
		}
		edits = append(edits, edit)
	}
	after := ""
	if write.Verb == incident.Create {
		if f.the(write.Object.Name) != nil {
			return "", &incident.Refusal{Says: fmt.Sprintf("%s exists already: nothing was sent a second time.", write.Object)}
		}
		f.objects[write.Object.Name] = &object{of: write.Object, has: map[string]string{disk: write.Want}, settled: f.Now().Add(f.Rollout)}
		f.the(Workload.Name).has[disk] = write.Want
	} else {
		o := f.the(write.Object.Name)
		f.wrote(o, "redis-session-bot", edits...)
		after = o.fingerprint()
	}
	f.effects = append(f.effects, Effect{Intention(write), write.Object, f.Now()})
	return after, nil
}

// Settle waits until what a write has set going has ended.
func (f *Fake) Settle(ctx context.Context, _ evidence.Target, write incident.Write, progress func(string)) ([]string, error) {
	if write.Await == incident.Nothing {
		return nil, nil
	}
	ends := func() time.Time {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.the(write.Awaited.Name).settled
	}
	for said := false; ; {
		left := ends().Sub(f.Now())
		if left <= 0 && ctx.Err() == nil {
			return []string{"1 pod"}, nil
		}
		if !said {
			said = true
			progress("waiting for 1 of 1 pods")
		}
		select {
		case <-ctx.Done():
			return nil, &incident.Refusal{Says: "It has not ended within its time."}
		case <-time.After(max(left, 0)):
		}
	}
}

// Arrived tells whether a write is there, as package k8s does: an update by the
// content that it wanted, or since making it once more would change nothing.
func (f *Fake) Arrived(ctx context.Context, _ evidence.Target, write incident.Write) (bool, string, error) {
	if err := ctx.Err(); err != nil {
		return false, "", unread(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.the(write.Object.Name)
	if write.Verb == incident.Create {
		return now != nil, "", nil
	}
	if now.fingerprint() == write.Base {
		return false, "", nil
	}
	again := now.clone()
	for _, change := range write.Changes {
		edit, err := editOf(change)
		if err != nil {
			return false, "", unread(err)
		}
		again.change(edit)
	}
	if again.content() != now.content() {
		return false, "", &incident.Refusal{Says: write.Object.Name + " is neither as it was nor as the plan would have it."}
	}
	return true, now.fingerprint(), nil
}
