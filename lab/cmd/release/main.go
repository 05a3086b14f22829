// Command release makes what is published of the commit that is checked out, into
// a folder: make release.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"redis-session-bot/lab/release"
)

func main() {
	source := flag.String("source", "..", "folder of the product's module")
	out := flag.String("out", "../dist", "folder that the release is written to; what was there is replaced")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *source, *out); err != nil {
		fmt.Fprintf(os.Stderr, "release: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, source, out string) error {
	version, err := git(ctx, source, "describe", "--tags", "--always", "--dirty")
	if err != nil {
		return err
	}
	if strings.HasSuffix(version, "-dirty") {
		return fmt.Errorf("the checkout has changes that are not committed: commit or stash them, so that the release is that of a commit")
	}
	seconds, err := git(ctx, source, "log", "-1", "--format=%ct")
	if err != nil {
		return err
	}
	at, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return fmt.Errorf("read the time of the commit: %w", err)
	}
	err = release.Make(ctx, release.Options{Source: source, Out: out, Version: version, Time: time.Unix(at, 0),
		Say: func(format string, args ...any) { fmt.Printf("release: "+format+"\n", args...) }})
	if err != nil {
		return err
	}
	sums, err := os.ReadFile(out + "/SHA256SUMS")
	if err != nil {
		return err
	}
	fmt.Printf("version %s in %s:\n%s", version, out, sums)
	return nil
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "git", args...)
	command.Dir, command.Stderr = dir, os.Stderr
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
