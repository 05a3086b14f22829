// Package audit judges how well a store is prepared for its next failure, by
// the eight points of the runbook's list of prevention.
//
// It owns what each point asks for, and the sentence that people read of it. It
// is pure: package k8s reads the Facts, and nothing here asks a cluster.
package audit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/evidence"
)

// Redis is the kind of target that is judged here, as a runbook names it.
const Redis = "redis"

// Facts are what was read of the live store.
type Facts struct {
	Seen    evidence.Evidence // its workload and its pods
	Servers []evidence.Server // one for each pod that runs
	Budgets []Budget          // those that select its pods
	Folder  Folder
	Jobs    []Job // CronJobs that mount a claim of the store's, or the backup claim
	Backup  Backup
	Unknown map[string]string // one of the sources below -> why it is not known, as a sentence
}

// What Facts.Unknown can hold beside the names of Seen's own fields.
const (
	SourceServers = "servers"
	SourceBudgets = "budgets"
	SourceFolder  = "folder"
	SourceJobs    = "jobs"
	SourceBackup  = "backup"
)

// Budget is a PodDisruptionBudget that selects the store's pods.
type Budget struct {
	Name   string
	Rule   string // as its author wrote it: minAvailable 1
	Allows int64  // pods that may be evicted while all are well
}

// Folder is where the store keeps its files.
type Folder struct {
	Path  string
	Where string // what it is on: claim redis-data, an emptyDir
	Kept  bool   // the files outlive the pod
}

// Job is a CronJob.
type Job struct {
	Name      string
	Schedule  string
	Suspended bool
	Claims    []string // that it mounts, of those that matter here
	Succeeded time.Time
}

// Backup is the target's backup claim and what is on it.
type Backup struct {
	Claim string // "" where none is configured
	There bool
	Phase string
	Files []BackupFile // newest first
}

// BackupFile is something on the backup claim that a server may load.
type BackupFile struct {
	Name  string
	Bytes int64
	Age   time.Duration // by the clock of the node that read it
}

// The points.
const (
	PointBudget      = "budget"
	PointReplicas    = "replicas"
	PointSentinel    = "sentinel"
	PointMemory      = "memory"
	PointEviction    = "eviction"
	PointPersistence = "persistence"
	PointBackups     = "backups"
	PointProbes      = "probes"
)

// Point is one point of the list, judged. Fail is what is not there, or defeats
// itself; warn is what is there and will not hold.
type Point struct {
	ID     string
	Title  string
	Status checks.Status
	Says   string   // one sentence, its number first
	Do     string   // what to do; "" where nothing is to be done
	Proof  []string // lines from the cluster: untrusted text
}

// Report is every point of one store.
type Report struct {
	Target evidence.Target
	At     time.Time
	Points []Point
}

// OK reports whether every point is.
func (r Report) OK() bool {
	return !slices.ContainsFunc(r.Points, func(p Point) bool { return p.Status != checks.OK })
}

// Count is how many points have that status.
func (r Report) Count(status checks.Status) int {
	n := 0
	for _, p := range r.Points {
		if p.Status == status {
			n++
		}
	}
	return n
}

// Judge judges every point, in the order of the list.
func Judge(f Facts) Report {
	report := Report{Target: f.Seen.Target, At: f.Seen.At}
	for _, one := range []struct {
		id, title string
		judge     func(Facts) verdict
	}{
		{PointBudget, "Disruption budget", budget},
		{PointReplicas, "Replicas", replicas},
		{PointSentinel, "Sentinel", sentinel},
		{PointMemory, "Memory headroom", memory},
		{PointEviction, "Eviction and expiry", eviction},
		{PointPersistence, "Append-only file", persistence},
		{PointBackups, "Backups", backups},
		{PointProbes, "Probes", probes},
	} {
		v := one.judge(f)
		report.Points = append(report.Points, Point{ID: one.id, Title: one.title, Status: v.status, Says: v.says, Do: v.do, Proof: v.proof})
	}
	return report
}

// verdict is what one point comes to.
type verdict struct {
	status   checks.Status
	says, do string
	proof    []string
}

// with adds lines of proof.
func (v verdict) with(proof ...string) verdict {
	v.proof = append(v.proof, slices.DeleteFunc(proof, func(line string) bool { return line == "" })...)
	return v
}

func ok(format string, args ...any) verdict {
	return verdict{status: checks.OK, says: fmt.Sprintf(format, args...)}
}

func warn(do, format string, args ...any) verdict {
	return verdict{status: checks.Warn, do: do, says: fmt.Sprintf(format, args...)}
}

func fail(do, format string, args ...any) verdict {
	return verdict{status: checks.Fail, do: do, says: fmt.Sprintf(format, args...)}
}

func unknown(do, format string, args ...any) verdict {
	return verdict{status: checks.Unknown, do: do, says: fmt.Sprintf(format, args...)}
}

// missing gives the sentence of the first source that was not read; nil where
// all of them were.
func (f Facts) missing(sources ...string) *verdict {
	for _, source := range sources {
		why, is := f.Unknown[source]
		if !is {
			why, is = f.Seen.Unknown[source]
		}
		if is {
			return &verdict{status: checks.Unknown, says: why}
		}
	}
	return nil
}

// primary is the server whose memory and files count: the one that calls itself
// master, and without one the first that answers. The verdict says why there is none.
func (f Facts) primary() (evidence.Server, *verdict) {
	if v := f.missing(SourceServers); v != nil {
		return evidence.Server{}, v
	}
	var first *evidence.Server
	for i, one := range f.Servers {
		switch {
		case one.Error != "":
		case one.Info["role"] == roleMaster:
			return one, nil
		case first == nil:
			first = &f.Servers[i]
		}
	}
	if first != nil {
		return *first, nil
	}
	v := unknown("Run the diagnosis first.", "0 of %s answer, so this is not known.", count(len(f.Servers), "server"))
	for _, one := range f.Servers {
		v = v.with(fmt.Sprintf("%s: %s", one.Pod, one.Error))
	}
	return evidence.Server{}, &v
}

// refusals are the commands that a server would not answer.
func refusals(s evidence.Server, prefix string) []string {
	var lines []string
	for _, command := range slices.Sorted(maps.Keys(s.Unknown)) {
		if strings.HasPrefix(command, prefix) {
			lines = append(lines, command+": "+s.Unknown[command])
		}
	}
	return lines
}

// count writes "1 pod", "2 pods".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
