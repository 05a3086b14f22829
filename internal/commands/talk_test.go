package commands_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/incident/incidenttest"
	"redis-session-bot/internal/runbook"
	"redis-session-bot/internal/store/memory"
)

// queueBook has a fix that asks, one that loses data, and measures.
var queueBook = incidenttest.Runbook{Scenarios: `### Broken
It does not run.
` + "```yaml" + `
id: broken
signs:
  - when: pods.exists(p, !p.ready)
    says: ${pods[0].name} is not ready
    weight: decisive
fixes:
  - action: give it more
    inputs:
      - {id: limit, label: Memory limit, hint: such as 1.5Gi, value: 1Gi}
      - {id: cache, label: Cache, value: 512Mi}
    require:
      - that: bytes_of(input.limit) >= bytes_of(input.cache)
        says: "the limit ${input.limit} is less than the cache ${input.cache}"
    changes:
      - mend: {limit: "${input.limit}"}
  - id: empty
    action: start empty
    caution: every message in it is gone
    changes:
      - mend: {}
` + "```" + `
`, Measures: `### Roll back
` + "```yaml\nid: rollback\naction: roll back to the last good one\nchanges:\n  - mend: {}\n```" + `
### Fall back
` + "```yaml\nid: fallback\naction: keep messages in memory\ndebt: messages live in memory only\nchanges:\n  - mend: {}\n```" + `
### End of the fallback
` + "```yaml\nid: fallback-end\naction: keep messages on disk again\nchanges:\n  - mend: {}\n```" + `
### Restore
` + "```yaml\nid: restore\naction: put a backup back\ninputs:\n  - {id: backup, label: Name of the backup, value: \"${size(pods) > 5 ? 'newest' : ''}\"}\nchanges:\n  - mend: {backup: \"${input.backup}\"}\n```" + `
`, Drafts: "### To users\n```yaml" + `
id: users
text: |
  Orders wait since ${began}.
  The cause is known (${cause}).
  It is mended since ${mended}.
  ${promised >= 0 ? 'About ' + string(promised) + ' of ' + string(held) + ' messages are kept.' : ''}
  ${size(usage) > 0 ? 'It is used.' : ''}

  Nothing has to be done, ${redis[0].pod}.
` + "```\n"}

// shop is a cluster whose queue is broken until a write mends it.
type shop struct {
	mu     sync.Mutex
	mended bool
	fails  error // of the second write
	holds  incident.Holds
	keys   float64 // that Prometheus kept, and then none; 0: it was not asked
}

func (c *shop) Look(evidence.Target) incident.Look { return c }

func (c *shop) Check(context.Context, string) (evidence.Bundle, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := incidenttest.Seen(c.mended)
	if c.keys > 0 {
		seen.Prometheus = kept(c.keys, c.mended)
	}
	return seen, nil
}

// kept are five minutes of keys, none of them left in the middle, and back at
// the end where it is mended.
func kept(keys float64, mended bool) *evidence.Prometheus {
	var p evidence.Prometheus
	for n, value := range []float64{keys, keys, 0, 0, 0} {
		if n == 4 && mended {
			value = keys
		}
		at := time.Date(2026, 1, 2, 2, 55+n, 0, 0, time.UTC)
		p.Keys = append(p.Keys, evidence.Sample{At: at, Value: value})
		p.Memory = append(p.Memory, evidence.Sample{At: at, Value: 250 << 20})
		p.MaxMemory = append(p.MaxMemory, evidence.Sample{At: at, Value: 256 << 20})
	}
	return &p
}

