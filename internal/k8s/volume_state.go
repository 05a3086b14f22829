package k8s

import (
	"fmt"
	"time"

	"redis-session-bot/internal/evidence"
)

// volumeState is what the store's volume holds, as a pod of the bot's own has
// found it by loading copies.
type volumeState struct {
	// why nothing, or not everything, is known, as the end of "not known: …";
	// "" when all was read.
	why     string
	place   dataPlace
	now     time.Time // by the clock of the node
	version string    // of Redis
	freeKB  int64     // on the volume; -1 when not known
	files   []volumeFile
	aof     kept
	rdb     kept
	repair  repair   // of aof
	backups []backup // newest first
}

type volumeFile struct {
	name  string // relative to the data folder
	bytes int64
	at    time.Time // last write
}

// kept is one kind of file that a server could load.
type kept struct {
	there   bool
	name    string
	bytes   int64
	at      time.Time // last write
	keys    int64     // that a server has loaded from a copy; -1 when it did not, or was not tried
	trouble string    // what the server said against it, or why it was not tried
}

func (k kept) loads() bool { return k.keys >= 0 }

// stamp tells a file from one that was written later, as the scripts compare it.
func (k kept) stamp() string { return fmt.Sprintf("%d %d", k.bytes, k.at.Unix()) }

// repair is what redis-check-aof says of the append-only file.
type repair struct {
	needed     bool
	impossible string // why --fix must not or cannot be used: "base", "manifest", or its own words
	cut        []cutFile
	from, to   time.Time // when the cut part was written, from the file's own timestamps; zero when not known
	keys       int64     // that a server has loaded from a repaired copy; -1 when not known
}

type cutFile struct {
	name           string
	from, cuts, to int64 // bytes
}

// bytes is how much the repair takes away.
func (r repair) bytes() int64 {
	var sum int64
	for _, one := range r.cut {
		sum += one.cuts
	}
	return sum
}

// backup is something beside the store's own files that a server may load.
type backup struct {
	claim   bool // on the backup claim; else on the store's own
	name    string
	kind    string // aof or rdb: what is loaded of it
	kb      int64
	at      time.Time
	keys    int64 // -1 when it did not load, or was not tried
	trouble string
}

// where is how the scripts name a backup.
func (b backup) where() string {
	if b.claim {
		return backupVolume + "/" + b.name
	}
	return dataVolume + "/" + b.name
}

// keysWith is what a server loads of the files as they are with the append-only
// file switched on or off, and how this is known. -1: not known.
func (s volumeState) keysWith(appendOnly bool) (keys int64, says string) {
	kind, one := "snapshot "+s.place.files.rdbFile, s.rdb
	if appendOnly {
		kind, one = "append-only file", s.aof
	}
	switch {
	case s.why != "" && !one.there:
		return -1, "not known: " + s.why
	case !one.there:
		return 0, fmt.Sprintf("the volume holds no %s", kind)
	case one.loads():
		return one.keys, fmt.Sprintf("a server loaded %d keys from a copy of the %s (%s, last written %s)", one.keys, kind, sizeOf(one.bytes), s.ago(one.at))
	}
	return -1, fmt.Sprintf("the %s does not load: %s", kind, one.trouble)
}

// ago says when something was, by the clock of the node.
func (s volumeState) ago(at time.Time) string {
	if at.IsZero() || s.now.IsZero() {
		return "at a time that is not known"
	}
	return evidence.Age(s.now.Sub(at)) + " ago"
}

// sizeOf is a number of bytes as people say it.
func sizeOf(bytes int64) string {
	for _, unit := range []struct {
		name string
		size int64
	}{{"GB", 1 << 30}, {"MB", 1 << 20}, {"kB", 1 << 10}} {
		if bytes >= unit.size {
			return fmt.Sprintf("%.1f %s", float64(bytes)/float64(unit.size), unit.name)
		}
	}
	return fmt.Sprintf("%d bytes", bytes)
}

// stateOf reads what scripts/read.sh tells.
func stateOf(output workOutput) volumeState {
	s := volumeState{freeKB: -1, aof: kept{keys: -1}, rdb: kept{keys: -1}, repair: repair{keys: -1}, why: "the reading was cut short"}
	for _, fact := range output.facts {
		switch fact.name {
		case "now":
			s.now = fact.time(0)
		case "version":
			s.version = fact.text(0)
		case "free":
			s.freeKB = fact.number(0)
		case "file":
			s.files = append(s.files, volumeFile{name: fact.text(2), bytes: fact.number(0), at: fact.time(1)})
		case "aof":
			s.aof.found(fact)
		case "rdb":
			s.rdb.found(fact)
		case "checked":
			s.repair.needed = fact.text(0) == "no"
		case "unfixable":
			s.repair.impossible = fact.text(0)
		case "cut":
			s.repair.cut = append(s.repair.cut, cutFile{fact.text(0), fact.number(1), fact.number(2), fact.number(3)})
		case "span":
			s.repair.from, s.repair.to = fact.time(0), fact.time(1)
		case "toobig":
			s.tried(fact.text(0), -1, "it is too big to be copied for a try")
		case "unread":
			s.tried(fact.text(0), -1, "it could not be copied for a try")
		case "loads":
			s.loaded(fact)
		case "backup":
			s.backups = append(s.backups, backup{claim: fact.text(0) == backupVolume, name: fact.text(1),
				kind: fact.text(2), kb: fact.number(3), at: fact.time(4), keys: -1, trouble: "it was not tried"})
		case "read":
			s.why = ""
		}
	}
	return s
}

func (k *kept) found(fact workFact) {
	switch fact.text(0) {
	case "there":
		*k = kept{there: true, name: fact.text(1), bytes: fact.number(2), at: fact.time(3), keys: -1, trouble: "it was not tried"}
	case "lost":
		*k = kept{there: true, keys: -1, trouble: "its folder has no manifest"}
	}
}

func (s *volumeState) loaded(fact workFact) {
	if fact.text(1) == "yes" {
		s.tried(fact.text(0), fact.number(2), "")
		return
	}
	trouble := fact.text(2)
	if trouble == "" {
		trouble = "the server ended without a word"
	}
	s.tried(fact.text(0), -1, trouble)
}

func (s *volumeState) tried(label string, keys int64, trouble string) {
	switch label {
	case "aof":
		s.aof.keys, s.aof.trouble = keys, trouble
	case "rdb":
		s.rdb.keys, s.rdb.trouble = keys, trouble
	case "mended":
		s.repair.keys = keys
		if keys < 0 {
			s.repair.impossible = trouble
		}
	}
	for i := range s.backups {
		if s.backups[i].where() == label {
			s.backups[i].keys, s.backups[i].trouble = keys, trouble
		}
	}
}
