package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"

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

// noSaves takes a server's save points away.
var noSaves = []string{"CONFIG", "SET", "save", ""}

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

// keepArgs are those of keep-data.
type keepArgs struct {
	With string `json:"with"` // a keeping
}

// promoteArgs are those of promote: none.
type promoteArgs struct{}

// killScriptArgs are those of kill-script: none.
type killScriptArgs struct{}

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
			return []incident.Write{p.keepWrite(server.pod.Name, string(server.pod.UID), keeping(a.With))}, nil
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
func (p *planner) keepWrite(pod, uid string, with keeping) incident.Write {
	title := "write a snapshot of what " + pod + " holds, and wait until it is whole"
	kept := "the snapshot stays on the volume"
	if with == keepAppendOnly {
		title = "switch the append-only file on in the running " + pod + ", and wait until all that it holds is written"
		kept = "the append-only file stays on; it does no harm"
	}
	write := p.commandWrite(pod, uid, title, newChange(changeKeep, keepArgs{string(with)}), with.words()...)
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

func promoteChange() change {
	return change{
		says:     "makes a replica the master (`REPLICAOF NO ONE`): it takes writes from then on, and keeps what it holds",
		validate: noArgs,
		resolve:  asIs,
		needs:    commandsServer,
		course: func(ctx context.Context, p *planner, _ json.RawMessage) ([]incident.Write, error) {
			return p.promotion(ctx)
		},
		send: func(ctx context.Context, c *Cluster, target evidence.Target, write incident.Write, _ json.RawMessage) error {
			return c.command(ctx, target, write, "REPLICAOF", "NO", "ONE")
		},
	}
}

// promotion is the write that makes the replica a master.
func (p *planner) promotion(ctx context.Context) ([]incident.Write, error) {
	server, err := p.serverOf(ctx, p.target)
	if err != nil {
		return nil, err
	}
	defer server.Close()
	asked := p.Prober.Probe(ctx, server.forward.Dial, server.password)
	host, port := asked.Info["master_host"], asked.Info["master_port"]
	switch {
	case asked.Info["role"] == "":
		return nil, refuse("%s does not say whether it is a replica: %s.", server.pod.Name, asked.Error)
	case asked.Info["role"] != "slave" || host == "":
		return nil, refuse("%s is no replica: there is nothing to promote. Run the diagnosis again.", server.pod.Name)
	case asked.Info["master_link_status"] == "up":
		p.warnings = append(p.warnings, fmt.Sprintf("the link to the master %s is up: two masters take writes from now on, and drift apart. Send every client here first", host))
	case asked.Info["master_sync_in_progress"] == "1":
		return nil, refuse("%s is just taking over what its master %s holds. Wait until that has ended.", server.pod.Name, host)
	}
	write := p.commandWrite(server.pod.Name, string(server.pod.UID), fmt.Sprintf("make %s the master: it stops following %s", server.pod.Name, net.JoinHostPort(host, port)),
		newChange(changePromote, promoteArgs{}), "REPLICAOF", "NO", "ONE")
	write.Undo = []runbook.Change{newChange(changeReplicate, replicateArgs{host, port})}
	if asked.Keys >= 0 {
		p.holds = incident.Holds{Now: asked.Keys, After: asked.Keys, Says: []string{fmt.Sprintf("It goes on with the %s that it holds now; what its master alone had is not in it.", sessions(asked.Keys))}}
	}
	return []incident.Write{write}, nil
}

// replicateArgs name a master. The port is text, as INFO gives it.
type replicateArgs struct {
	Host string `json:"host"`
	Port string `json:"port"`
}

func (a replicateArgs) validate() error {
	if a.Host == "" || strings.ContainsAny(a.Host, " \t\r\n") {
		return errors.New("name the master's host")
	}
	if port, err := strconv.Atoi(a.Port); !placeholder(a.Port) && (err != nil || port < 1 || port > 65535) {
		return fmt.Errorf("port %q is none", a.Port)
	}
	return nil
}

func replicateChange() change {
	read := func(args json.RawMessage) (a replicateArgs, err error) {
		if err := decodeArgs(args, &a); err != nil {
			return a, err
		}
		return a, a.validate()
	}
	return change{
		says: "makes the server a replica (`REPLICAOF host port`): everything that it holds is replaced by what the master holds",
		validate: func(args json.RawMessage) error {
			_, err := read(args)
			return err
		},
		resolve: asIs,
		needs:   commandsServer,
		course: func(ctx context.Context, p *planner, args json.RawMessage) ([]incident.Write, error) {
			a, err := read(args)
			if err != nil {
				return nil, err
			}
			server, err := p.serverOf(ctx, p.target)
			if err != nil {
				return nil, err
			}
			defer server.Close()
			write := p.commandWrite(server.pod.Name, string(server.pod.UID), fmt.Sprintf("make %s a replica of %s", server.pod.Name, net.JoinHostPort(a.Host, a.Port)),
				newChange(changeReplicate, a), "REPLICAOF", a.Host, a.Port)
			write.Undo = []runbook.Change{newChange(changePromote, promoteArgs{})}
			p.cautions = append(p.cautions, fmt.Sprintf("Everything that %s holds is replaced by what %s holds, once that answers; until then it takes no writes.", server.pod.Name, a.Host))
			return []incident.Write{write}, nil
		},
		send: func(ctx context.Context, c *Cluster, target evidence.Target, write incident.Write, args json.RawMessage) error {
			a, err := read(args)
			if err != nil {
				return err
			}
			return c.command(ctx, target, write, "REPLICAOF", a.Host, a.Port)
		},
	}
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
			place, err := p.placed(ctx)
			if err != nil {
				return nil, err
			}
			return p.spareSnapshot(ctx, place)
		},
		send: func(ctx context.Context, c *Cluster, target evidence.Target, write incident.Write, _ json.RawMessage) error {
			return c.command(ctx, target, write, noSaves...)
		},
	}
}

// noArgs is the validator of a change without arguments.
func noArgs(args json.RawMessage) error { return decodeArgs(args, &struct{}{}) }