func (c *shop) Prepare(_ context.Context, wanted incident.Wanted) (incident.Prepared, error) {
	var writes []incident.Write
	for i, change := range wanted.Changes {
		for n, name := range []string{"queue-config", "queue"} {
			writes = append(writes, incident.Write{Verb: incident.Update, Object: incident.Object{Kind: "Queue", Name: name}, Changes: []runbook.Change{change},
				Title: fmt.Sprintf("%s %s %s", change.Kind, name, change.Args), DryRun: incident.DryRunAccepted, Base: fmt.Sprint(i, n),
				Undo: []runbook.Change{{Kind: "mend", Args: json.RawMessage(`{}`)}}})
		}
	}
	return incident.Prepared{Writes: writes, Holds: c.holds}, nil
}

func (c *shop) Unchanged(context.Context, evidence.Target, []incident.Write) error { return nil }

func (c *shop) Apply(_ context.Context, _ evidence.Target, write incident.Write, _ incident.Actor) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if write.Object.Name == "queue" {
		if err := c.fails; err != nil {
			c.fails = nil
			return "", err
		}
		c.mended = true
	}
	return write.Base, nil
}

func (c *shop) Settle(context.Context, evidence.Target, incident.Write, func(string)) ([]string, error) {
	return nil, nil
}

func (c *shop) Arrived(context.Context, evidence.Target, incident.Write) (bool, string, error) {
	return true, "", nil
}

// roles lets Ada diagnose and Bob apply.
type roles struct{}

func (roles) Allows(_ context.Context, actor incident.Actor, role incident.Role) error {
	if actor.ID == bob.ID || actor.ID == ada.ID && role == incident.Responder {
		return nil
	}
	return &incident.Refusal{Says: "You may not."}
}

// desk is a handler over a queue, and the last Form that each person was asked.
type desk struct {
	*commands.Handler
	cluster *shop
	forms   map[string]*commands.Form
	ticks   sync.Mutex
	now     time.Time
	fired   map[string]time.Time
	pager   *pager
}

// Now is a second later each time.
func (d *desk) Now() time.Time {
	d.ticks.Lock()
	defer d.ticks.Unlock()
	d.now = d.now.Add(time.Second)
	return d.now
}

// pager takes every page until it is broken.
type pager struct{ fails error }

func (p *pager) Call(context.Context, incident.Summons) (string, error) { return "ref", p.fails }

// configure has two levels paged, and a response invoked.
func (d *desk) configure(name string) {
	d.pager = &pager{}
	d.Incidents.Pagers = map[string]incident.Pager{name: d.pager}
	d.Incidents.Runbooks["queue"].EscalateAfter = 30 * time.Minute
	d.Incidents.Escalation = incident.Policy{Remind: 10 * time.Minute, Response: incident.Response{Who: "the crisis team", Pagers: []string{name}},
		Levels: []incident.Level{{Who: "@oncall", Pagers: []string{name}, Every: 10 * time.Minute, Times: 2}, {Who: "@lead", Pagers: []string{name}, After: 30 * time.Minute}}}
}

// wait lets time pass, and then the clock of the open incidents strike.
func (d *desk) wait(t *testing.T, span string) string {
	t.Helper()
	waits, err := time.ParseDuration(span)
	if err != nil {
		t.Fatal(err)
	}
	d.ticks.Lock()
	d.now = d.now.Add(waits)
	d.ticks.Unlock()
	all, err := d.Incidents.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, inc := range all {
		if _, err := d.Incidents.Escalate(t.Context(), inc.ID); err != nil {
			t.Fatal(err)
		}
	}
	d.Incidents.Wait()
	return ""
}

