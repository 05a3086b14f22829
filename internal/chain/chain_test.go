package chain_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"redis-session-bot/internal/chain"
	"redis-session-bot/internal/incident"
)

// ledger is a trail and its incidents, as a forger finds them.
type ledger struct {
	entries   []chain.Entry
	damaged   map[uint64]bool
	incidents map[string]incident.Incident
}

func (l *ledger) Trail(context.Context) iter.Seq2[chain.Entry, error] {
	return func(yield func(chain.Entry, error) bool) {
		for _, entry := range l.entries {
			var err error
			if l.damaged[entry.N] {
				entry, err = chain.Entry{N: entry.N}, errors.New("the checksum is wrong")
			}
			if !yield(entry, err) {
				return
			}
		}
	}
}

func (l *ledger) Head(context.Context) (chain.Head, error) {
	return l.entries[len(l.entries)-1].Head(), nil
}

func (l *ledger) Get(_ context.Context, id string) (incident.Incident, error) {
	inc, ok := l.incidents[id]
	if !ok {
		return inc, incident.ErrNotFound
	}
	if inc.Runbook == "damaged" {
		return inc, errors.New("the checksum is wrong")
	}
	return inc, nil
}

func (l *ledger) Index(context.Context) (index []incident.Brief, err error) {
	for _, id := range slices.Sorted(maps.Keys(l.incidents)) {
		index = append(index, incident.Brief{ID: id})
	}
	return index, nil
}

func (l *ledger) chain(entries ...chain.Entry) {
	head := chain.Head{}
	if len(l.entries) > 0 {
		head, _ = l.Head(context.Background())
	}
	for _, entry := range entries {
		entry = head.Next(entry)
		l.entries = append(l.entries, entry)
		head = entry.Head()
	}
}

// rechain writes every hash anew, as a forger can.
func (l *ledger) rechain() {
	entries := l.entries
	l.entries = nil
	l.chain(entries...)
}

var at = time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)

// written is a trail of two incidents, line by line in turns, and one that was dropped.
func written() *ledger {
	l := &ledger{damaged: map[uint64]bool{}, incidents: map[string]incident.Incident{}}
	for _, id := range []string{"INC-1", "INC-2", "INC-3"} {
		inc := incident.Incident{ID: id}
		for _, text := range []string{"opened", "ran every step", "approved plan 1", "applied plan 1"} {
			inc.Timeline = append(inc.Timeline, incident.Entry{At: at, Actor: incident.Actor{ID: "U1", Name: "Ada"}, Text: text})
		}
		l.incidents[id] = inc
	}
	for n := range 4 {
		for _, id := range []string{"INC-1", "INC-2", "INC-3"} {
			l.chain(chain.Lines(l.incidents[id], n)[0])
		}
	}
	l.chain(chain.Gone("INC-3", 4, incident.Entry{At: at, Actor: incident.Actor{ID: "bot"}, Text: "dropped"}))
	delete(l.incidents, "INC-3")
	return l
}

