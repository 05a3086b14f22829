package k8s

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

// storeFacts is what is known of the store before a plan that makes its pod
// anew: of the server that runs, of the configuration that the next one starts
// with, and of the folder between them.
type storeFacts struct {
	keys    int64  // that the server serves now; -1 when not known
	unknown string // why that is not known, a sentence
	loading bool
	linked  bool // it follows a master that answers
	unsaved bool // its last write to the volume has failed

	running settings // as the server that runs has them
	next    settings // as the next one will have them
	hidden  string   // why next is not known, a sentence

	disk     onDisk
	folder   folderFate
	used     int64  // bytes of memory that the keys take; 0 when not known
	fromDisk bool   // somebody wants what is on the volume, not what is in memory
	pod      string // that was asked
	saved    string // when it has written its last snapshot, as it tells it
}

// onDisk is what a start loads of the files as they are on the volume now.
type onDisk struct {
	asked bool
	keys  int64  // with next; -1 when not known
	other int64  // of the kind of file that next does not load; 0 for none, or not known
	says  string // how this is known, or why not, without a full stop
}

// settings are those that decide what a server loads when it starts.
type settings struct {
	appendOnly bool
	points     bool   // it has save points, so that it saves when it is told to stop
	dir        string // "" when not set
	snapshot   string // file name
	appendDir  string // folder of the append-only files, from Redis 7 on
	appendFile string
	maxMemory  int64 // 0: no bound
	evicts     bool  // its policy removes keys to stay below maxMemory
	follows    bool  // it is a replica
}

// folderFate is what becomes of the folder that the data is in.
type folderFate int

const (
	folderStays   folderFate = iota // the new pod finds it as it is
	folderGoes                      // it ends with the pod
	folderOther                     // the new pod mounts another volume
	folderUnknown                   // nobody can say where the next server looks
)

// promise is what can be said before the click.
type promise struct {
	holds    incident.Holds
	cautions []string
	warnings []string
	first    keeping // what the running server has to do before everything else; "" for nothing
}

// promiseOf decides what the store will hold after its pod was made anew.
//
// What it knows was tried on Redis 7.0.15: a server with appendonly yes loads
// its append-only files and nothing else, so that it starts empty beside the
// best snapshot; one with appendonly no loads the snapshot alone. A server that
// has save points when it is told to stop writes a snapshot, whatever the file
// says by then. CONFIG SET appendonly yes writes all that is in memory, and
// throws away what the append-only files held before.
func promiseOf(f storeFacts) promise {
	p := f.judge()
	if f.next.follows && !f.running.follows && f.hidden == "" {
		p.warnings = append(p.warnings, "its configuration makes it a replica when it starts: it takes no writes then, and what its master holds replaces what it holds")
	}
	return p
}

func (f storeFacts) judge() promise {
	if f.folder == folderGoes {
		return f.empty("The folder with its data ends with the pod: it is on no volume that outlives it.")
	}
	if f.keys < 0 {
		return f.notAsked()
	}
	switch {
	case f.loading:
		p := f.untold(fmt.Sprintf("Redis is loading its data now: how many sessions that is will be known when it has ended. %s", f.loads()))
		p.warnings = append(p.warnings, "Redis is loading its data: a restart starts the loading over. Wait for its end where you can")
		return p
	case f.hidden != "":
		return f.untold(f.hidden)
	case f.folder == folderOther:
		return f.untold("The new pod mounts another volume, and what that holds is not known.")
	case f.folder == folderUnknown:
		return f.untold("Where the next server looks for its data is not known: the configuration does not say its dir.")
	case f.linked && f.running.follows && f.next.follows:
		return f.about("It follows a master that answers, and takes everything from there.")
	case f.keys == 0:
		return f.fromVolume("It holds no session now.")
	case f.fromDisk:
		p := f.fromVolume(fmt.Sprintf("It holds %s now.", sessions(f.keys)))
		p.cautions = append(p.cautions, fmt.Sprintf("The %s that it holds now are replaced by what is on the volume.", sessions(f.keys)))
		return p
	case f.moved() != "":
		return f.empty(f.moved())
	}
	return f.bounded(f.loaded())
}

// loaded is the promise for a folder that stays where it is.
func (f storeFacts) loaded() promise {
	switch {
	case f.next.appendOnly && f.running.appendOnly && f.unsaved:
		p := f.untold("Its last write to the append-only file has failed: what a restart finds there is not known.")
		p.warnings = append(p.warnings, "the append-only file is not up to date: mend the disk before you restart")
		return p
	case f.next.appendOnly && f.running.appendOnly:
		return f.about("It loads its append-only file, which has all of them.")
	case f.next.appendOnly:
		p := f.about("With appendonly yes it loads no snapshot. So the running server writes its append-only file first, and the rest waits until that is whole.")
		p.first = keepAppendOnly
		return p
	case f.running.points && f.unsaved:
		p := f.about("Its last snapshot has failed, so it has to write one first; the rest waits until that is whole.")
		p.first = keepSnapshot
		return p
	case f.running.points:
		return f.about("It saves a snapshot when it is told to stop, and loads that.")
	}
	p := f.about("It has no save points, so it would not save when it is told to stop. It writes a snapshot first; what is written after that is lost.")
	p.first = keepSnapshot
	if !f.next.points {
		p.warnings = append(p.warnings, "with neither appendonly nor save points the next restart, too, knows nothing of what was written since this snapshot")
	}
	return p
}

