package k8s

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

// repairArgs are those of repair-aof.
type repairArgs struct {
	Replicas *int32 `json:"replicas,omitempty"`
}

func repairChange() change {
	return change{
		says: "stops the store, copies its files aside on their volume, cuts the damaged end off the append-only file with `redis-check-aof --fix`, and starts the store again; what is lost is tried on a copy before the click",
		validate: func(raw json.RawMessage) error {
			var args repairArgs
			if err := decodeArgs(raw, &args); err != nil {
				return err
			}
			return validReplicas(args.Replicas)
		},
		resolve: asIs,
		needs:   worksOnVolume,
		course: func(ctx context.Context, p *planner, raw json.RawMessage) ([]incident.Write, error) {
			var args repairArgs
			if err := decodeArgs(raw, &args); err != nil {
				return nil, err
			}
			return repairCourse(ctx, p, args)
		},
		send: sendWork,
	}
}

func repairCourse(ctx context.Context, p *planner, args repairArgs) ([]incident.Write, error) {
	place, err := p.placed(ctx)
	if err != nil {
		return nil, err
	}
	state, err := p.onVolume(ctx, nil)
	if err != nil {
		return nil, err
	}
	if err := repairable(state); err != nil {
		return nil, err
	}
	mends := state.repair
	p.cautions = append(p.cautions, cutSays(state))
	p.holds = incident.Holds{Now: p.holds.Now, After: mends.keys, Says: []string{
		fmt.Sprintf("A server loaded %d keys from a repaired copy of the append-only file (%s, last written %s).", mends.keys, sizeOf(state.aof.bytes), state.ago(state.aof.at))}}
	if state.rdb.loads() {
		p.holds.Says = append(p.holds.Says, fmt.Sprintf("The snapshot %s beside it, last written %s, holds %d keys; it is not loaded while the append-only file is on.", state.rdb.name, state.ago(state.rdb.at), state.rdb.keys))
	}
	keep := state.place.dir + "/" + p.backupName()
	return p.around(ctx, place, stopped{change: changeRepairAOF, work: "repair", replicas: args.Replicas,
		env: map[string]string{"BACKUP": p.backupName(), "CUT": strconv.FormatInt(mends.bytes(), 10)},
		title: fmt.Sprintf("copy the files to %s (%s) and run redis-check-aof --fix: keeps %d keys, cuts the last %d bytes of %s",
			keep, sizeOf(state.aof.bytes+max(state.rdb.bytes, 0)), mends.keys, mends.bytes(), mends.cut[len(mends.cut)-1].name)})
}

// repairable says why a repair is not to be tried.
func repairable(state volumeState) error {
	aof, mends := state.aof, state.repair
	other := "Restore a backup, or start the store without its files."
	if state.rdb.loads() {
		other = fmt.Sprintf("The snapshot %s, last written %s, loads with %d keys: restore that.", state.rdb.name, state.ago(state.rdb.at), state.rdb.keys)
	}
	switch {
	case state.why != "":
		return refuse("What the repair would cut is not known: %s. Nothing was changed.", state.why)
	case !aof.there:
		return refuse("The volume holds no append-only file. %s", other)
	case aof.loads() && !mends.needed:
		return refuse("The append-only file is whole and loads with %d keys: there is nothing to repair.", aof.keys)
	case mends.impossible == "base":
		return refuse("The damage is in the base of the append-only file, which redis-check-aof cannot repair. %s", other)
	case mends.impossible == "manifest":
		return refuse("The manifest of the append-only file is damaged; redis-check-aof --fix would empty it. Write it anew by hand from the names in %s/%s. %s", state.place.dir, state.place.files.aofDir, other)
	case mends.impossible != "":
		return refuse("The append-only file cannot be repaired: %s. %s", mends.impossible, other)
	case mends.keys < 0 || len(mends.cut) == 0:
		return refuse("The append-only file does not load, and redis-check-aof finds nothing to cut: %s. %s", aof.trouble, other)
	}
	return nil
}

// cutSays is what the repair takes away, and since when, as far as it is known.
func cutSays(state volumeState) string {
	says := fmt.Sprintf("The repair cuts the last %d bytes of the append-only file", state.repair.bytes())
	if from, to := state.repair.from, state.repair.to; !from.IsZero() && !to.Before(from) {
		return fmt.Sprintf("%s: what was written in the last %s before %s.", says, evidence.Age(to.Sub(from)), to.Format("15:04:05 UTC"))
	}
	return fmt.Sprintf("%s. The file has no timestamps in it, so when they were written is not known; the last write was %s.", says, state.ago(state.aof.at))
}
