package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
)

// promoteArgs are those of promote. Of is filled in when the plan is made: the
// master that the server follows, as host:port.
type promoteArgs struct {
	Of string `json:"of,omitempty"`
}

// follows is the master that a server follows, as host:port; "" for one that is
// a master itself.
func follows(pod string, asked evidence.Redis) (string, error) {
	switch role, host := asked.Info["role"], asked.Info["master_host"]; {
	case role == "master":
		return "", nil
	case role == "slave" && host != "":
		return net.JoinHostPort(host, asked.Info["master_port"]), nil
	}
	return "", unasked(pod, asked)
}

// following says it.
func following(pod, master string) string {
	if master == "" {
		return pod + " is a master now"
	}
	return pod + " follows " + master + " now"
}

func promoteChange() change {
	return change{
		says: "makes a replica the master (`REPLICAOF NO ONE`): it takes writes from then on, and keeps what it holds",
		validate: func(args json.RawMessage) error {
			return decodeArgs(args, &promoteArgs{})
		},
		resolve: asIs,
		needs:   commandsServer,
		course: func(ctx context.Context, p *planner, _ json.RawMessage) ([]incident.Write, error) {
			return p.promotion(ctx)
		},
		stands: func(pod string, asked evidence.Redis, _ map[string]string, args json.RawMessage) (standing, error) {
			var a promoteArgs
			if err := decodeArgs(args, &a); err != nil {
				return standing{}, err
			}
			master, err := follows(pod, asked)
			if err != nil || master == a.Of {
				return standing{}, err
			}
			return standing{there: master == "", changed: following(pod, master)}, nil
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
	master, err := follows(server.pod.Name, asked)
	host := asked.Info["master_host"]
	switch {
	case err != nil:
		return nil, err
	case master == "":
		return nil, refuse("%s is no replica: there is nothing to promote. Run the diagnosis again.", server.pod.Name)
	case asked.Info["master_link_status"] == "up":
		p.warnings = append(p.warnings, fmt.Sprintf("the link to the master %s is up: two masters take writes from now on, and drift apart. Send every client here first", host))
	case asked.Info["master_sync_in_progress"] == "1":
		return nil, refuse("%s is just taking over what its master %s holds. Wait until that has ended.", server.pod.Name, host)
	}
	write := p.commandWrite(server.pod.Name, string(server.pod.UID), fmt.Sprintf("make %s the master: it stops following %s", server.pod.Name, master),
		newChange(changePromote, promoteArgs{master}), "REPLICAOF", "NO", "ONE")
	write.Undo = []runbook.Change{newChange(changeReplicate, replicateArgs{Host: host, Port: asked.Info["master_port"]})}
	if asked.Keys >= 0 {
		p.holds = incident.Holds{Now: asked.Keys, After: asked.Keys, Says: []string{fmt.Sprintf("It goes on with the %s that it holds now; what its master alone had is not in it.", sessions(asked.Keys))}}
	}
	return []incident.Write{write}, nil
}

// replicateArgs name a master. The port is text, as INFO gives it. Was is filled
// in when the plan is made: the master that the server follows then, as
// host:port, or none.
type replicateArgs struct {
	Host string `json:"host"`
	Port string `json:"port"`
	Was  string `json:"was,omitempty"`
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

func (a replicateArgs) master() string { return net.JoinHostPort(a.Host, a.Port) }

// undo makes the server what it was.
func (a replicateArgs) undo() runbook.Change {
	host, port, err := net.SplitHostPort(a.Was)
	if err != nil { // it follows nobody
		return newChange(changePromote, promoteArgs{})
	}
	return newChange(changeReplicate, replicateArgs{Host: host, Port: port})
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
			return p.replication(ctx, a)
		},
		stands: func(pod string, asked evidence.Redis, _ map[string]string, args json.RawMessage) (standing, error) {
			a, err := read(args)
			if err != nil {
				return standing{}, err
			}
			master, err := follows(pod, asked)
			if err != nil || master == a.Was {
				return standing{}, err
			}
			return standing{there: master == a.master(), changed: following(pod, master)}, nil
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

// replication is the write that makes the server a replica.
func (p *planner) replication(ctx context.Context, a replicateArgs) ([]incident.Write, error) {
	server, err := p.serverOf(ctx, p.target)
	if err != nil {
		return nil, err
	}
	defer server.Close()
	asked := p.Prober.Probe(ctx, server.forward.Dial, server.password)
	if a.Was, err = follows(server.pod.Name, asked); err != nil {
		return nil, err
	}
	if a.Was == a.master() {
		return nil, refuse("%s: there is nothing to do.", following(server.pod.Name, a.Was))
	}
	write := p.commandWrite(server.pod.Name, string(server.pod.UID), fmt.Sprintf("make %s a replica of %s", server.pod.Name, a.master()),
		newChange(changeReplicate, a), "REPLICAOF", a.Host, a.Port)
	write.Undo = []runbook.Change{a.undo()}
	p.cautions = append(p.cautions, fmt.Sprintf("Everything that %s holds is replaced by what %s holds, once that answers; until then it takes no writes.", server.pod.Name, a.Host))
	return []incident.Write{write}, nil
}
