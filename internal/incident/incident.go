// Package incident is one incident's life: walk, judge, plan, approve, apply,
// verify, undo, and the timeline of it all.
//
// It owns the state and every decision about it. It knows no chat vendor, no
// Kubernetes client and no database: it declares the interfaces that those
// packages fill.
package incident

import (
	"time"

	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

// Actor is a person (or the bot itself) who does something.
type Actor struct {
	ID   string `json:"id"`            // as the chat knows them, such as U012AB3CD; "bot" for the bot itself
	Name string `json:"name"`          // display name
	Team string `json:"team,omitzero"` // workspace
}

// Place is where an incident is shown; opaque to this package.
type Place struct {
	Channel string `json:"channel"`
}

// State is where an incident stands.
type State string

// The states of an incident.
const (
	Walking   State = "walking"   // steps are to be run
	Stopped   State = "stopped"   // somebody stopped the walk
	Applying  State = "applying"  // a plan is being written
	Verifying State = "verifying" // the verification runs
	Fixed     State = "fixed"     // verified
	NotFixed  State = "not-fixed" // applied and verified false
	Closed    State = "closed"
)

// Incident is one walk from alert to report. It is stored as JSON.
type Incident struct {
	ID       string          `json:"id"` // INC-1, INC-2, …
	Version  uint64          `json:"version"`
	Runbook  string          `json:"runbook"` // its command name
	Target   evidence.Target `json:"target"`
	Place    Place           `json:"place"`
	State    State           `json:"state"`
	Since    time.Time       `json:"since"` // start of the alert, or of the incident
	OpenedBy Actor           `json:"openedBy"`
	Walker   Actor           `json:"walker"`
	Steps    []Step          `json:"steps"`
	Verdict  runbook.Verdict `json:"verdict"`
	Judged   bool            `json:"judged"` // at least one step gave evidence
	// Judgements are what the verdict's first cause has changed to, oldest first.
	Judgements []Judgement       `json:"judgements,omitempty"`
	Alike      *Past             `json:"alike,omitempty"` // the incident of before that had the same first cause
	Offers     []Offer           `json:"offers"`          // the fixes of the verdict's causes, in its order
	Plans      []Plan            `json:"plans"`
	Verified   []runbook.Outcome `json:"verified"` // the last verification, line by line
	Timeline   []Entry           `json:"timeline"`
	FixedAt    time.Time         `json:"fixedAt,omitzero"` // when the last verification held
	ClosedAt   time.Time         `json:"closedAt,omitzero"`
	Alerts     []Alert           `json:"alerts,omitempty"` // those that opened it or joined it
	Quiet      Quiet             `json:"quiet,omitzero"`
	SameAs     string            `json:"sameAs,omitempty"` // of the incident that was opened for the same at the same moment, and stays

	// Verifier is the replica that verifies, or did; Beats is when each replica
	// that works on the incident was last heard of.
	Verifier string               `json:"verifier,omitempty"`
	Beats    map[string]time.Time `json:"beats,omitempty"`

	Kept Kept `json:"kept,omitzero"` // the store's last hours, as they are shown

	Asked      []Asked    `json:"asked,omitempty"`   // who wanted the report, the newest wishes
	Letters    []Letter   `json:"letters,omitempty"` // what people have posted of the drafts
	Escalation Escalation `json:"escalation,omitzero"`
	Link       string     `json:"link,omitempty"` // to its message, for people who are not there yet

	// Shown maps the key of a message to where the chat put it. Only the
	// package that shows the incident reads or writes it.
	Shown map[string]string `json:"shown"`
}

// Offer is a fix that the evidence admits.
type Offer struct {
	Scenario string `json:"scenario"`
	Ref      string `json:"ref"` // of the fix
	Action   string `json:"action"`
	Asks     bool   `json:"asks,omitempty"`  // a person may edit its inputs
	Loses    bool   `json:"loses,omitempty"` // the document says that it loses data
}

// OffersFor lists the fixes of one scenario, the one to take first.
func (i Incident) OffersFor(scenario string) []Offer {
	var offers []Offer
	for _, offer := range i.Offers {
		if offer.Scenario == scenario {
			offers = append(offers, offer)
		}
	}
	return offers
}

// Status is the outcome of a step: those of checks, and the two of a step
// that has not ended, and skipped.
type Status = checks.Status

// The outcomes of a step beside those of package checks.
const (
	Pending Status = "pending"
	Running Status = "running"
	Skipped Status = "skipped"
)

// Step is one diagnosis step of an incident.
type Step struct {
	ID       string           `json:"id"`
	Title    string           `json:"title"`
	Check    string           `json:"check"`
	Status   Status           `json:"status"`
	Summary  string           `json:"summary"`  // one line: what was found
	LookFor  string           `json:"lookFor"`  // the document's prose
	Findings []checks.Finding `json:"findings"` // most severe first
	Raw      string           `json:"raw"`      // long output, shown as a file; redacted, bounded
	Kubectl  []string         `json:"kubectl"`  // what a person would type instead
	Took     time.Duration    `json:"took"`
	At       time.Time        `json:"at,omitzero"` // when it began
	Runs     int              `json:"runs"`
	By       Actor            `json:"by"`
	Replica  string           `json:"replica,omitempty"` // that runs it, or ran it
}

// PlanState is where a plan stands.
type PlanState string

// The states of a plan.
const (
	Preparing PlanState = "preparing" // the cluster is being asked
	Proposed  PlanState = "proposed"
	Underway  PlanState = "applying"
	Applied   PlanState = "applied"
	Failed    PlanState = "failed"    // stopped in the middle or refused by the cluster
	Drifted   PlanState = "drifted"   // refused before the first write: the cluster is not as it was
	Uncertain PlanState = "unknown"   // interrupted: nobody knows whether the write arrived
	Cancelled PlanState = "cancelled" // by a person, or replaced by a newer one
	Undone    PlanState = "undone"
)

// Plan is an ordered list of changes, prepared against the live cluster.
type Plan struct {
	Number    int              `json:"number"`
	Fix       string           `json:"fix"`    // reference of the fix in the runbook
	Action    string           `json:"action"` // "repair the configuration"
	State     PlanState        `json:"state"`
	Inputs    []runbook.Value  `json:"inputs,omitempty"` // what people may edit, as it was used
	Changes   []runbook.Change `json:"changes"`
	Writes    []Write          `json:"writes"`
	Holds     Holds            `json:"holds"`
	Debt      string           `json:"debt,omitempty"` // what stays to be put right once it is applied
	Warnings  []string         `json:"warnings"`
	Cautions  []string         `json:"cautions"` // data loss
	By        Actor            `json:"by"`
	MadeAt    time.Time        `json:"madeAt"`
	Until     time.Time        `json:"until"`            // not applied after this
	Second    bool             `json:"second,omitempty"` // somebody else than By must apply it
	Alone     string           `json:"alone,omitempty"`  // why By applied it all the same: the glass was broken
	Digest    string           `json:"digest"`
	Approved  Actor            `json:"approved,omitzero"`
	AppliedAt time.Time        `json:"appliedAt,omitzero"`
	EndedAt   time.Time        `json:"endedAt,omitzero"`
	Undoes    int              `json:"undoes,omitzero"`   // number of the plan that this one puts back
	Progress  string           `json:"progress"`          // the newest word while it is prepared
	Trouble   string           `json:"trouble"`           // why it failed, drifted or is unknown, in a sentence
	HandedBy  Actor            `json:"handedBy,omitzero"` // who asked the approvers to take it, where it stopped
	HandedAt  time.Time        `json:"handedAt,omitzero"`
	Replica   string           `json:"replica,omitempty"` // that prepares it or carries it out, or did
}

// Object names one object of the cluster.
type Object struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	UID  string `json:"uid"`
}