// moved says how the next server looks elsewhere than where the data is; ""
// where it does not.
func (f storeFacts) moved() string {
	was, is := f.running, f.next
	switch {
	case is.dir != was.dir:
		return fmt.Sprintf("The next server looks for its data in %s, and it is in %s.", is.dir, was.dir)
	case is.appendOnly && was.appendOnly && (is.appendFile != was.appendFile || is.appendDir != was.appendDir):
		return "The next server looks for append-only files of another name."
	case !is.appendOnly && is.snapshot != was.snapshot:
		return fmt.Sprintf("The next server looks for the snapshot %s, and it is written to %s.", is.snapshot, was.snapshot)
	}
	return ""
}

// bounded takes a promise back that the memory of the next server does not allow.
func (f storeFacts) bounded(p promise) promise {
	if f.used == 0 || f.next.maxMemory == 0 || f.used <= f.next.maxMemory {
		return p
	}
	bound, used := evidence.Bytes(f.next.maxMemory), evidence.Bytes(f.used)
	if f.next.evicts {
		p.holds.After = -1
		p.holds.Says = append(p.holds.Says, fmt.Sprintf("maxmemory %s is below the %s that they take: it throws sessions out until they fit.", bound, used))
		p.cautions = append(p.cautions, fmt.Sprintf("Sessions are lost: maxmemory %s is below the %s that they take now.", bound, used))
		return p
	}
	p.warnings = append(p.warnings, fmt.Sprintf("maxmemory %s is below the %s that the sessions take now: it refuses writes", bound, used))
	return p
}

// about promises what it serves now.
func (f storeFacts) about(how string) promise {
	return promise{holds: incident.Holds{Now: f.keys, After: f.keys,
		Says: []string{fmt.Sprintf("After it: about %s (%s before). %s", sessions(rounded(f.keys)), grouped(f.keys), how)}}}
}

// untold promises nothing.
func (f storeFacts) untold(why string) promise {
	now := f.keys
	if f.loading {
		now = -1 // what is loaded so far says nothing
	}
	return promise{holds: incident.Holds{Now: now, After: -1, Says: []string{"After it: not known. " + why}}}
}

// notAsked is the promise for a server that could not be asked.
func (f storeFacts) notAsked() promise {
	if f.hidden != "" || f.folder != folderStays {
		return f.untold(f.unknown)
	}
	return f.fromVolume(f.unknown)
}

// fromVolume is the promise where what counts is on the volume.
func (f storeFacts) fromVolume(now string) promise {
	switch {
	case !f.disk.asked:
		return f.untold(now + " " + f.loads() + " What is in it is not known.")
	case f.disk.keys < 0:
		return f.untold(fmt.Sprintf("%s %s What is in it: %s.", now, f.loads(), f.disk.says))
	case f.disk.keys > 0:
		return promise{holds: incident.Holds{Now: f.keys, After: f.disk.keys,
			Says: []string{fmt.Sprintf("After it: about %s. %s %s", sessions(rounded(f.disk.keys)), now, upper(f.disk.says)+".")}}}
	}
	p := promise{holds: incident.Holds{Now: f.keys, After: 0, Says: []string{fmt.Sprintf("After it: no session. %s %s %s", now, f.loads(), upper(f.disk.says)+".")}}}
	if f.disk.other > 0 {
		p.cautions = append(p.cautions, fmt.Sprintf("The store comes back empty: the volume has %s in a file that this configuration does not load.", sessions(f.disk.other)))
	}
	return p
}

func upper(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// empty is the promise that everybody must know before the click.
func (f storeFacts) empty(why string) promise {
	lost := "all sessions are lost."
	switch {
	case f.keys == 0:
		return promise{holds: incident.Holds{Now: 0, After: 0, Says: []string{"It holds no session now, and comes back empty. " + why}}}
	case f.keys == 1:
		lost = "1 session is lost."
	case f.keys > 1 && !f.loading:
		lost = sessions(f.keys) + " are lost."
	}
	now := f.keys
	if f.loading {
		now = -1
	}
	return promise{holds: incident.Holds{Now: now, After: 0, Says: []string{why}}, cautions: []string{"The store comes back empty: " + lost}}
}

// loads says what the next server reads.
func (f storeFacts) loads() string {
	if f.next.appendOnly {
		return "A start loads the append-only files on the volume, and no snapshot."
	}
	return "A start loads the snapshot on the volume, and no append-only file."
}

func sessions(n int64) string {
	if n == 1 {
		return "1 session"
	}
	return grouped(n) + " sessions"
}

// grouped writes 12403 as 12,403.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// rounded keeps three digits of a number that moves while people read it.
func rounded(n int64) int64 {
	if n < 1000 {
		return n
	}
	unit := int64(math.Pow10(int(math.Log10(float64(n))) - 2))
	return (n + unit/2) / unit * unit
}
