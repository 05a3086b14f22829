package main

import (
	"context"
	"fmt"
	"time"

	"redis-session-bot/lab/workload"
)

// The aims.
const (
	aimRequests = 15
	aimMemory   = 100 // MB
)

// cost is what one diagnosis takes.
type cost struct {
	took     time.Duration
	requests int64
	peak     float64 // MB
}

// growth makes the namespace of the store crowded, and its log large, and
// measures a diagnosis before and after.
func (b *bench) growth(ctx context.Context) error {
	if err := b.alone(ctx); err != nil {
		return err
	}
	crowd, err := b.crowd()
	if err != nil {
		return err
	}
	for _, work := range []struct {
		what        string
		small, more int
		bring       func(ctx context.Context, from, to int) error
		during      func(ctx context.Context) (cost, error)
	}{
		{"other pods", 200, 2000, crowd.pods, b.cost},
		{"events of other pods", 1000, 10000, crowd.events, b.cost},
		{"MB of log", 100, 1000, crowd.log, nil},
	} {
		during := work.during
		if during == nil {
			during = func(ctx context.Context) (cost, error) { return b.whileLarge(ctx, crowd) }
		}
		note("%d %s", work.small, work.what)
		if err := work.bring(ctx, 0, work.small); err != nil {
			return err
		}
		before, err := during(ctx)
		if err != nil {
			return err
		}
		note("%d %s", work.more, work.what)
		if err := work.bring(ctx, work.small, work.more); err != nil {
			return err
		}
		after, err := during(ctx)
		if err != nil {
			return err
		}
		b.addGrowth(work.what, work.small, work.more, before, after)
	}
	return crowd.shorten()
}

func (b *bench) addGrowth(what string, small, more int, before, after cost) {
	with := fmt.Sprintf("%d %s", more, what)
	b.table.add(row{what: "requests of a diagnosis", with: with, result: fmt.Sprint(after.requests),
		aim: fmt.Sprintf("%d at most", aimRequests), held: after.requests <= aimRequests})
	b.table.add(row{what: "peak memory of a diagnosis", with: with, result: fmt.Sprintf("%.0f MB", after.peak),
		aim: fmt.Sprintf("under %d MB", aimMemory), held: after.peak < aimMemory})
	b.table.add(row{what: "a diagnosis with ten times the work", with: fmt.Sprintf("%d → %d %s", small, more, what),
		result: fmt.Sprintf("time %.2f → %.2f s (×%.2f), requests %d → %d, memory %.0f → %.0f MB (×%.2f)", before.took.Seconds(), after.took.Seconds(),
			after.took.Seconds()/before.took.Seconds(), before.requests, after.requests, before.peak, after.peak, after.peak/before.peak)})
}

// alone measures both shapes with nothing beside them.
func (b *bench) alone(ctx context.Context) error {
	for _, shape := range workload.Shapes() {
		requests, err := b.requests(ctx, b.copyOf(shape).Namespace)
		if err != nil {
			return err
		}
		b.table.add(row{what: "requests of a diagnosis", with: "a " + shape + ", no other pods", result: fmt.Sprint(requests),
			aim: fmt.Sprintf("%d at most", aimRequests), held: requests <= aimRequests})
	}
	here, err := b.cost(ctx)
	if err != nil {
		return err
	}
	b.table.add(row{what: "peak memory of a diagnosis", with: "no other pods", result: fmt.Sprintf("%.0f MB", here.peak),
		aim: fmt.Sprintf("under %d MB", aimMemory), held: here.peak < aimMemory})
	return nil
}

// cost measures a diagnosis: the median of its times, the most of its memory.
func (b *bench) cost(ctx context.Context) (cost, error) {
	return b.costWhile(ctx, func(one func() error) error { return one() })
}

// costWhile runs each diagnosis within what keeps its conditions.
func (b *bench) costWhile(ctx context.Context, keep func(one func() error) error) (cost, error) {
	var c cost
	err := keep(func() (err error) { c.requests, err = b.requests(ctx, b.namespace()); return err })
	if err != nil {
		return cost{}, err
	}
	c.took, err = median(rounds, func() (time.Duration, error) {
		var result ran
		err := keep(func() (err error) { result, err = b.diagnose(ctx, b.kubeconfig, b.namespace()); return err })
		c.peak = max(c.peak, float64(result.peak)*1024/1e6)
		return result.took, err
	})
	return c, err
}

// tries is how often a log is made large again that the kubelet has cut meanwhile.
const tries = 10

// whileLarge measures while the log has its size: the kubelet cuts a log that
// is so large when it next looks, every ten seconds, and what was measured
// meanwhile does not count.
func (b *bench) whileLarge(ctx context.Context, crowd *crowd) (cost, error) {
	return b.costWhile(ctx, func(one func() error) error {
		for range tries {
			if err := crowd.log(ctx, 0, crowd.size); err != nil {
				note("%v; once more", err) // it is being cut just now
				time.Sleep(time.Second)
				continue
			}
			if err := one(); err != nil || crowd.large() {
				return err
			}
		}
		return fmt.Errorf("the kubelet has cut the log each of %d times", tries)
	})
}
