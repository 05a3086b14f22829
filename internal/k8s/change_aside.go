package k8s

import (
	"context"
	"encoding/json"
	"fmt"

	"redis-session-bot/internal/incident"
)

// asideArgs are those of set-data-aside.
type asideArgs struct {
	Replicas *int32 `json:"replicas,omitempty"`
}

func asideChange() change {
	return change{
		says: "stops the store, moves its files into a folder beside them, and starts it empty; no file is deleted",
		validate: func(raw json.RawMessage) error {
			var args asideArgs
			if err := decodeArgs(raw, &args); err != nil {
				return err
			}
			return validReplicas(args.Replicas)
		},
		resolve: asIs,
		needs:   worksOnVolume,
		course: func(ctx context.Context, p *planner, raw json.RawMessage) ([]incident.Write, error) {
			var args asideArgs
			if err := decodeArgs(raw, &args); err != nil {
				return nil, err
			}
			return asideCourse(ctx, p, args)
		},
		send: sendWork,
	}
}

func asideCourse(ctx context.Context, p *planner, args asideArgs) ([]incident.Write, error) {
	place, err := p.placed(ctx)
	if err != nil {
		return nil, err
	}
	state, err := p.onVolume(ctx, nil)
	if err != nil {
		return nil, err
	}
	if state.why == "" && !state.aof.there && !state.rdb.there {
		return nil, refuse("The volume holds no file that the store would load: it starts empty as it is.")
	}
	p.cautions = append(p.cautions, fmt.Sprintf("%s comes back without a single session: everybody signs in again. Its files stay in a folder on the volume.", p.target.Workload))
	p.holds = incident.Holds{Now: p.holds.Now, After: 0, Says: []string{"It starts empty, since that is what this does."}}
	for _, appendOnly := range []bool{true, false} {
		if keys, says := state.keysWith(appendOnly); keys > 0 {
			p.warnings = append(p.warnings, fmt.Sprintf("These files are not without worth: %s.", says))
		}
	}
	if state.why != "" {
		p.warnings = append(p.warnings, "What is on the volume is not known: "+state.why+".")
	}
	if mends := state.repair; mends.keys > 0 {
		p.warnings = append(p.warnings, fmt.Sprintf("A repair of the append-only file would keep %d keys.", mends.keys))
	}
	return p.around(ctx, place, stopped{change: changeAside, work: "aside", replicas: args.Replicas, env: map[string]string{"BACKUP": p.backupName()},
		title: fmt.Sprintf("move the files of %s to %s/%s", p.target.Workload, place.dir, p.backupName())})
}
