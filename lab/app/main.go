// Command app is the langgraph-agent of the lab: a small application that
// keeps its users' sessions in Redis, or in its own memory, and says on stdout
// what became of each.
//
// It owns the keys session:<id> that it creates. It never repairs the store,
// never exits because the store is down, and never prints the password.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Getenv); err != nil {
		fmt.Fprintln(os.Stderr, "langgraph-agent:", err)
		os.Exit(1)
	}
}

// run reads the settings once, at start: a changed ConfigMap needs a restart.
func run(ctx context.Context, getenv func(string) string) error {
	settings, err := readSettings(getenv)
	if err != nil {
		return err
	}
	fmt.Printf("langgraph-agent started, sessions in %s\n", settings.backend)
	users := &traffic{
		store:  settings.open(time.Now),
		ttl:    settings.ttl,
		out:    os.Stdout,
		newID:  randomID,
		choose: choose,
	}
	ticks := time.NewTicker(settings.every)
	defer ticks.Stop()
	users.run(ctx, ticks.C)
	return nil
}
