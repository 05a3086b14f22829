package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"
	"github.com/spf13/cobra"

	"redis-session-bot/internal/config"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/k8s"
	"redis-session-bot/internal/store/bolt"
	"redis-session-bot/internal/store/kube"
	"redis-session-bot/lab/drill"
	"redis-session-bot/lab/faults"
	"redis-session-bot/lab/stage"
)

func drillCommand(f *flags) *cobra.Command {
	var fault, file, target, listen, results string
	var limit time.Duration
	cmd := &cobra.Command{
		Use:   "drill",
		Short: "Practise: break a throwaway store by a fault that is not named, and score how it is mended",
		Long: `Break a throwaway store by a fault that is not named, let the alert come and the
people work, and score it: the time to acknowledge, to the right verdict and to a
verified fix, and the wrong turns. The store is healed at the end.

Without --config everything is brought on this machine, as by lab demo, with a
local Slack to work in. With the config.yaml of a bot that is being served, the
drill is on one of its targets, in its own Slack. Only a target that the
configuration lists under drills is ever broken, and only a copy of the workload
that the lab has made (lab up --kubeconfig …).`,
		Example: "  lab drill\n  lab drill --fault out-of-memory\n  lab drill --config config.yaml --target staging",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			chosen := cmp.Or(fault, faults.Names()[rand.IntN(len(faults.Names()))])
			if err := errors.Join(oneFault([]string{chosen}, ""), knownShape(f.shape)); err != nil {
				return err
			}
			if limit < time.Minute {
				return fmt.Errorf("--for %s: a drill takes a minute at least", limit)
			}
			p := practice{fault: chosen, limit: limit, results: results}
			if file == "" {
				return p.here(cmd.Context(), f, listen)
			}
			return p.there(cmd.Context(), f, file, target)
		},
	}
	cmd.Flags().StringVar(&fault, "fault", "", "the fault (default: a random one, which nobody is told)")
	cmd.Flags().StringVar(&file, "config", "", "config.yaml of a bot that is being served (default: bring everything here)")
	cmd.Flags().StringVar(&target, "target", "", "which of its targets (default: the one that it lists under drills)")
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8345", "address of the local Slack, on loopback")
	cmd.Flags().StringVar(&results, "results", "drills", "folder of the results: drills.jsonl, and the table drills.md")
	cmd.Flags().DurationVar(&limit, "for", 30*time.Minute, "the drill ends after this time, mended or not")
	cmd.Flags().StringVar(&f.shape, "shape", "", "deployment or statefulset, where everything is brought here")
	return cmd
}

// practice is one drill, and what is done with its card.
type practice struct {
	fault, results string
	limit          time.Duration
}

// here brings everything on this machine.
func (p practice) here(ctx context.Context, f *flags, listen string) error {
	return scene(ctx, f, listen, false, nil, func(on *stage.Stage) error {
		fmt.Printf("\nOpen this page; it behaves like Slack, and the alert arrives in #inc-redis:\n\n    %s\n\n"+
			"(A fault that no alert sees: type /redis-session diagnose.)\n\n", on.Workspace.Ready().Page)
		ready := on.Workspace.Ready()
		ctx, end := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- on.Wait(ctx); end() }() // without the bot there is no drill
		err := p.run(ctx, drill.Options{Workload: f.workloadOptions(), Target: stage.Target,
			Recent: func(ctx context.Context, since time.Time) ([]incident.Incident, error) {
				if _, err := os.Stat(on.Store()); errors.Is(err, fs.ErrNotExist) {
					return nil, nil // the bot has only just been started
				}
				return peek(ctx, on.Store(), since)
			},
		}, slack.New(ready.BotToken, slack.OptionAPIURL(ready.API)))
		if err == nil && ctx.Err() == nil {
			fmt.Println("The card is in the channel, too, if there was an incident. Ctrl-C stops everything.")
			<-ctx.Done()
		}
		end()
		return errors.Join(err, <-ended)
	})
}

// there practises with a bot that is being served.
func (p practice) there(ctx context.Context, f *flags, file, name string) error {
	c, err := config.Load(file)
	if err != nil {
		return err
	}
	if name == "" && len(c.Drills) == 1 {
		name = c.Drills[0]
	}
	if !slices.Contains(c.Drills, name) {
		return fmt.Errorf("%q is not broken: %s lists %s under drills. List a target there that nobody needs", name, file, cmp.Or(strings.Join(c.Drills, ", "), "no target"))
	}
	o := drill.Options{Workload: f.workloadOptions(), Target: name}
	o.Workload.Kubeconfig = cmp.Or(f.kubeconfig, c.Kubeconfig, os.Getenv("KUBECONFIG"))
	for _, target := range c.Targets {
		if target.Name == name {
			o.Workload.Context, o.Workload.Namespace = target.Context, cmp.Or(target.Namespace, o.Workload.Namespace)
		}
	}
	if o.Recent, err = recentOf(c, o.Workload.Kubeconfig); err != nil {
		return err
	}
	var client *slack.Client
	if c.Slack.BotToken != "" {
		client = slack.New(c.Slack.BotToken, slack.OptionAPIURL(cmp.Or(c.Slack.APIURL, slack.APIURL)))
	}
	return p.run(ctx, o, client)
}

// recentOf reads the store of a bot that is being served.
func recentOf(c config.Config, kubeconfig string) (func(context.Context, time.Time) ([]incident.Incident, error), error) {
	if c.Store.Kind == config.StoreFile {
		return func(ctx context.Context, since time.Time) ([]incident.Incident, error) {
			return peek(ctx, c.Store.Path, since)
		}, nil
	}
	if c.Store.Namespace == "" {
		return nil, errors.New("name the namespace that the bot keeps its incidents in (store.namespace): from here nobody knows its own")
	}
	all := &k8s.Clusters{Kubeconfig: kubeconfig, Now: time.Now}
	cluster, err := all.Cluster("")
	if err != nil {
		return nil, err
	}
	return kube.New(cluster.Clients, c.Store.Namespace).Recent, nil
}

// peek reads the file of a bot that has it open.
func peek(ctx context.Context, path string, since time.Time) (all []incident.Incident, err error) {
	store, err := bolt.Peek(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return store.Recent(ctx, since)
}

// run drills, prints the card, keeps it, and posts it where the incident was. What
// cannot be posted is not lost.
func (p practice) run(ctx context.Context, o drill.Options, client *slack.Client) error {
	o.Fault, o.For, o.Out = p.fault, p.limit, os.Stdout
	card, err := drill.Run(ctx, o)
	if card.Began.IsZero() {
		return err
	}
	fmt.Printf("\n%s\n", card.Markdown())
	table, keepErr := drill.Keep(p.results, card)
	if keepErr == nil {
		fmt.Printf("kept in %s\n", table)
	}
	var postErr error
	if client != nil && card.Channel != "" {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if _, _, failed := client.PostMessageContext(limited, card.Channel, slack.MsgOptionBlocks(card.Blocks()...), slack.MsgOptionText(card.Title(), true)); failed != nil {
			postErr = fmt.Errorf("the card is not in the channel: %w", failed)
		}
	}
	return errors.Join(err, keepErr, postErr)
}
