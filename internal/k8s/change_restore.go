package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

// What people write instead of a backup's name: the newest one that loads, and
// the store's own snapshot, which a server with an append-only file does not load.
const (
	newestBackup = "newest"
	ownSnapshot  = "snapshot"
)

// restoreArgs are those of restore-backup. Its undo puts a folder of the bot's
// own back as it is, whether or not it loads, and only starts the store where
// the folder was never made.
type restoreArgs struct {
	From     string `json:"from,omitempty"`
	Replicas *int32 `json:"replicas,omitempty"`
	Undo     bool   `json:"undo,omitempty"`
}

func restoreChange() change {
	return change{
		says: "stops the store, moves its files aside, puts a backup back (`from`, or the newest that loads; from the store's volume or from the target's `backup` claim; `snapshot` is the store's own, where it loads an append-only file instead), and starts it again",
		validate: func(raw json.RawMessage) error {
			var args restoreArgs
			if err := decodeArgs(raw, &args); err != nil {
				return err
			}
			if args.Undo && (args.From == "" || args.Replicas == nil) {
				return errors.New("undo needs from and replicas")
			}
			return validReplicas(args.Replicas)
		},
		resolve: asIs,
		needs: func(target evidence.Target) []permission {
			return slices.Concat(worksOnVolume(target), commandsServer(target))
		},
		course: func(ctx context.Context, p *planner, raw json.RawMessage) ([]incident.Write, error) {
			var args restoreArgs
			if err := decodeArgs(raw, &args); err != nil {
				return nil, err
			}
			return restoreCourse(ctx, p, args)
		},
		send: sendWork,
	}
}

func restoreCourse(ctx context.Context, p *planner, args restoreArgs) ([]incident.Write, error) {
	place, err := p.placed(ctx)
	if err != nil {
		return nil, err
	}
	p.wanted = args.From
	state, err := p.readVolume(ctx, nil, true)
	if err != nil {
		return nil, err
	}
	if state.why != "" {
		return nil, refuse("Which backups there are is not known: %s. Nothing was changed.", state.why)
	}
	if args.Undo && !hasFolder(state, args.From) {
		p.warnings = append(p.warnings, fmt.Sprintf("%s was never made, so there is nothing to put back; the store is only scaled as it was.", args.From))
		if *args.Replicas == replicasOf(place.workload) {
			return nil, refuse("There is nothing to put back: %s was never made.", args.From)
		}
		if err := p.scales(place.workload, *args.Replicas); err != nil {
			return nil, err
		}
		start, err := p.scale(ctx, place.workload, *args.Replicas)
		return []incident.Write{start}, err
	}
	chosen, err := choose(state, args)
	if err != nil {
		return nil, err
	}
	from := path.Join(place.dir, chosen.name)
	if chosen.claim {
		from = path.Join(backupDir, chosen.name)
	}
	kind, appendOnly := chosen.kind, "no"
	if args.Undo {
		kind = "files"
	} else {
		p.cautions = append(p.cautions, fmt.Sprintf("What was written after the backup %s (%s) is not in it.", chosen.name, state.ago(chosen.at)))
	}
	if place.files.appendOnly {
		appendOnly = "yes"
	}
	env := map[string]string{"BACKUP": p.backupName(), "FROM": from, "KIND": kind, "APPEND_ONLY": appendOnly}
	var first []incident.Write
	if args.From == ownSnapshot {
		if first, err = p.spareSnapshot(ctx, place.workload); err != nil {
			return nil, err
		}
		env["WAS"] = state.rdb.stamp()
	}
	p.holds = incident.Holds{Now: p.holds.Now, After: chosen.keys, Says: []string{chosen.says(state)}}
	for _, other := range state.backups {
		if other.where() != chosen.where() && !args.Undo {
			p.warnings = append(p.warnings, "Another backup to choose: "+other.says(state))
		}
	}
	course, err := p.around(ctx, place, stopped{change: changeRestore, work: "restore", replicas: args.Replicas, env: env,
		title: fmt.Sprintf("move the files of %s to %s/%s and put %s back", p.target.Workload, place.dir, p.backupName(), from)})
	return append(first, course...), err
}

func hasFolder(state volumeState, name string) bool {
	for _, one := range state.backups {
		if !one.claim && one.name == name {
			return true
		}
	}
	return false
}

// choose finds the backup that is meant: the newest that loads without a name.
func choose(state volumeState, args restoreArgs) (backup, error) {
	if args.From == ownSnapshot {
		return state.snapshot()
	}
	var meant []backup
	for _, one := range state.backups {
		switch args.From {
		case "", newestBackup:
			if one.keys > 0 {
				return one, nil
			}
		case one.name, one.where(), path.Join(state.place.dir, one.name), path.Join(backupDir, one.name):
			inData := strings.HasPrefix(args.From, state.place.dir+"/")
			if (inData && one.claim) || (strings.HasPrefix(args.From, backupDir+"/") && !one.claim) {
				continue
			}
			meant = append(meant, one)
		}
	}
	switch {
	case args.From == "" || args.From == newestBackup:
		return backup{}, refuse("There is no backup that loads with a key in it: %s", listed(state))
	case len(meant) == 0:
		return backup{}, refuse("There is no backup %s. %s", args.From, listed(state))
	case len(meant) > 1:
		return backup{}, refuse("There are two backups %s: write %s or %s.", args.From, meant[0].where(), meant[1].where())
	case meant[0].keys < 0 && !args.Undo:
		return backup{}, refuse("The backup %s would not load: %s. Nothing was changed.", args.From, meant[0].trouble)
	}
	return meant[0], nil
}

// snapshot is the store's own one as a backup.
func (s volumeState) snapshot() (backup, error) {
	name := s.place.files.rdbFile
	switch {
	case !s.place.files.appendOnly:
		return backup{}, refuse("The configuration loads the snapshot %s by itself. Nothing was changed.", name)
	case !s.rdb.there:
		return backup{}, refuse("The volume holds no snapshot %s. Nothing was changed.", name)
	case !s.rdb.loads():
		return backup{}, refuse("The snapshot %s would not load: %s. Nothing was changed.", name, s.rdb.trouble)
	}
	return backup{name: name, kind: "rdb", kb: s.rdb.bytes >> 10, at: s.rdb.at, keys: s.rdb.keys}, nil
}

// listed names every backup, for whoever must choose another.
func listed(state volumeState) string {
	if len(state.backups) == 0 {
		return "The volume holds none."
	}
	var all []string
	for _, one := range state.backups {
		all = append(all, strings.TrimSuffix(one.says(state), "."))
	}
	return "There are: " + strings.Join(all, "; ") + "."
}

// says is one line of the list.
func (b backup) says(state volumeState) string {
	loads := fmt.Sprintf("loads with %d keys", b.keys)
	if b.keys < 0 {
		loads = "does not load: " + b.trouble
	}
	return fmt.Sprintf("%s (%s, %s) %s.", b.where(), sizeOf(b.kb<<10), state.ago(b.at), loads)
}
