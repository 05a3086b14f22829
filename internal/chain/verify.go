package chain

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"redis-session-bot/internal/incident"
)

// Trail is where a trail is kept.
type Trail interface {
	// Trail gives every entry in the order in which it is kept. An entry that
	// cannot be read is given with its number and an error, and the next follow.
	Trail(ctx context.Context) iter.Seq2[Entry, error]
	// Head gives the newest entry's.
	Head(ctx context.Context) (Head, error)
}

// Incidents are what a trail is held against.
type Incidents interface {
	Get(ctx context.Context, id string) (incident.Incident, error)
	Index(ctx context.Context) ([]incident.Brief, error)
}

// Trouble is one place where a trail, or an incident, was touched.
type Trouble struct {
	N        uint64 `json:"n,omitempty"`        // of the entry; 0: it is about an incident
	Incident string `json:"incident,omitempty"` // "": not known
	Line     int    `json:"line,omitempty"`     // of its timeline; 0: not known
	Says     string `json:"says"`               // a sentence
}

// Report is what a trail was found to be.
type Report struct {
	Entries   uint64
	Incidents int // that it tells of
	From, To  time.Time
	Head      Head
	Troubles  []Trouble // none: nothing was touched
}

// Verify walks a trail and holds it against the incidents, and against heads
// that were kept elsewhere. Its error means that the store could not be read.
func Verify(ctx context.Context, trail Trail, incidents Incidents, kept ...Head) (Report, error) {
	v := verifier{told: map[string]*told{}, kept: map[uint64]string{}}
	for _, head := range kept {
		v.kept[head.N] = head.Hash
	}
	for entry, err := range trail.Trail(ctx) {
		if ctx.Err() != nil {
			return Report{}, ctx.Err()
		}
		v.entry(entry, err)
	}
	v.end()
	index, err := incidents.Index(ctx)
	if err != nil {
		return Report{}, fmt.Errorf("list incidents: %w", err)
	}
	stored := map[string]bool{}
	for _, brief := range index {
		id := brief.ID
		stored[id] = true
		inc, err := incidents.Get(ctx, id)
		switch {
		case ctx.Err() != nil:
			return Report{}, ctx.Err()
		case errors.Is(err, incident.ErrNotFound): // dropped in between
		case err != nil:
			v.say(Trouble{Incident: id, Says: fmt.Sprintf("%s cannot be read: %s.", id, err)})
		default:
			v.incident(inc)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(v.told)) {
		if !stored[id] && !v.told[id].gone {
			v.say(Trouble{Incident: id, Says: fmt.Sprintf("%s is missing: the trail tells of it, the store does not have it, and nothing says that it was dropped.", id)})
		}
	}
	v.report.Incidents = len(v.told)
	return v.report, nil
}

// verifier walks one trail.
type verifier struct {
	report Report
	last   Entry
	lost   bool // the entry before could not be read: its hash is not known
	told   map[string]*told
	kept   map[uint64]string
}

// told is what a trail tells of one incident.
type told struct {
	lines []digest
	gone  bool
}

// digest is what a line says, wherever it stands in the trail.
type digest [sha256.Size]byte

func digestOf(entry Entry) digest {
	entry.N, entry.Hash = 0, ""
	return sha256.Sum256(entry.canonical())
}

func (v *verifier) say(trouble Trouble) { v.report.Troubles = append(v.report.Troubles, trouble) }

// entry holds one entry against the one before it.
func (v *verifier) entry(entry Entry, failure error) {
	if failure != nil {
		v.say(Trouble{N: entry.N, Incident: entry.Incident, Says: fmt.Sprintf("Entry %d cannot be read: %s.", entry.N, failure)})
		v.last, v.lost = entry, true
		return
	}
	about := func(format string, args ...any) {
		v.say(Trouble{N: entry.N, Incident: entry.Incident, Line: entry.Line, Says: fmt.Sprintf(format, args...)})
	}
	before, lost := v.last, v.lost
	v.last, v.lost = entry, false
	switch want := before.N + 1; {
	case entry.N > want+1:
		about("Entries %d to %d are missing.", want, entry.N-1)
	case entry.N == want+1:
		about("Entry %d is missing.", want)
	case entry.N == before.N:
		about("There are two entries %d: one was inserted.", entry.N)
		v.lost = true // nobody knows which the next one follows
	case entry.N < want:
		about("Entry %d stands behind entry %d: it was moved or inserted.", entry.N, before.N)
		v.last, v.lost = before, lost
	case !lost && entry.Hash != entry.hashAfter(before.Hash):
		about("Entry %d (%s, line %d) was changed, or is not the one that followed entry %d.", entry.N, entry.Incident, entry.Line, before.N)
	}
	if hash, ok := v.kept[entry.N]; ok && hash != entry.Hash {
		about("Entry %d has another hash than the head that was kept: it, or what is before it, was written anew.", entry.N)
	}
	delete(v.kept, entry.N)
	v.line(entry, about)
	if v.report.Entries == 0 {
		v.report.From = entry.At
	}
	v.report.Entries++
	v.report.To, v.report.Head = entry.At, v.last.Head()
}

// line adds an entry to what is told of its incident. An entry may stand there
// twice, since a store that died in between writes it again.
func (v *verifier) line(entry Entry, about func(string, ...any)) {
	of := v.told[entry.Incident]
	if of == nil {
		of = &told{}
		v.told[entry.Incident] = of
	}
	switch {
	case entry.Gone:
		of.gone = true
	case entry.Line > len(of.lines):
		if entry.Line > len(of.lines)+1 {
			about("Line %d of %s is told of before line %d.", entry.Line, entry.Incident, len(of.lines)+1)
		}
		for len(of.lines) < entry.Line-1 {
			of.lines = append(of.lines, digest{})
		}
		of.lines = append(of.lines, digestOf(entry))
	case entry.Line < 1 || of.lines[entry.Line-1] != digestOf(entry):
		about("Entry %d tells of line %d of %s once more, and otherwise.", entry.N, entry.Line, entry.Incident)
	}
}

// end tells of heads that the trail does not reach.
func (v *verifier) end() {
	for _, n := range slices.Sorted(maps.Keys(v.kept)) {
		v.say(Trouble{N: n, Says: fmt.Sprintf("The trail ends with entry %d, and a head of entry %d was kept: its end was cut off.", v.last.N, n)})
	}
}

// incident holds a timeline against what the trail tells of it.
func (v *verifier) incident(inc incident.Incident) {
	of := v.told[inc.ID]
	if of == nil {
		of = &told{}
	}
	about := func(line int, format string, args ...any) {
		v.say(Trouble{Incident: inc.ID, Line: line, Says: fmt.Sprintf(format, args...)})
	}
	lines := Lines(inc, 0)
	for n, entry := range lines[:min(len(lines), len(of.lines))] {
		if of.lines[n] != digestOf(entry) {
			about(n+1, "Line %d of %s says otherwise than the trail: one of them was changed.", n+1, inc.ID)
		}
	}
	switch {
	case len(lines) > len(of.lines):
		about(len(of.lines)+1, "Line %d of %s is not in the trail: it was added past the bot, or the bot died before it was; then a start of the bot adds it.", len(of.lines)+1, inc.ID)
	case len(lines) < len(of.lines):
		about(len(lines)+1, "Line %d of %s is in the trail, and not in the incident any more.", len(lines)+1, inc.ID)
	}
}
