package incident

import (
	"slices"
	"sync"

	"redis-session-bot/internal/evidence"
)

// notices are those that wait to be stored, joined where they are about the
// same target.
type notices struct {
	mu      sync.Mutex
	batches []batch
}

// batch is notices about one target, as one, and who waits for its end.
type batch struct {
	notice  Notice
	waiting []chan error
}

// add joins a notice to the last one that waits about the same target, unless
// that tells of one of its alerts already: what is told later counts later. The
// channel gives its end.
func (n *notices) add(notice Notice) <-chan error {
	type about struct {
		runbook string
		target  evidence.Target
		place   Place
	}
	key := func(n Notice) about { return about{n.Runbook, n.Target, n.Place} }
	ended := make(chan error, 1)
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := len(n.batches) - 1; i >= 0; i-- {
		one := &n.batches[i]
		if key(one.notice) == key(notice) && one.notice.tells(notice.Alerts) {
			break
		}
		if key(one.notice) == key(notice) {
			one.notice.Alerts = append(slices.Clip(one.notice.Alerts), notice.Alerts...)
			one.waiting = append(one.waiting, ended)
			return ended
		}
	}
	n.batches = append(n.batches, batch{notice, []chan error{ended}})
	return ended
}

// tells reports whether a notice tells of one of these alerts.
func (n Notice) tells(alerts []Alert) bool {
	return slices.ContainsFunc(n.Alerts, func(a Alert) bool {
		return slices.ContainsFunc(alerts, func(b Alert) bool { return a.Fingerprint == b.Fingerprint })
	})
}

// take gives everything that waits and leaves nothing.
func (n *notices) take() []batch {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.batches
	n.batches = nil
	return all
}
