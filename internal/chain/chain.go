// Package chain is the audit trail: every line of every incident's timeline in
// the order in which it was stored, each bound by a hash to the one before it.
//
// It owns the form of an entry, its hash, and the judgement of a whole trail. It
// keeps nothing: each store keeps the trail beside its incidents.
//
// The hash of an entry is the SHA-256 of the hash of the one before it ("" for
// the first), a line feed, and the entry itself as one line of JSON without its
// hash. So whoever changes, drops, inserts or moves an entry has to write every
// later hash anew. Somebody who may write to the store can do that: the trail
// alone proves nothing against them. Against a head that is kept elsewhere it
// does: each entry's number and hash stand in the bot's log, and a report names
// the newest. Such a head covers everything before it. What was written after
// the last head that is kept elsewhere can still be cut off.
package chain

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"redis-session-bot/internal/incident"
)

// Entry is one line of the trail: who did what, when, in which incident.
type Entry struct {
	N        uint64    `json:"n"` // its place in the trail, from 1
	At       time.Time `json:"at"`
	Incident string    `json:"incident"`
	Line     int       `json:"line"` // of the incident's timeline, from 1
	Actor    string    `json:"actor"`
	Name     string    `json:"name"`
	Team     string    `json:"team,omitempty"`
	Text     string    `json:"text"`
	// Gone says that the incident was dropped with this line, which stands in
	// no timeline.
	Gone bool   `json:"gone,omitempty"`
	Hash string `json:"hash,omitempty"`
}

// Head is the end of a trail at some time: the number of an entry, and its hash.
// The zero value is the head of an empty trail.
type Head struct {
	N    uint64
	Hash string
}

// String is how people keep a head: 12:9f86d0…
func (h Head) String() string { return fmt.Sprintf("%d:%s", h.N, h.Hash) }

// ParseHead reads what String has written.
func ParseHead(text string) (Head, error) {
	number, hash, found := strings.Cut(strings.TrimSpace(text), ":")
	n, err := strconv.ParseUint(number, 10, 64)
	if raw, wrong := hex.DecodeString(hash); !found || err != nil || n == 0 || wrong != nil || len(raw) != sha256.Size {
		return Head{}, fmt.Errorf("%q is no head; it is written as a number, a colon and 64 hexadecimal digits", text)
	}
	return Head{N: n, Hash: strings.ToLower(hash)}, nil
}

// Lines are the entries of an incident's timeline after the first lines of it,
// without a place in the trail.
func Lines(inc incident.Incident, after int) []Entry {
	var entries []Entry
	for n := after; n < len(inc.Timeline); n++ {
		entries = append(entries, line(inc.ID, n+1, inc.Timeline[n]))
	}
	return entries
}

// Gone is the entry that says that an incident was dropped, after so many lines
// of its timeline.
func Gone(id string, lines int, why incident.Entry) Entry {
	entry := line(id, lines+1, why)
	entry.Gone = true
	return entry
}

func line(id string, number int, of incident.Entry) Entry {
	valid := func(text string) string { return strings.ToValidUTF8(text, "�") } // as JSON gives it back
	return Entry{At: of.At.UTC(), Incident: id, Line: number, Actor: valid(of.Actor.ID), Name: valid(of.Actor.Name), Team: valid(of.Actor.Team), Text: valid(of.Text)}
}

// Next gives an entry its place behind a head, and the hash that binds it there.
func (h Head) Next(entry Entry) Entry {
	entry.N = h.N + 1
	entry.Hash = entry.hashAfter(h.Hash)
	return entry
}

// Head is the head of a trail that ends with the entry.
func (e Entry) Head() Head { return Head{N: e.N, Hash: e.Hash} }

func (e Entry) hashAfter(before string) string {
	e.Hash = ""
	sum := sha256.Sum256(append([]byte(before+"\n"), e.canonical()...))
	return hex.EncodeToString(sum[:])
}

// canonical is the entry as one line of JSON, without a line feed.
func (e Entry) canonical() []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(e); err != nil { // only a time beyond the year 9999
		return fmt.Appendf(nil, "%+v", e)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// JSON is the entry as one line, with its hash as the last key: without it, it is
// what was hashed.
func (e Entry) JSON() string { return string(e.canonical()) }