// alert is what Alertmanager sends: the alert of that name fires now, or what
// fired is resolved.
func (d *desk) alert(t *testing.T, name string, fires bool) {
	t.Helper()
	alert := incident.Alert{Fingerprint: name, Name: name, StartsAt: d.Now(), Labels: map[string]string{"job": "queue"}, Says: name + ", says the rule."}
	if fires {
		d.fired[name] = alert.StartsAt
	} else {
		alert.StartsAt, alert.EndsAt = d.fired[name], alert.StartsAt
	}
	err := d.Incidents.Alerted(t.Context(), incident.Notice{Runbook: "queue", Target: d.Targets[0], Place: incident.Place{Channel: "C1"}, Alerts: []incident.Alert{alert}})
	if err != nil {
		t.Fatal(err)
	}
	d.Incidents.Wait()
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{cluster: &shop{holds: incident.Untold()}, forms: map[string]*commands.Form{}, fired: map[string]time.Time{}, now: time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)}
	log := slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(context.Background())
	book := queueBook.Load(t)
	s := &incident.Service{Runbooks: map[string]*runbook.Runbook{"queue": book}, Checks: checks.Named(), Cluster: d.cluster, Store: &memory.Store{}, Roles: roles{},
		Alerting: incident.Alerting{Auto: true, ReopenWithin: time.Hour}, Kubectl: func(evidence.Target, evidence.Workload, string) []string { return nil }, Changed: func(string) {}, Log: log, Background: ctx,
		Limits: incident.Limits{Step: time.Second, Prepare: time.Second, PlanValid: time.Hour, Settle: time.Second, Undone: time.Second, Verify: 20 * time.Millisecond, Poll: time.Millisecond, Recovery: time.Millisecond},
		Now:    d.Now}
	t.Cleanup(func() { cancel(); s.Wait() })
	target := book.Target
	target.Name = "default"
	d.Handler = &commands.Handler{Incidents: s, Command: "queue", Approvers: []string{"@oncall"}, Targets: []evidence.Target{target}, Log: log}
	return d
}

