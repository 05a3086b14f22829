// Package clustertest holds a cluster that lives in the process, and the suite
// that it passes as the real one does.
//
// The fake owns one queue: its settings, its workload, and the pods that work on
// its disk. It does what a real API server does to a write and nothing else: it
// loses no answer and fails nobody, which is for those who wrap it. It counts
// every effect, so that a write that took effect twice is told from one that did
// not.
package clustertest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/incident/incidenttest"
	"redis-session-bot/internal/redact"
	"redis-session-bot/internal/runbook"
)

// The objects of a queue.
var (
	Settings = incident.Object{Kind: "Settings", Name: "queue-settings", UID: "settings-1"}
	Workload = incident.Object{Kind: "Queue", Name: "queue", UID: "queue-1"}
)

// Edit is what a change of the fake says: that an object gets a value, or is
// rid of it, or that the work is done for which the queue has to stand still.
type Edit struct {
	Object string `json:"object,omitempty"` // name
	Key    string `json:"key,omitempty"`
	Value  string `json:"value,omitempty"` // Now is when the plan is made
	Clear  bool   `json:"clear,omitempty"`
	Work   string `json:"work,omitempty"` // what the disk is afterwards
}

// Now as the value of an Edit is when the plan is made.
const Now = "now"

// The keys that the fake knows itself.
const (
	replicas = "replicas"
	disk     = "disk"
	bad      = "bad" // begins the values that make it ill
)

// Ill is what is wrong with a queue: its object has a bad value. It is well once
// the object has the good one, or any other one where none is named.
type Ill struct {
	Object incident.Object
	Key    string
	Value  string
}

// Effect is one write that has changed something.
type Effect struct {
	Intention string // see Intention
	Object    incident.Object
	At        time.Time
}

// Intention tells the writes of all plans apart: no two that were prepared have
// the same.
func Intention(write incident.Write) string { return write.Kubectl }

// Fake is an incident.Cluster of one queue. Its fields are set before the first
// call.
type Fake struct {
	Now     func() time.Time
	Rollout time.Duration // how long it takes what a write sets going
	Secret  string        // the queue's password: its pods write it into their logs

	mu      sync.Mutex
	objects map[string]*object // by name
	ill     Ill
	effects []Effect
	planned int
}

type object struct {
	of      incident.Object
	version int // of its content
	has     map[string]string
	settled time.Time // when what the last write set going has ended
	by      string    // who wrote last
}

var _ incident.Cluster = (*Fake)(nil)

// the makes the queue when it is asked for first. The caller holds f.mu.
func (f *Fake) the(name string) *object {
	if f.objects == nil {
		f.objects = map[string]*object{
			Settings.Name: {of: Settings, has: map[string]string{}},
			Workload.Name: {of: Workload, has: map[string]string{replicas: "1"}},
		}
	}
	return f.objects[name]
}

// content is a hash of what an object has.
func (o *object) content() string {
	data, err := json.Marshal(o.has)
	if err != nil {
		panic(err) // strings
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// fingerprint is the hash of what settings hold, and UID and version of a
// workload, as package k8s has it.
func (o *object) fingerprint() string {
	if o.of.Kind == Settings.Kind {
		return o.content()
	}
	return o.of.UID + "/" + strconv.Itoa(o.version)
}

func (o *object) change(edit Edit) {
	if edit.Clear {
		delete(o.has, edit.Key)
		return
	}
	o.has[edit.Key] = edit.Value
}

func (o *object) clone() *object {
	copied := *o
	copied.has = maps.Clone(o.has)
	return &copied
}

// Fall makes the queue ill, as something that has happened to the object.
func (f *Fake) Fall(ill Ill) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ill = ill
	o := f.the(ill.Object.Name)
	// Never twice the same value: what has happened is not what a plan wrote, or
	// takes back.
	f.wrote(o, "something", Edit{Key: ill.Key, Value: fmt.Sprintf("%s %d", bad, o.version)})
}

// Edit is somebody else's edit of an object.
func (f *Fake) Edit(of incident.Object, key, value string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wrote(f.the(of.Name), "kubectl-edit", Edit{Key: key, Value: value})
}

// wrote changes an object. The caller holds f.mu.
func (f *Fake) wrote(o *object, by string, edits ...Edit) {
	for _, edit := range edits {
		o.change(edit)
	}
	o.version++
	o.by, o.settled = by, f.Now().Add(f.Rollout)
}

// Effects are the writes that have changed something, in order.
func (f *Fake) Effects() []Effect {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.effects)
}

// State is what every object holds.
func (f *Fake) State() map[string]map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.the(Workload.Name)
	state := map[string]map[string]string{}
	for name, o := range f.objects {
		state[name] = maps.Clone(o.has)
	}
	return state
}

// well reports whether the queue serves. The caller holds f.mu.
func (f *Fake) well() bool {
	if queue := f.the(Workload.Name); queue.has[replicas] == "0" || f.Now().Before(queue.settled) {
		return false
	}
	if f.ill.Key == "" {
		return true
	}
	value, has := f.the(f.ill.Object.Name).has[f.ill.Key]
	return has && !strings.HasPrefix(value, bad) && (f.ill.Value == "" || f.ill.Value == value)
}

// Look gives what every check sees of the queue.
func (f *Fake) Look(evidence.Target) incident.Look { return f }

