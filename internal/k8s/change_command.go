package k8s

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
)

// The changes that are a command to the running server: no object of the
// cluster tells of them, and a restart forgets them.
const (
	changeKeep       = "keep-data"
	changePromote    = "promote"
	changeReplicate  = "replicate"
	changeKillScript = "kill-script"
	changeSpare      = "spare-snapshot"
)

// savePoints is the setting that says when a server writes a snapshot by itself.
const savePoints = "save"

// noSaves takes a server's save points away.
var noSaves = []string{"CONFIG", "SET", savePoints, ""}

// keeping is how the running server writes down what it holds.
type keeping string

const (
	keepAppendOnly keeping = "append-only"
	keepSnapshot   keeping = "snapshot"
	keepVolume     keeping = "volume" // nothing is written: what is on the volume counts
)

func (k keeping) words() []string {
	if k == keepAppendOnly {
		return []string{"CONFIG", "SET", "appendonly", "yes"}
	}
	return []string{"BGSAVE"}
}

// keepArgs are those of keep-data. Saved is filled in when the plan is made: the
// time of the last snapshot, as the server tells it.
type keepArgs struct {
	With  string `json:"with"` // a keeping
	Saved string `json:"saved,omitempty"`
}

// stands: a snapshot that was written since does not keep anybody from writing
// another one.
func (a keepArgs) stands(pod string, asked evidence.Redis) standing {
	if keeping(a.With) == keepSnapshot {
		return standing{there: asked.Info["rdb_bgsave_in_progress"] == "1" || asked.Info["rdb_last_save_time"] != a.Saved}
	}
	if asked.Info["aof_enabled"] == "1" {
		return standing{there: true, changed: "the append-only file of " + pod + " is on already"}
	}
	return standing{}
}

// killScriptArgs are those of kill-script: none.
type killScriptArgs struct{}

// spareArgs are those of spare-snapshot: none.
type spareArgs struct{}

func keepChange() change {
	return change{
		says: "makes the running server write what it holds to its volume (`append-only` or `snapshot`), and waits for the end of it; with `volume` it writes nothing, since what is on the volume counts and not what is in memory",
		validate: func(args json.RawMessage) error {
			var a keepArgs
			if err := decodeArgs(args, &a); err != nil {
				return err
			}
			if with := keeping(a.With); with != keepAppendOnly && with != keepSnapshot && with != keepVolume {
				return fmt.Errorf("with: use %s, %s or %s", keepAppendOnly, keepSnapshot, keepVolume)
			}
			return nil
		},
		resolve: asIs,
		needs:   commandsServer,
		course: func(ctx context.Context, p *planner, args json.RawMessage) ([]incident.Write, error) {
			var a keepArgs
			if err := decodeArgs(args, &a); err != nil {
				return nil, err
			}
			server, err := p.serverOf(ctx, p.target)
			if err != nil {
				return nil, err
			}
			defer server.Close()
			if keeping(a.With) == keepVolume {
				p.fromDisk = true
				return nil, p.onlyWithAppendOnly(ctx, server)
			}
			asked := p.Prober.Probe(ctx, server.forward.Dial, server.password)
			if len(asked.Info) < 2 {
				return nil, unasked(server.pod.Name, asked)
			}
			if stands := (keepArgs{With: a.With}).stands(server.pod.Name, asked); stands.changed != "" {
				return nil, refuse("%s: there is nothing to do.", upper(stands.changed))
			}
			return []incident.Write{p.keepWrite(server.pod.Name, string(server.pod.UID), keepArgs{a.With, asked.Info["rdb_last_save_time"]})}, nil
		},
		stands: func(pod string, asked evidence.Redis, _ map[string]string, args json.RawMessage) (standing, error) {
			var a keepArgs
			if err := decodeArgs(args, &a); err != nil {
				return standing{}, err
			}
			if len(asked.Info) < 2 {
				return standing{}, unasked(pod, asked)
			}
			return a.stands(pod, asked), nil
		},
		send: func(ctx context.Context, c *Cluster, target evidence.Target, write incident.Write, args json.RawMessage) error {
			var a keepArgs
			if err := decodeArgs(args, &a); err != nil {
				return err
			}
			return c.command(ctx, target, write, keeping(a.With).words()...)
		},
	}
}