// say does one line of a conversation and gives what the person sees of it.
func (d *desk) say(t *testing.T, line string) string {
	t.Helper()
	words := strings.SplitN(line, " ", 3)
	if len(words) != 3 {
		t.Fatalf("no line of a conversation: %q", line)
	}
	people := map[string]incident.Actor{"ada": ada, "bob": bob, "eve": {ID: "U_EVE", Name: "Eve", Team: "T1"}}
	r := commands.Request{Actor: people[words[0]], Place: incident.Place{Channel: "C1"}}
	if words[0] == "bob" {
		r.Zone = time.FixedZone("Europe/Berlin", 3600) // by its name it is what the report finds
	}
	switch words[1] {
	case "types":
		r.Command, r.Text, _ = strings.Cut(strings.TrimPrefix(words[2], "/"), " ")
	case "presses":
		button := d.button(t, words[2])
		r.Action, r.Value = button.ID, button.Value
	case "fills":
		form := d.forms[words[0]]
		if form == nil {
			t.Fatalf("%s has no form open", words[0])
		}
		r.Action, r.Value, r.Answers = form.ID, form.Value, map[string]string{}
		for _, input := range form.Inputs {
			r.Answers[input.ID] = input.Value
		}
		for _, answer := range strings.Split(words[2], ", ") {
			id, value, _ := strings.Cut(answer, "=")
			r.Answers[id] = value
		}
	case "elsewhere":
		r.Place.Channel = "C2"
		r.Command, r.Text, _ = strings.Cut(strings.TrimPrefix(words[2], "/"), " ")
	case "fires", "resolves":
		d.alert(t, words[2], words[1] == "fires")
		return ""
	case "fails":
		d.cluster.mended = false
		return ""
	case "heals":
		d.cluster.mended = true
		return ""
	case "opens":
		return d.file(t, words[2])
	case "sees":
		return d.seen(t, words[2])
	case "empties":
		d.cluster.holds = incident.Holds{Now: 7, After: 0, Says: []string{words[2]}}
		return ""
	case "needs":
		d.Incidents.Second = incident.SecondPerson(words[2])
		return ""
	case "breaks":
		d.Incidents.BreakGlass = incident.BreakGlass{To: 24 * time.Hour, Zone: time.UTC}
		return ""
	case "keeps":
		keys, err := strconv.ParseFloat(words[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		d.cluster.keys = keys
		return ""
	case "loses":
		d.cluster.fails = &incident.Refusal{Says: words[2]}
		return ""
	case "configures":
		d.configure(words[2])
		return ""
	case "silences":
		d.pager.fails = &incident.Refusal{Says: words[2]}
		return ""
	case "mends":
		d.pager.fails = nil
		return ""
	case "waits":
		return d.wait(t, words[2])
	default:
		t.Fatalf("no line of a conversation: %q", line)
	}
	reply := d.Handle(t.Context(), r)
	d.Incidents.Wait()
	if reply.Form != nil {
		d.forms[words[0]] = reply.Form
	}
	return replied(reply)
}

// button finds the newest one whose label begins so, in any message.
func (d *desk) button(t *testing.T, label string) commands.Button {
	t.Helper()
	all, err := d.Incidents.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var found *commands.Button
	for _, inc := range all {
		for _, message := range d.Messages(inc) {
			for _, part := range message.View.Parts {
				if row, ok := part.(commands.Buttons); ok {
					for _, button := range row.Buttons {
						if strings.HasPrefix(button.Label, label) {
							found = &button
						}
					}
				}
			}
		}
	}
	if found == nil {
		t.Fatalf("there is no button %q", label)
	}
	return *found
}

// seen is the newest message with that key.
func (d *desk) seen(t *testing.T, key string) string {
	t.Helper()
	all, err := d.Incidents.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := "no such message\n"
	for _, inc := range all {
		for _, message := range d.Messages(inc) {
			if message.Key == key {
				text = printed([]commands.Message{message})
			}
		}
	}
	return text
}

// file is the text of the newest message's file.
func (d *desk) file(t *testing.T, key string) string {
	t.Helper()
	all, err := d.Incidents.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := "no such file\n"
	for _, inc := range all {
		for _, message := range d.Messages(inc) {
			if message.Key == key && len(message.Files) == 1 {
				text = message.Files[0].Text
				if draw := message.Files[0].Draw; draw != nil {
					text = measured(t, draw)
				}
			}
		}
	}
	return text
}

// measured draws a picture and says how large it is.
func measured(t *testing.T, draw func(context.Context) ([]byte, error)) string {
	t.Helper()
	data, err := draw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(data) == 0 {
		return "no picture\n"
	}
	read, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("a picture of %d × %d\n", read.Width, read.Height)
}

func replied(reply commands.Reply) string {
	var b strings.Builder
	if reply.Whisper != nil {
		b.WriteString(printed([]commands.Message{{Key: "whisper", View: *reply.Whisper}}))
	}
	if reply.Post != nil {
		message := *reply.Post
		message.Key = "post"
		b.WriteString(printed([]commands.Message{message}))
	}
	if form := reply.Form; form != nil {
		b.WriteString(printed([]commands.Message{{Key: "form " + form.ID + " " + form.Value, View: commands.View{Summary: form.Title, Parts: form.Parts}}}))
		for _, input := range form.Inputs {
			fmt.Fprintf(&b, "<%s> %s (%s) %q\n", input.ID, input.Label, input.Hint, input.Value)
		}
		fmt.Fprintf(&b, "[%s]\n", form.Submit)
	}
	for input, says := range reply.Wrong {
		fmt.Fprintf(&b, "wrong <%s> %s\n", input, says)
	}
	return b.String()
}

// TestTalks plays each conversation: lines that begin with > are what people
// do, the others what they see.
func TestTalks(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "talks", "*.talk"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no conversations: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".talk"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d := newDesk(t)
			var got strings.Builder
			for line := range strings.Lines(string(want)) {
				if does, ok := strings.CutPrefix(strings.TrimSpace(line), "> "); ok {
					fmt.Fprintf(&got, "> %s\n%s", does, d.say(t, does))
				} else if strings.HasPrefix(line, "# about:") {
					got.WriteString(line)
				}
			}
			if *update {
				if err := errors.Join(os.WriteFile(file, []byte(got.String()), 0o644)); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("golden (-), now (+):\n%s", diff)
			}
		})
	}
}