// Check reads the one pod, and its log.
func (f *Fake) Check(ctx context.Context, check string) (evidence.Bundle, error) {
	if err := ctx.Err(); err != nil {
		return evidence.Bundle{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	bundle := incidenttest.Seen(f.well())
	if check == "logs" {
		text := redact.New(f.Secret).Text("connected with " + f.Secret + "\n")
		bundle.Logs = []evidence.RawLog{{Pod: bundle.Pods.Items[0].Name, Container: "queue", Text: text}}
	}
	return bundle, nil
}

// Prepare resolves changes. Those of one object are one write.
func (f *Fake) Prepare(ctx context.Context, wanted incident.Wanted) (incident.Prepared, error) {
	if err := ctx.Err(); err != nil {
		return incident.Prepared{}, unread(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	wanted.Progress("asking the API server")
	prepared := incident.Prepared{Holds: incident.Untold()}
	drafts := map[string]*object{}
	for part, change := range wanted.Changes {
		edit, err := editOf(change)
		if err != nil {
			return incident.Prepared{}, err
		}
		if edit.Work != "" {
			prepared.Writes = append(prepared.Writes, f.work(wanted.Name, part+1, edit.Work)...)
			continue
		}
		if edit.Value == Now {
			edit.Value = f.Now().UTC().Format(time.RFC3339Nano)
		}
		now := f.the(edit.Object)
		if now == nil {
			return incident.Prepared{}, &incident.Refusal{Says: edit.Object + " is not there."}
		}
		draft := drafts[edit.Object]
		if draft == nil {
			draft = now.clone()
			drafts[edit.Object] = draft
			prepared.Writes = append(prepared.Writes, incident.Write{Verb: incident.Update, Object: now.of, Title: "change " + now.of.Name, Base: now.fingerprint()})
		}
		at := slices.IndexFunc(prepared.Writes, func(w incident.Write) bool { return w.Object == now.of })
		write := &prepared.Writes[at]
		undo := Edit{Object: edit.Object, Key: edit.Key, Value: draft.has[edit.Key]}
		if _, had := draft.has[edit.Key]; !had {
			undo.Clear = true
		}
		draft.change(edit)
		write.Changes = append(write.Changes, changeOf("mend", edit))
		write.Undo = append([]runbook.Change{changeOf("break", undo)}, write.Undo...)
		write.Want = draft.content()
		if now.of == Workload {
			write.Await, write.Awaited = incident.Rollout, Workload
		}
	}
	prepared.Writes = slices.DeleteFunc(prepared.Writes, func(w incident.Write) bool {
		return w.Part == 0 && w.Want == f.the(w.Object.Name).content() // it is so already
	})
	if len(prepared.Writes) == 0 {
		return incident.Prepared{}, &incident.Refusal{Says: "Everything is as the plan would have it already."}
	}
	for i := range prepared.Writes {
		f.planned++
		prepared.Writes[i].DryRun = incident.DryRunAccepted
		prepared.Writes[i].Kubectl = fmt.Sprintf("fake apply %s %d", wanted.Name, f.planned)
	}
	return prepared, nil
}

// work stops the queue, works on its disk, and starts it again. The caller holds f.mu.
func (f *Fake) work(name string, part int, makes string) []incident.Write {
	queue := f.the(Workload.Name)
	was, has := queue.has[disk]
	back := []runbook.Change{changeOf("break", Edit{Work: was})}
	if !has {
		back = []runbook.Change{changeOf("break", Edit{Work: "as it was"})}
	}
	scale := func(title, to string, undo []runbook.Change, await incident.Await) incident.Write {
		draft := queue.clone()
		edit := Edit{Object: Workload.Name, Key: replicas, Value: to}
		draft.change(edit)
		return incident.Write{Verb: incident.Update, Object: Workload, Title: title, Part: part, Base: queue.fingerprint(), Want: draft.content(),
			Changes: []runbook.Change{changeOf("mend", edit)}, Undo: undo, Await: await, Awaited: Workload}
	}
	started := []runbook.Change{changeOf("break", Edit{Object: Workload.Name, Key: replicas, Value: "1"})}
	job := incident.Object{Kind: "Pod", Name: name + "-" + strconv.Itoa(part)}
	return []incident.Write{
		scale("stop queue", "0", started, incident.Gone),
		{Verb: incident.Create, Object: job, Title: "work on the disk", Part: part, Want: makes,
			Changes: []runbook.Change{changeOf("mend", Edit{Work: makes})}, Undo: back, Await: incident.Job, Awaited: job},
		scale("start queue", "1", back, incident.Rollout),
	}
}

func changeOf(kind string, edit Edit) runbook.Change {
	data, err := json.Marshal(edit)
	if err != nil {
		panic(err) // strings
	}
	return runbook.Change{Kind: kind, Args: data}
}

func editOf(change runbook.Change) (edit Edit, err error) {
	if err := json.Unmarshal(change.Args, &edit); err != nil {
		return edit, fmt.Errorf("arguments of %s: %w", change.Kind, err)
	}
	return edit, nil
}

// unread is the answer where the cluster could not be read: nothing was written.
func unread(err error) error {
	return &incident.Refusal{Says: "The cluster could not be read: " + err.Error() + ".", Err: err}
}