// onlyWithAppendOnly refuses where the folder of the data has no append-only file.
func (p *planner) onlyWithAppendOnly(ctx context.Context, server *server) error {
	got, err := p.Prober.Config(ctx, server.forward.Dial, server.password, "dir", "appendfilename", "appenddirname")
	if err != nil {
		return refuse("The running server does not say where its data is: %s.", err)
	}
	single := path.Join(got["dir"], got["appendfilename"])
	manifest := path.Join(got["dir"], got["appenddirname"], got["appendfilename"]+".manifest")
	for _, name := range []string{manifest, single} {
		asked, err := p.exec(ctx, p.target.Namespace, server.pod.Name, p.target.Container, []string{"test", "-s", name})
		if err != nil {
			return fmt.Errorf("look for %s: %w", name, err)
		}
		if asked.code == 0 {
			return nil
		}
	}
	return refuse("There is no append-only file in %s to load: neither %s nor %s. Nothing was prepared.", got["dir"], manifest, single)
}

// keepWrite makes the server in a pod write down what it holds.
func (p *planner) keepWrite(pod, uid string, args keepArgs) incident.Write {
	with := keeping(args.With)
	title := "write a snapshot of what " + pod + " holds, and wait until it is whole"
	kept := "the snapshot stays on the volume"
	if with == keepAppendOnly {
		title = "switch the append-only file on in the running " + pod + ", and wait until all that it holds is written"
		kept = "the append-only file stays on; it does no harm"
	}
	write := p.commandWrite(pod, uid, title, newChange(changeKeep, args), with.words()...)
	write.NoUndo, write.Await, write.Awaited = kept, incident.Saved, write.Object
	return write
}

// commandWrite is a write that is one command to the server in a pod.
func (p *planner) commandWrite(pod, uid, title string, change runbook.Change, words ...string) incident.Write {
	return incident.Write{Verb: incident.Command, Object: incident.Object{Kind: "Pod", Name: pod, UID: uid}, Title: title,
		Kubectl: fmt.Sprintf("kubectl exec -n %s %s -c %s -- redis-cli %s", p.target.Namespace, pod, p.target.Container, typed(words)),
		Changes: []runbook.Change{change}, DryRun: incident.DryRunAccepted, Base: uid, Want: strings.Join(words, " ")}
}

// typed is a command as people type it: an empty word in quotes.
func typed(words []string) string {
	all := slices.Clone(words)
	for i, word := range all {
		if word == "" {
			all[i] = `""`
		}
	}
	return strings.Join(all, " ")
}

// saved asks a server whether it has written down what a write told it to.
func (c *Cluster) saved(ctx context.Context, target evidence.Target, write incident.Write) (done bool, says string, err error) {
	var a keepArgs
	if err := decodeArgs(write.Changes[0].Args, &a); err != nil {
		return false, "", err
	}
	server, err := c.serverIn(ctx, target, write.Awaited.Name)
	if err != nil && !isRefusal(err) && !apierrors.IsNotFound(err) {
		return false, "the server cannot be reached; asking it again", nil // its pod is there, and it goes on writing
	}
	if err != nil {
		return false, "", err
	}
	defer server.Close()
	asked := c.Prober.Probe(ctx, server.forward.Dial, server.password)
	if len(asked.Info) < 2 {
		return false, "", refuse("%s does not answer any more: %s. Whether all of it is written is not known.", write.Awaited.Name, asked.Error)
	}
	done, says, failed := savedIn(keeping(a.With), asked.Info)
	if failed {
		return false, "", refuse("%s could not write what it holds to its volume; its log says why. The store still runs; nothing else was changed.", write.Awaited.Name)
	}
	return done, says, nil
}

// savedIn judges INFO of a server that was told to write down what it holds.
func savedIn(with keeping, info map[string]string) (done bool, says string, failed bool) {
	if with == keepAppendOnly {
		switch {
		case info["aof_rewrite_in_progress"] != "0" || info["aof_rewrite_scheduled"] == "1":
			return false, "writing the append-only file", false
		case info["aof_last_bgrewrite_status"] != "ok" || info["aof_enabled"] != "1":
			return false, "", true
		}
		return true, "the append-only file is whole", false
	}
	switch {
	case info["rdb_bgsave_in_progress"] != "0":
		return false, "writing the snapshot", false
	case info["rdb_last_bgsave_status"] != "ok":
		return false, "", true
	}
	return true, "the snapshot is whole", false
}

