package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/slack/slacktest"
	"redis-session-bot/internal/store/bolt"
)

const (
	manyIncidents = 50
	manyClicks    = 1000
	clicksWithin  = time.Minute
	manyAlerts    = 1000
	alertsWithin  = 10 * time.Second
	manyKept      = 10_000 // incidents
	idleAfter     = 10 * time.Second

	aimIdle    = 50  // MB
	aimLoaded  = 150 // MB
	aimStartUp = 2 * time.Second
)

// load measures the bot that serves: idle, with many incidents that people
// click on, in a storm of alerts, and when it starts with many that are kept.
func (b *bench) load(ctx context.Context) error {
	if err := b.idle(ctx); err != nil {
		return fmt.Errorf("idle: %w", err)
	}
	store, err := b.clicks(ctx)
	if err != nil {
		return fmt.Errorf("clicks: %w", err)
	}
	if err := b.storm(ctx); err != nil {
		return fmt.Errorf("alerts: %w", err)
	}
	if err := b.startUp(ctx, store); err != nil {
		return fmt.Errorf("start-up: %w", err)
	}
	return nil
}

// with runs the bot in a workspace of its own while something is done with it.
func (b *bench) with(ctx context.Context, s serving, do func(*slacktest.Workspace, *served) error) (failure error) {
	workspace, err := workspaceOf(ctx, s.targets)
	if err != nil {
		return err
	}
	defer func() { failure = errors.Join(failure, workspace.Close()) }()
	bot, err := b.serve(ctx, workspace.Ready(), s)
	if err != nil {
		return err
	}
	defer func() { failure = errors.Join(failure, bot.stop()) }()
	return do(workspace, bot)
}

// memory is a row about what a bot has in RAM.
func memory(what, with string, kib, aim int) row {
	mb := float64(kib) * 1024 / 1e6
	return row{what: what, with: with, result: fmt.Sprintf("%.0f MB", mb), aim: fmt.Sprintf("under %d MB", aim), held: mb < float64(aim)}
}

func (b *bench) idle(ctx context.Context) error {
	return b.with(ctx, serving{targets: 1}, func(_ *slacktest.Workspace, bot *served) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(idleAfter):
		}
		pid := bot.command.Process.Pid
		idle := memory("memory of bot serve", fmt.Sprintf("idle, %.0f s after its start", idleAfter.Seconds()), nowOf(pid), aimIdle)
		idle.result += fmt.Sprintf(", of them %.0f MB pages of its program file", float64(memoryOf(pid, "RssFile"))*1024/1e6)
		b.table.add(idle)
		return nil
	})
}

// clicks opens many incidents, runs each, and then clicks without a pause for a
// minute: every step is run again, and its kubectl lines are shown. It returns
// the file that the incidents are in.
func (b *bench) clicks(ctx context.Context) (store string, err error) {
	note("%d incidents, %d clicks", manyIncidents, manyClicks)
	err = b.with(ctx, serving{targets: manyIncidents}, func(workspace *slacktest.Workspace, bot *served) error {
		store = bot.store
		a := acks{workspace: workspace, rooms: manyIncidents}
		for i := range manyIncidents {
			if err := a.command(room(i).ID, fmt.Sprintf("diagnose t%d", i)); err != nil {
				return err
			}
		}
		begin, err := a.buttons(ctx, "Run all")
		if err != nil {
			return err
		}
		for _, button := range begin {
			if err := a.click(button); err != nil {
				return err
			}
		}
		if _, err := a.buttons(ctx, "Run all again"); err != nil {
			return err
		}
		var presses []slacktest.Press
		for i, button := range begin {
			messages, err := workspace.Messages(responder, room(i).ID, button.TS)
			if err != nil {
				return fmt.Errorf("read a thread: %w", err)
			}
			for _, message := range messages {
				for _, label := range []string{"Run again", "kubectl"} {
					found, err := labelled(label, room(i).ID, message)
					if err != nil {
						return err
					}
					presses = append(presses, found...)
				}
			}
		}
		if len(presses) < manyIncidents {
			return fmt.Errorf("the threads have only %d buttons", len(presses))
		}
		a.took = nil
		began := time.Now()
		pace := time.NewTicker(clicksWithin / manyClicks)
		defer pace.Stop()
		clicking, stopped := errgroup.WithContext(ctx)                        // nobody waits for what another one has pressed
		for n := 0; a.number() < manyClicks && stopped.Err() == nil; n += 7 { // not all of one incident in a row
			clicking.Go(func() error { return a.click(presses[n%len(presses)]) })
			<-pace.C
		}
		if err := clicking.Wait(); err != nil {
			return err
		}
		b.table.add(a.row(fmt.Sprintf("clicks in %s, with %d open incidents", seconds(time.Since(began)), manyIncidents)))
		b.table.add(memory("peak memory of bot serve", "through all of that", peakOf(bot.command.Process.Pid), aimLoaded))
		return nil
	})
	return store, err
}

