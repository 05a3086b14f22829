package incident

import (
	"context"
	"errors"
	"time"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

// Cluster reads and changes the targets. Package k8s fills it.
type Cluster interface {
	// Look begins one round of reading. The checks of one round share what
	// they read, so that a whole diagnosis costs few requests.
	Look(target evidence.Target) Look

	// Prepare resolves changes against the live cluster: dry runs, diffs,
	// undo, fingerprints. It changes nothing; a pod of its own that reads a
	// volume is gone when it returns. Its errors are *Refusal where there is a
	// sentence for people.
	Prepare(ctx context.Context, wanted Wanted) (Prepared, error)

	// Unchanged compares every object of the writes with what they were
	// prepared against, before the first of them is sent: *Drift or nil, or
	// another error when the cluster cannot be asked. It writes nothing.
	Unchanged(ctx context.Context, target evidence.Target, writes []Write) error

	// Apply sends one write. It re-reads the object first and returns *Drift,
	// with nothing written, when the object is not what the write was prepared
	// against. The request carries the fresh resourceVersion or UID as a
	// precondition and is never repeated. A *Refusal means that nothing was
	// written; any other error means that nobody knows. The result is the
	// fingerprint after the write.
	Apply(ctx context.Context, target evidence.Target, write Write, actor Actor) (after string, err error)

	// Settle waits until what write.Await names is true or ctx is over,
	// calling progress with a short sentence whenever it changes, and returns
	// what came of it, for people. What cannot become true (the new pod
	// crashes, say) is an error that says so; it does not wait for ctx then.
	Settle(ctx context.Context, target evidence.Target, write Write, progress func(string)) ([]string, error)

	// Arrived tells of a write that may or may not have been sent whether it is
	// in the cluster now, with the fingerprint that it has left there, as Apply
	// gives it. *Refusal: the cluster shows neither, with what it shows. It
	// writes nothing.
	Arrived(ctx context.Context, target evidence.Target, write Write) (arrived bool, after string, err error)
}

// Wanted is what a plan is made for.
type Wanted struct {
	Target  evidence.Target
	Changes []runbook.Change
	// Name is of this plan alone and fit for the name of an object: inc-7-3.
	Name string
	// Progress is told in a short sentence what takes its time.
	Progress func(string)
}

// Look is one round of reading.
type Look interface {
	// Check runs one check and returns what it read. What could not be read
	// is in Bundle.Missing with the reason; an error means that the cluster
	// could not be asked at all. Safe for concurrent use.
	Check(ctx context.Context, check string) (evidence.Bundle, error)
}

// Prepared is a list of changes, resolved.
type Prepared struct {
	Writes   []Write
	Warnings []string // for people: who else owns the object, what rolls out how
	Cautions []string // data loss
	Holds    Holds
}

// Refusal is an answer that changed nothing, with the sentence for people.
type Refusal struct {
	Says string // what and why, and what to do
	Err  error  // the chain for operators; may be nil
}

// Error is the chain for operators.
func (r *Refusal) Error() string {
	if r.Err == nil {
		return r.Says
	}
	return r.Says + ": " + r.Err.Error()
}

// Unwrap gives the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// Drift is the refusal that the cluster is not what the plan was made against.
type Drift struct {
	Object Object
	Says   string // "redis-session was edited by kubectl-edit 40 s ago, after this plan was made"
}

// Error is the sentence for people.
func (d *Drift) Error() string { return d.Says }

// Store keeps incidents, with an audit trail of their timelines: what is in a
// timeline can be added to, and nothing else. Its compare-and-swap decides every
// race.
type Store interface {
	// Create stores a new incident, gives it the next ID and Version 1. An ID is
	// given once, also where the incident is dropped later.
	Create(ctx context.Context, inc Incident) (Incident, error)
	// Get returns ErrNotFound for an ID that was never given.
	Get(ctx context.Context, id string) (Incident, error)
	// Update stores inc if the stored Version is still inc.Version, and
	// returns it with the next one; otherwise ErrConflict.
	Update(ctx context.Context, inc Incident) (Incident, error)
	// List returns all incidents, oldest first. It costs what is kept: it is for
	// reports. An incident whose record is damaged is left out, here and in Recent.
	List(ctx context.Context) ([]Incident, error)
	// Recent returns, oldest first, the incidents that do not rest, and those
	// that were closed at that time or later; none of those for the zero time. It
	// costs what it returns.
	Recent(ctx context.Context, since time.Time) ([]Incident, error)
	// Index lists what is kept, oldest first, without reading it.
	Index(ctx context.Context) ([]Brief, error)
	// Drop forgets an incident and its evidence. The line that says why stays in
	// the audit trail. ErrNotFound where there is none.
	Drop(ctx context.Context, id string, why Entry) error
	// AddBundle adds what was read for an incident to what is kept of it. Of two
	// that add at once, none is lost. ErrNotFound where there is no such incident.
	AddBundle(ctx context.Context, id string, part evidence.Bundle) error
	// Bundle returns what was read for an incident, the empty one for nothing.
	Bundle(ctx context.Context, id string) (evidence.Bundle, error)
}

// Watcher is a Store that other processes write to.
type Watcher interface {
	// Watch calls changed with the ID of each incident that another process has
	// changed. It returns when ctx is over, and not before.
	Watch(ctx context.Context, changed func(id string))
}

// Brief is an incident in the index of a Store.
type Brief struct {
	ID       string
	ClosedAt time.Time // zero: it is open
}

// Errors of a Store.
var (
	ErrNotFound = errors.New("no such incident")
	ErrConflict = errors.New("the incident was changed by somebody else in between")
)

// Role is what somebody may do.
type Role string

// The roles. An approver may also diagnose.
const (
	Responder Role = "responder" // diagnose
	Approver  Role = "approver"  // apply, undo, refuse a plan
)

// Roles says who may do what. It fails closed: nobody configured means nobody.
type Roles interface {
	// Allows returns nil, a *Refusal with the sentence why not, or another
	// error when it cannot be known (which is a no, too).
	Allows(ctx context.Context, actor Actor, role Role) error
}

// Pager reaches people outside of the incident's own messages. Packages page
// and slack fill it.
type Pager interface {
	// Call tells a receiver and returns once it has taken it, with what the
	// receiver calls it (ref, may be ""). Repeats of one Key are one incident
	// there. The error holds nothing secret, since people read it; they read the
	// sentence of a *Refusal. It is ErrNotTaken where the receiver has certainly
	// not got the call.
	Call(ctx context.Context, summons Summons) (ref string, err error)
}

// ErrNotTaken is the answer of a receiver that has nothing of a call.
var ErrNotTaken = errors.New("not taken")
