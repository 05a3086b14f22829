// Command try shows the bot without a cluster: a local Slack, and a recorded
// bundle of a store that is down.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"redis-session-bot/lab/stage"
)

func main() {
	bot := flag.String("bot", "bin/bot", "the bot's program")
	from := flag.String("from", "", "folder of the recorded bundle")
	listen := flag.String("listen", "127.0.0.1:8345", "address of the local Slack, on loopback")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := try(ctx, stage.Options{Bot: *bot, Listen: *listen, From: *from}); err != nil {
		fmt.Fprintf(os.Stderr, "try: %v\n", err)
		os.Exit(1)
	}
}

// try runs until Ctrl-C.
func try(ctx context.Context, o stage.Options) (failure error) {
	if o.From == "" {
		return errors.New("name a bundle with --from")
	}
	on, err := stage.Start(ctx, o)
	if err != nil {
		return err
	}
	defer func() { failure = errors.Join(failure, on.Close()) }()
	fmt.Printf(`
A store went down, and this is its record (%s).
Open this page; it behaves like Slack:

    %s

Type   /redis-session diagnose   in #inc-redis. Then: Run all, and Plan. Nothing can be
applied to a record; make demo breaks a real one. Ctrl-C stops everything.
`, o.From, on.Workspace.Ready().Page)
	return on.Wait(ctx)
}