// storm sends many alerts about one store, each of another exporter.
func (b *bench) storm(ctx context.Context) error {
	note("%d alerts", manyAlerts)
	const token = "bench-alerts-token"
	address, err := freePort()
	if err != nil {
		return err
	}
	s := serving{targets: 1, settings: fmt.Sprintf("alerts: {listen: %q, channel: inc-0}\n", address), environment: []string{"ALERTS_TOKEN=" + token}}
	return b.with(ctx, s, func(workspace *slacktest.Workspace, bot *served) error {
		began := time.Now()
		took := make([]time.Duration, manyAlerts)
		pace := time.NewTicker(alertsWithin / manyAlerts)
		defer pace.Stop()
		var sending errgroup.Group // as Alertmanager does: a notification does not wait for that of another group
		for n := range manyAlerts {
			sending.Go(func() error {
				sent := time.Now()
				err := notify(ctx, "http://"+address+"/alerts", token, n, began)
				took[n] = time.Since(sent)
				return err
			})
			<-pace.C
		}
		if err := sending.Wait(); err != nil {
			return err
		}
		lasted := time.Since(began)
		messages, err := workspace.Messages(responder, room(0).ID, "")
		if err != nil {
			return fmt.Errorf("read the channel: %w", err)
		}
		slices.Sort(took)
		b.table.add(row{what: fmt.Sprintf("%d alerts of one store, a notification each", manyAlerts), with: "sent within " + seconds(lasted),
			result: fmt.Sprintf("%s; taken in p50 %.1f ms, p99 %.1f ms", count(len(messages), "message"), milliseconds(took[len(took)/2]), milliseconds(took[len(took)*99/100])),
			aim:    fmt.Sprintf("one message, in %.0f s", alertsWithin.Seconds()), held: len(messages) == 1 && lasted < alertsWithin*11/10})
		b.table.add(memory("peak memory of bot serve", "through all of that", peakOf(bot.command.Process.Pid), aimLoaded))
		return nil
	})
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// notify sends one alert as Alertmanager does.
func notify(ctx context.Context, address, token string, n int, since time.Time) error {
	body := fmt.Sprintf(`{"version":"4","status":"firing","receiver":"bot","groupKey":"{}","truncatedAlerts":0,"groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://alertmanager",`+
		`"alerts":[{"status":"firing","labels":{"alertname":"RedisSessionStoreDown","instance":"10.0.0.1:%d","job":"redis-session","severity":"critical"},`+
		`"annotations":{"summary":"The Redis session store does not answer Prometheus."},"startsAt":%q,"endsAt":"0001-01-01T00:00:00Z","generatorURL":"","fingerprint":"%016x"}]}`,
		n, since.UTC().Format(time.RFC3339Nano), n)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("send an alert: %w", err)
	}
	defer answer.Body.Close()
	says, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, bytes.TrimSpace(says))
	}
	if err != nil {
		return fmt.Errorf("send an alert: %w", err)
	}
	return nil
}

// freePort is an address on loopback that nobody listens at.
func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// startUp starts the bot with many closed incidents, each like one that was
// really walked, with its evidence.
func (b *bench) startUp(ctx context.Context, like string) error {
	note("filling a store with %d incidents", manyKept)
	file := filepath.Join(b.folder, "kept.db")
	if err := fill(ctx, file, like); err != nil {
		return fmt.Errorf("fill a store: %w", err)
	}
	var now int
	took, err := median(rounds, func() (took time.Duration, err error) {
		err = b.with(ctx, serving{targets: 1, store: file}, func(_ *slacktest.Workspace, bot *served) error {
			took, now = bot.connected, nowOf(bot.command.Process.Pid)
			return nil
		})
		return took, err
	})
	if err != nil {
		return err
	}
	b.table.add(row{what: "start of bot serve, until it is connected to Slack", with: fmt.Sprintf("%d closed incidents in its file", manyKept),
		result: fmt.Sprintf("%s, %.0f MB", seconds(took), float64(now)*1024/1e6), aim: "under " + seconds(aimStartUp), held: took < aimStartUp})
	return nil
}

// fill makes a file of closed incidents that are like the first of another file.
func fill(ctx context.Context, file, like string) (failure error) {
	inc, bundle, err := first(ctx, like)
	if err != nil {
		return err
	}
	store, err := bolt.Open(file)
	if err != nil {
		return err
	}
	defer func() { failure = errors.Join(failure, store.Close()) }()
	closed := time.Now().Add(-manyKept * time.Minute)
	for n := range manyKept {
		one := inc
		one.ID, one.Version = "", 0
		one.State, one.ClosedAt = incident.Closed, closed.Add(time.Duration(n)*time.Minute)
		created, err := store.Create(ctx, one)
		if err != nil {
			return err
		}
		if err := store.AddBundle(ctx, created.ID, bundle); err != nil {
			return err
		}
	}
	return nil
}

func first(ctx context.Context, file string) (inc incident.Incident, bundle evidence.Bundle, err error) {
	store, err := bolt.Open(file)
	if err != nil {
		return inc, bundle, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if inc, err = store.Get(ctx, "INC-1"); err != nil {
		return inc, bundle, err
	}
	bundle, err = store.Bundle(ctx, inc.ID)
	return inc, bundle, err
}
