package audit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"redis-session-bot/internal/evidence"
)

// persistence asks that a restart brings the sessions back, but for a second.
func persistence(f Facts) verdict {
	primary, v := f.primary()
	if v != nil {
		return *v
	}
	proof := []string{fmt.Sprintf("last write to it %s, last rewrite %s, %s fsyncs were late", primary.Info["aof_last_write_status"],
		primary.Info["aof_last_bgrewrite_status"], orZero(primary.Info["aof_delayed_fsync"]))}
	save, saves := primary.Settings["save"]
	on := primary.Info["aof_enabled"] == "1"
	const doAppend = "Run CONFIG SET appendonly yes first and write it to the configuration then: the other way round it comes back empty."
	switch {
	case !on && saves && save == "":
		return fail(doAppend, "0 files are written: a restart comes back with no sessions.")
	case !on && !saves:
		return warn(doAppend, "0 writes are in an append-only file; whether snapshots are made is not known.").with(refusals(primary, "CONFIG GET save")...)
	}
	if v := f.missing(SourceFolder); v != nil {
		return *v
	}
	fsync, known := primary.Settings["appendfsync"]
	switch {
	case !f.Folder.Kept:
		return fail("Put the folder on a claim.", "0 of its files outlive the pod: %s is on %s.", f.Folder.Path, f.Folder.Where)
	case !on:
		return warn(doAppend, "%s of sessions may be lost: there are only snapshots (save %s).", window(save), save)
	case primary.Info["aof_last_write_status"] == "err" || primary.Info["aof_last_bgrewrite_status"] == "err":
		return fail("Run the diagnosis: the volume may be full.", "0 of the newest writes may be on disk: the append-only file cannot be written.").with(proof...)
	case !known:
		return unknown("Let the bot's user run CONFIG GET.", "How much a crash loses is not known: the server does not say when it calls fsync.").with(refusals(primary, "CONFIG GET appendfsync")...)
	case fsync == "no":
		return warn("Set appendfsync everysec.", "30 s of sessions may be lost when the node goes: appendfsync no leaves it to the kernel when they are on disk.").with(proof...)
	case fsync == "always":
		return ok("0 s of sessions may be lost: the append-only file is on %s, with an fsync at every write.", f.Folder.Where).with(proof...)
	}
	return ok("1 s of sessions may be lost: the append-only file is on %s, with an fsync every second.", f.Folder.Where).with(proof...)
}

// window is the longest time that save points leave a write in memory alone.
func window(save string) string {
	longest := 0
	for i, word := range strings.Fields(save) {
		if i%2 == 0 {
			longest = max(longest, number(word))
		}
	}
	return evidence.Age(time.Duration(longest) * time.Second)
}

func orZero(text string) string {
	if text == "" {
		return "0"
	}
	return text
}

// stale is how old the newest backup may be: a day, and what it takes.
const stale = 26 * time.Hour

// backups asks for a copy that the store's own volume does not take with it.
func backups(f Facts) verdict {
	own := f.Seen.Workload.Claims
	jobs := func(claims ...string) (all []Job) {
		for _, one := range f.Jobs {
			if slices.ContainsFunc(one.Claims, func(claim string) bool { return slices.Contains(claims, claim) }) {
				all = append(all, one)
			}
		}
		return all
	}
	const doSet = "Copy the files to another claim by a CronJob, and name it as the target's backup in the configuration."
	if f.Backup.Claim == "" {
		if v := f.missing(SourceJobs, "workload"); v != nil {
			return *v
		}
		if reading := jobs(own...); len(reading) > 0 {
			return warn("Name the claim that it writes to as the target's backup in the configuration.",
				"%s the store's claim; what it keeps is not known.", numbered(len(reading), "CronJob mounts", "CronJobs mount")).with(lines(reading, f.Seen.At)...)
		}
		return fail(doSet, "0 backups are known: the target names no backup claim, and no CronJob mounts the store's.")
	}
	if v := f.missing(SourceBackup); v != nil {
		return *v
	}
	name := f.Backup.Claim
	switch {
	case !f.Backup.There:
		return fail("Create it, or name the right one in the configuration.", "0 backups: there is no claim %s.", name)
	case f.Backup.Phase != "Bound":
		return fail("Look at its events.", "0 backups: the claim %s is %s.", name, f.Backup.Phase)
	}
	writing, proof := jobs(name), files(f.Backup.Files)
	if why, missing := f.Unknown[SourceJobs]; missing {
		proof = append(proof, why)
	}
	proof = append(proof, lines(writing, f.Seen.At)...)
	if len(f.Backup.Files) == 0 {
		return fail("Let a CronJob copy the files there.", "0 backups are on the claim %s.", name).with(proof...)
	}
	newest := f.Backup.Files[0]
	switch {
	case newest.Age > stale:
		return warn("Look at what writes them.", "%s old is the newest of %s on the claim %s.", evidence.Age(newest.Age), count(len(f.Backup.Files), "backup"), name).with(proof...)
	case slices.ContainsFunc(writing, func(j Job) bool { return j.Suspended }):
		return warn("Let it run again.", "%s on the claim %s, and a CronJob that writes there is suspended.", numbered(len(f.Backup.Files), "backup is", "backups are"), name).with(proof...)
	}
	return ok("%s on the claim %s, the newest %s old.", numbered(len(f.Backup.Files), "backup is", "backups are"), name, evidence.Age(newest.Age)).with(proof...)
}

// shownFiles is how many backups are listed.
const shownFiles = 5

func files(all []BackupFile) (lines []string) {
	for i, one := range all {
		if i == shownFiles {
			return append(lines, fmt.Sprintf("and %d more", len(all)-i))
		}
		lines = append(lines, fmt.Sprintf("%s: %s, %s old", one.Name, evidence.Bytes(one.Bytes), evidence.Age(one.Age)))
	}
	return lines
}

// lines say of each CronJob when it runs and when it last succeeded.
func lines(jobs []Job, at time.Time) (all []string) {
	for _, one := range jobs {
		line := fmt.Sprintf("CronJob %s (%s) mounts %s", one.Name, one.Schedule, strings.Join(one.Claims, ", "))
		switch {
		case one.Suspended:
			line += "; it is suspended"
		case one.Succeeded.IsZero():
			line += "; it has never succeeded"
		default:
			line += fmt.Sprintf("; it succeeded %s ago", evidence.Age(at.Sub(one.Succeeded)))
		}
		all = append(all, line)
	}
	return all
}