// String is Kind/name, as kubectl writes it.
func (o Object) String() string { return o.Kind + "/" + o.Name }

// Write is one request that a plan sends: all the changes of one object in
// one write, so that a workload rolls out once.
type Write struct {
	Verb    Verb             `json:"verb"`
	Object  Object           `json:"object"`
	Changes []runbook.Change `json:"changes"` // resolved: applying them again gives the same result
	Title   string           `json:"title"`   // "set maxmemory 1024mb in redis-session-config"
	Diff    string           `json:"diff"`    // unified, secrets redacted
	Kubectl string           `json:"kubectl"` // the nearest thing a person would type
	DryRun  string           `json:"dryRun"`  // what the API server said to the dry run: "accepted", or its refusal
	Base    string           `json:"base"`    // fingerprint of what it was prepared against
	Want    string           `json:"want"`    // hash of the content that will be written
	After   string           `json:"after"`   // fingerprint after it was written
	Undo    []runbook.Change `json:"undo"`    // puts the object back
	NoUndo  string           `json:"noUndo"`  // why it cannot be put back, when Undo is empty
	Await   Await            `json:"await,omitempty"`
	Awaited Object           `json:"awaited,omitzero"` // whose rollout or pods it waits for
	// Part numbers the writes of one change that belong together, from 1. The
	// undo of a later one puts back what the earlier ones did, too. 0: alone.
	Part     int         `json:"part,omitempty"`
	Status   WriteStatus `json:"status"`
	Error    string      `json:"error"`
	Progress string      `json:"progress,omitempty"` // the newest word of what it waits for
	Says     []string    `json:"says,omitempty"`     // what came of it: "kept 48,210 commands"
}

