package drill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"redis-session-bot/internal/incident"
	"redis-session-bot/lab/faults"
	"redis-session-bot/lab/workload"
)

const (
	followEvery = 2 * time.Second
	healWithin  = 5 * time.Minute
)

// Options say what is broken, and where the bot keeps what becomes of it.
type Options struct {
	Workload workload.Options // the throwaway copy
	Fault    string
	Target   string // what people call it
	// Recent gives the incidents that the bot keeps: the open ones, and those closed
	// since.
	Recent func(ctx context.Context, since time.Time) ([]incident.Incident, error)
	For    time.Duration // the drill ends then, mended or not
	Out    io.Writer     // progress; it does not name the fault
}

// Run breaks the store, follows the incident to its end, heals the store, and
// scores. The end of ctx ends the drill, and is no error. A store that is not well,
// or that has an open incident, is refused.
func Run(ctx context.Context, o Options) (card Card, failure error) {
	copied, err := workload.Open(o.Workload)
	if err != nil {
		return card, err
	}
	if err := copied.Mine(ctx); err != nil {
		return card, err
	}
	status, err := copied.Look(ctx)
	if err != nil {
		return card, err
	}
	if !status.Healthy() {
		return card, fmt.Errorf("%s is not well, and a drill begins with a store that is: lab heal mends it", o.Target)
	}
	if known, err := o.newest(ctx, time.Time{}); err != nil {
		return card, err
	} else if known != nil && !Over(*known) {
		return card, fmt.Errorf("%s is still open for %s: end it first", known.ID, o.Target)
	}
	cause, _, _ := strings.Cut(o.Fault, "/")
	d := Drill{Fault: o.Fault, Cause: cause, Target: o.Target, Began: time.Now().UTC()}
	defer func() { failure = errors.Join(failure, o.heal(ctx)) }()
	if err := faults.Break(ctx, faults.Options{Kubeconfig: o.Workload.Kubeconfig, Context: o.Workload.Context, Namespace: o.Workload.Namespace, Out: io.Discard}, o.Fault); err != nil {
		return card, fmt.Errorf("break the store: %w", err)
	}
	fmt.Fprintf(o.Out, "%s is broken. The clock runs since %s; it ends after %s, or with Ctrl-C.\n", o.Target, d.Began.Format("15:04:05 UTC"), o.For)
	inc, err := o.follow(ctx, d.Began)
	if err != nil {
		return card, err
	}
	return Score(d, inc), nil
}

// follow reads the incident until it is over, or the time is. It tells each thing
// that a clock measures once, except whether the verdict is right.
func (o Options) follow(ctx context.Context, began time.Time) (inc incident.Incident, err error) {
	limited, cancel := context.WithTimeout(ctx, o.For)
	defer cancel()
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	told := ""
	for {
		found, err := o.newest(context.WithoutCancel(ctx), began)
		if err != nil {
			return inc, err
		}
		if found != nil {
			inc = *found
			if now := fmt.Sprintf("%s is %s", inc.ID, inc.State); now != told {
				told = now
				fmt.Fprintf(o.Out, "  %4d s  %s\n", int(time.Since(began).Seconds()), now)
			}
			if Over(inc) {
				return inc, nil
			}
		}
		select {
		case <-limited.Done():
			return inc, nil
		case <-ticker.C:
		}
	}
}

// newest is the newest incident of the target that was opened after a moment; nil
// for none. A duplicate of another one does not count.
func (o Options) newest(ctx context.Context, after time.Time) (*incident.Incident, error) {
	all, err := o.Recent(ctx, time.Now().Add(-24*time.Hour))
	if err != nil {
		return nil, fmt.Errorf("read what the bot keeps: %w", err)
	}
	all = slices.DeleteFunc(all, func(inc incident.Incident) bool {
		return inc.Target.Namespace != o.Workload.Namespace || inc.Target.Context != o.Workload.Context || inc.SameAs != "" ||
			len(inc.Timeline) == 0 || inc.Timeline[0].At.Before(after)
	})
	if len(all) == 0 {
		return nil, nil
	}
	newest := slices.MaxFunc(all, func(a, b incident.Incident) int { return a.Timeline[0].At.Compare(b.Timeline[0].At) })
	return &newest, nil
}

// heal puts the store back, whatever became of the drill.
func (o Options) heal(ctx context.Context) error {
	fmt.Fprintln(o.Out, "the drill is over; healing the store:")
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), healWithin)
	defer cancel()
	w := o.Workload
	w.Out = o.Out
	if err := workload.Heal(limited, w); err != nil {
		return fmt.Errorf("the store is not healed, lab heal tries again: %w", err)
	}
	return nil
}