// TestTampering: each way to touch a trail or an incident is found, where it is.
func TestTampering(t *testing.T) {
	kept := written().entries[12].Head()
	early := written().entries[6].Head()
	edit := func(l *ledger, n int, text string) { l.entries[n-1].Text = text }
	for name, test := range map[string]struct {
		touch func(l *ledger)
		kept  []chain.Head
		want  []string // each is the start of one trouble
	}{
		"nothing":                     {touch: func(*ledger) {}, kept: []chain.Head{kept, early}},
		"an entry is edited":          {touch: func(l *ledger) { edit(l, 5, "ran nothing") }, want: []string{"Entry 5 (INC-2, line 2) was changed", "Line 2 of INC-2 says otherwise"}},
		"its actor is":                {touch: func(l *ledger) { l.entries[6].Actor = "U2" }, want: []string{"Entry 7 (INC-1, line 3) was changed", "Line 3 of INC-1 says otherwise"}},
		"its time is":                 {touch: func(l *ledger) { l.entries[6].At = at.Add(1) }, want: []string{"Entry 7 (INC-1, line 3) was changed", "Line 3 of INC-1 says otherwise"}},
		"of a dropped incident":       {touch: func(l *ledger) { edit(l, 6, "ran nothing") }, want: []string{"Entry 6 (INC-3, line 2) was changed"}},
		"its hash is":                 {touch: func(l *ledger) { l.entries[4].Hash = strings.Repeat("0", 64) }, want: []string{"Entry 5 (INC-2, line 2) was changed", "Entry 6 (INC-3, line 2) was changed, or is not the one that followed entry 5"}},
		"and its hash written anew":   {touch: func(l *ledger) { edit(l, 5, "x"); l.entries[4] = l.entries[3].Head().Next(l.entries[4]) }, want: []string{"Entry 6 (INC-3, line 2) was changed, or is not the one that followed entry 5", "Line 2 of INC-2 says otherwise"}},
		"and every hash":              {touch: func(l *ledger) { edit(l, 5, "x"); l.rechain() }, want: []string{"Line 2 of INC-2 says otherwise"}},
		"and every hash, with a head": {touch: func(l *ledger) { edit(l, 6, "x"); l.rechain() }, kept: []chain.Head{kept}, want: []string{"Entry 13 has another hash than the head that was kept"}},
		"an entry is dropped":         {touch: func(l *ledger) { l.entries = slices.Delete(l.entries, 4, 5) }, want: []string{"Entry 5 is missing.", "Line 3 of INC-2 is told of before line 2", "Line 2 of INC-2 says otherwise"}},
		"several are": {touch: func(l *ledger) {
			l.entries = slices.Delete(l.entries, 11, 12)
			l.entries = slices.Delete(l.entries, 9, 11)
		}, want: []string{"Entries 10 to 12 are missing.", "Line 4 of INC-1 is not in the trail", "Line 4 of INC-2 is not in the trail"}},
		"the first is":                 {touch: func(l *ledger) { l.entries = l.entries[1:] }, want: []string{"Entry 1 is missing.", "Line 2 of INC-1 is told of before line 1", "Line 1 of INC-1 says otherwise"}},
		"and every hash written anew ": {touch: func(l *ledger) { l.entries = slices.Delete(l.entries, 4, 5); l.rechain() }, want: []string{"Line 3 of INC-2 is told of before line 2", "Line 2 of INC-2 says otherwise"}},
		"an entry is inserted": {touch: func(l *ledger) {
			forged := l.entries[4].Head().Next(chain.Entry{At: at, Incident: "INC-2", Line: 3, Actor: "U1", Text: "took over"})
			l.entries = slices.Insert(l.entries, 5, forged)
		}, want: []string{"There are two entries 6: one was inserted.", "Entry 8 tells of line 3 of INC-2 once more, and otherwise", "Line 3 of INC-2 says otherwise"}},
		"two change places": {touch: func(l *ledger) { l.entries[3], l.entries[4] = l.entries[4], l.entries[3] },
			want: []string{"Entry 4 is missing.", "Entry 4 stands behind entry 5: it was moved or inserted."}},
		"and their numbers": {touch: func(l *ledger) {
			l.entries[3], l.entries[4] = l.entries[4], l.entries[3]
			l.entries[3].N, l.entries[4].N = 4, 5
		}, want: []string{"Entry 4 (INC-2, line 2) was changed", "Entry 5 (INC-1, line 2) was changed", "Entry 6 (INC-3, line 2) was changed, or is not the one that followed entry 5"}},
		"the end is cut off":       {touch: func(l *ledger) { l.entries = l.entries[:11] }, want: []string{"INC-3 is missing: the trail tells of it"}},
		"with a head that is kept": {touch: func(l *ledger) { l.entries = l.entries[:12] }, kept: []chain.Head{kept}, want: []string{"The trail ends with entry 12, and a head of entry 13 was kept", "INC-3 is missing"}},
		"the end of both is cut off": {touch: func(l *ledger) {
			l.entries = l.entries[:10]
			shorten(l, "INC-2", 3)
			l.incidents["INC-3"] = incident.Incident{ID: "INC-3", Timeline: written().incidents["INC-1"].Timeline[:3]}
		}},
		"and a head was kept": {touch: func(l *ledger) {
			l.entries = l.entries[:10]
			shorten(l, "INC-2", 3)
			l.incidents["INC-3"] = incident.Incident{ID: "INC-3", Timeline: written().incidents["INC-1"].Timeline[:3]}
		}, kept: []chain.Head{early, kept}, want: []string{"The trail ends with entry 10, and a head of entry 13 was kept"}},
		"a timeline is edited":  {touch: func(l *ledger) { l.incidents["INC-1"].Timeline[2].Text = "cancelled plan 1" }, want: []string{"Line 3 of INC-1 says otherwise"}},
		"a timeline is cut off": {touch: func(l *ledger) { shorten(l, "INC-1", 3) }, want: []string{"Line 4 of INC-1 is in the trail, and not in the incident any more"}},
		"a line is added to one": {touch: func(l *ledger) {
			inc := l.incidents["INC-1"]
			inc.Timeline = append(inc.Timeline, inc.Timeline[0])
			l.incidents["INC-1"] = inc
		}, want: []string{"Line 5 of INC-1 is not in the trail"}},
		"an incident is taken away": {touch: func(l *ledger) { delete(l.incidents, "INC-2") }, want: []string{"INC-2 is missing: the trail tells of it"}},
		"an incident is brought in": {touch: func(l *ledger) {
			l.incidents["INC-9"] = incident.Incident{ID: "INC-9", Timeline: l.incidents["INC-1"].Timeline}
		}, want: []string{"Line 1 of INC-9 is not in the trail"}},
		"a store that died wrote again": {touch: func(l *ledger) { l.chain(chain.Lines(l.incidents["INC-1"], 3)...) }},
		"an entry is damaged":           {touch: func(l *ledger) { l.damaged[5] = true }, want: []string{"Entry 5 cannot be read: the checksum is wrong", "Line 3 of INC-2 is told of before line 2", "Line 2 of INC-2 says otherwise"}},
		"an incident is damaged":        {touch: func(l *ledger) { l.incidents["INC-1"] = incident.Incident{ID: "INC-1", Runbook: "damaged"} }, want: []string{"INC-1 cannot be read: the checksum is wrong"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := written()
			test.touch(l)
			report, err := chain.Verify(t.Context(), l, l, test.kept...)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, trouble := range report.Troubles {
				got = append(got, trouble.Says)
			}
			if !slices.EqualFunc(got, test.want, strings.HasPrefix) {
				t.Errorf("found:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func shorten(l *ledger, id string, lines int) {
	inc := l.incidents[id]
	inc.Timeline = inc.Timeline[:lines]
	l.incidents[id] = inc
}

func TestTheReport(t *testing.T) {
	l := written()
	report, err := chain.Verify(t.Context(), l, l)
	if err != nil || report.Entries != 13 || report.Incidents != 3 || report.Head != l.entries[12].Head() || !report.From.Equal(at) || !report.To.Equal(at) {
		t.Errorf("%+v, %v", report, err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := chain.Verify(over, l, l); !errors.Is(err, context.Canceled) {
		t.Errorf("over: %v", err)
	}
}

// TestTheHashIsWhatTheDocSays, so that anybody can compute it with jq and sha256sum.
func TestTheHashIsWhatTheDocSays(t *testing.T) {
	inc := incident.Incident{ID: "INC-1", Timeline: []incident.Entry{{At: at.In(time.FixedZone("", 3600)), Actor: incident.Actor{ID: "U1", Name: "Ada <&> \xff\u2028", Team: "T1"}, Text: "said \"no\""}}}
	first := chain.Head{}.Next(chain.Lines(inc, 0)[0])
	line := `{"n":1,"at":"2026-01-02T03:04:05.000000678Z","incident":"INC-1","line":1,"actor":"U1","name":"Ada <&> �\u2028","team":"T1","text":"said \"no\""}`
	sum := sha256.Sum256([]byte("\n" + line))
	if first.Hash != hex.EncodeToString(sum[:]) {
		t.Errorf("the first: %s", first.JSON())
	}
	second := first.Head().Next(chain.Gone("INC-1", 1, incident.Entry{At: at, Text: "dropped"}))
	sum = sha256.Sum256([]byte(first.Hash + "\n" + `{"n":2,"at":"2026-01-02T03:04:05.000000678Z","incident":"INC-1","line":2,"actor":"","name":"","text":"dropped","gone":true}`))
	if second.Hash != hex.EncodeToString(sum[:]) {
		t.Errorf("the second: %s", second.JSON())
	}
	if want := strings.TrimSuffix(line, "}") + `,"hash":"` + first.Hash + `"}`; first.JSON() != want {
		t.Errorf("%s, not %s", first.JSON(), want)
	}
}

func TestHeads(t *testing.T) {
	head := written().entries[3].Head()
	if parsed, err := chain.ParseHead(" " + strings.ToUpper(head.String()) + "\n"); err != nil || parsed != head {
		t.Errorf("%s, %v", parsed, err)
	}
	for _, text := range []string{"", "4", "4:", "0:" + head.Hash, "-1:" + head.Hash, "4:" + head.Hash[1:], "4:" + head.Hash[1:] + "x", "4:" + head.Hash + "00"} {
		if parsed, err := chain.ParseHead(text); err == nil {
			t.Errorf("%q is %s", text, parsed)
		}
	}
}