// Verb is what a write does.
type Verb string

// The verbs of a write.
const (
	Update  Verb = "update"
	Create  Verb = "create"
	Delete  Verb = "delete"
	Command Verb = "command" // to the running server, over its own protocol
)

// Await is what must be true before a plan goes on after a write.
type Await string

// What a plan waits for.
const (
	Nothing Await = ""
	Rollout Await = "rollout" // the rollout of the object has ended
	Gone    Await = "gone"    // no pod of the object is left
	Job     Await = "job"     // the pod has done its work
	Saved   Await = "saved"   // the running server has written what it holds to its volume
)

// Holds is what the store holds before and after a plan, as far as that can be
// known before anything is done.
type Holds struct {
	Now   int64    `json:"now"`   // keys that it serves now; -1 when not known
	After int64    `json:"after"` // keys that it will serve; -1 when not known
	Says  []string `json:"says"`  // how this is known, or why not
}

// Untold is what a plan holds that nobody asked about.
func Untold() Holds { return Holds{Now: -1, After: -1} }

// Empties reports whether the store comes back without a key.
func (h Holds) Empties() bool { return h.After == 0 && h.Now != 0 }

// WriteStatus is where one write stands.
type WriteStatus string

// The states of a write. Sending is recorded before the request leaves.
const (
	Planned WriteStatus = ""
	Sending WriteStatus = "applying"
	Done    WriteStatus = "done"
	Refused WriteStatus = "refused" // nothing was written
	Broken  WriteStatus = "failed"  // it was written, and what it set going has failed
	Lost    WriteStatus = "unknown" // it may or may not have been written
)

// Entry is one line of the timeline.
type Entry struct {
	At    time.Time `json:"at"`
	Actor Actor     `json:"actor"`
	Text  string    `json:"text"`
}

// Open reports whether the incident still needs somebody.
func (i Incident) Open() bool { return i.State != Closed }

// Plan returns a pointer to the plan of that number, nil when there is none.
func (i *Incident) Plan(number int) *Plan {
	for n := range i.Plans {
		if i.Plans[n].Number == number {
			return &i.Plans[n]
		}
	}
	return nil
}

// Step returns a pointer to the step with that ID, nil when there is none.
func (i *Incident) Step(id string) *Step {
	for n := range i.Steps {
		if i.Steps[n].ID == id {
			return &i.Steps[n]
		}
	}
	return nil
}