func killScriptChange() change {
	return change{
		says:     "ends the script that holds the server up, which the server itself refuses where the script has written (`SCRIPT KILL`)",
		validate: noArgs,
		resolve:  asIs,
		needs:    commandsServer,
		course: func(ctx context.Context, p *planner, _ json.RawMessage) ([]incident.Write, error) {
			server, err := p.serverOf(ctx, p.target)
			if err != nil {
				return nil, err
			}
			defer server.Close()
			asked := p.Prober.Probe(ctx, server.forward.Dial, server.password)
			if !strings.HasPrefix(asked.Error, "BUSY") {
				return nil, refuse("No script holds %s up now. Run the diagnosis again.", server.pod.Name)
			}
			write := p.commandWrite(server.pod.Name, string(server.pod.UID), "end the script that holds "+server.pod.Name+" up", newChange(changeKillScript, killScriptArgs{}), "SCRIPT", "KILL")
			write.NoUndo = "a script that was ended is not taken up again"
			p.warnings = append(p.warnings, "whoever sent the script hears an error, and may send it again: find that client and stop it too",
				"Redis refuses to end a script that has written something. Nothing is changed then")
			p.holds = incident.Holds{Now: -1, After: -1, Says: []string{"It is not restarted and keeps what it holds; how much that is cannot be asked while the script runs."}}
			return []incident.Write{write}, nil
		},
		stands: func(pod string, asked evidence.Redis, _ map[string]string, _ json.RawMessage) (standing, error) {
			if strings.HasPrefix(asked.Error, "BUSY") {
				return standing{}, nil
			}
			if len(asked.Info) < 2 {
				return standing{}, unasked(pod, asked)
			}
			return standing{there: true, changed: "no script holds " + pod + " up any more"}, nil
		},
		send: func(ctx context.Context, c *Cluster, target evidence.Target, write incident.Write, _ json.RawMessage) error {
			return c.command(ctx, target, write, "SCRIPT", "KILL")
		},
	}
}

func spareChange() change {
	return change{
		says:     "takes the running server's save points away (`CONFIG SET save \"\"`), so that it writes no snapshot over the one on the volume, not even when it is told to stop; a restart brings them back",
		validate: noArgs,
		resolve:  asIs,
		needs:    commandsServer,
		course: func(ctx context.Context, p *planner, _ json.RawMessage) ([]incident.Write, error) {
			workload, err := p.workloadOf(ctx, p.target)
			if err != nil {
				return nil, err
			}
			writes, err := p.spareSnapshot(ctx, workload)
			if err == nil && len(writes) == 0 {
				err = refuse("No server of %s runs that has save points: there is nothing to do.", p.target.Workload)
			}
			return writes, err
		},
		settings: []string{savePoints},
		stands: func(pod string, _ evidence.Redis, set map[string]string, _ json.RawMessage) (standing, error) {
			if strings.TrimSpace(set[savePoints]) == "" {
				return standing{there: true, changed: pod + " has no save points any more"}, nil
			}
			return standing{}, nil
		},
		send: func(ctx context.Context, c *Cluster, target evidence.Target, write incident.Write, _ json.RawMessage) error {
			return c.command(ctx, target, write, noSaves...)
		},
	}
}

// spareSnapshot keeps each server that runs from writing what little it holds over
// the snapshot on the volume, which it does when it is told to stop.
func (p *planner) spareSnapshot(ctx context.Context, workload any) ([]incident.Write, error) {
	pods, err := p.podsOf(ctx, p.target, workload)
	if err != nil {
		return nil, err
	}
	var writes []incident.Write
	for i := range pods {
		pod := &pods[i]
		if !serverRuns(pod, p.target.Container) {
			continue
		}
		saves, err := p.saves(ctx, pod)
		if err != nil {
			return nil, err
		}
		if !saves {
			continue
		}
		write := p.commandWrite(pod.Name, string(pod.UID), "keep "+pod.Name+" from writing over its snapshot when it stops", newChange(changeSpare, spareArgs{}), noSaves...)
		write.NoUndo = "a server that starts takes its save points from its configuration"
		writes = append(writes, write)
	}
	return writes, nil
}

// serverRuns reports whether the store's own container runs, whatever the others
// of its pod do.
func serverRuns(pod *corev1.Pod, container string) bool {
	return slices.ContainsFunc(pod.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool {
		return s.State.Running != nil && (s.Name == container || container == "")
	})
}

// saves asks the server in a pod whether it has save points.
func (p *planner) saves(ctx context.Context, pod *corev1.Pod) (bool, error) {
	server, err := p.serverOn(ctx, p.target, pod)
	if err != nil {
		return false, err
	}
	defer server.Close()
	set, err := p.settingsOf(ctx, server, []string{savePoints})
	return strings.TrimSpace(set[savePoints]) != "", err
}

// unasked says of a server that it does not tell how it stands.
func unasked(pod string, asked evidence.Redis) error {
	return refuse("%s does not answer now: %s.", pod, strings.TrimSuffix(asked.Error, "."))
}

// noArgs is the validator of a change without arguments.
func noArgs(args json.RawMessage) error { return decodeArgs(args, &struct{}{}) }
