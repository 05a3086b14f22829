package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"redis-session-bot/internal/chaos/clustertest"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

// fate is what becomes of one call.
type fate int

const (
	goesWell    fate = iota
	failsBefore      // with nothing done
	failsAfter       // it is done, and nobody hears of it
	refused          // with nothing done, and a sentence
	conflicts        // somebody else was faster: of Store.Update
	diesBefore
	diesAfter
)

const pointAnnounce = "Announce"

var (
	errGone = errors.New("this replica is gone")
	errLost = errors.New("connection reset by peer")
)

// through lets one call of a replica's pass, or not.
func through[T any](ctx context.Context, l *life, point string, effect func() (T, error)) (T, error) {
	var none T
	if l.gone.Load() {
		return none, errGone
	}
	l.world.takeTurn(l)
	comes := l.world.fate(l, point)
	switch comes {
	case diesBefore:
		l.die(death{point, false})
		return none, errGone
	case failsBefore:
		return none, fmt.Errorf("%s: %w", point, errLost)
	case refused:
		return none, &incident.Refusal{Says: "The API server refused: the quota is used up.", Err: errLost}
	case conflicts:
		return none, fmt.Errorf("%s: %w", point, incident.ErrConflict)
	}
	result, err := effect()
	switch {
	case comes == diesAfter:
		l.die(death{point, true})
		return none, errGone
	case l.gone.Load():
		return none, errGone
	case comes == failsAfter && err == nil:
		return none, fmt.Errorf("%s: %w", point, errLost)
	}
	return result, err
}

// only is through for a call that gives an error and nothing else.
func only(ctx context.Context, l *life, point string, effect func() error) error {
	_, err := through(ctx, l, point, func() (struct{}, error) { return struct{}{}, effect() })
	return err
}

// store is the store as a replica has it. It takes no time: the engine calls it
// while it holds its locks, and synctest's clock stands still then.
type store struct {
	l *life
	incident.Store
}

func (s store) Create(ctx context.Context, inc incident.Incident) (incident.Incident, error) {
	return through(ctx, s.l, "Store.Create", func() (incident.Incident, error) { return wrote(ctx)(s.Store.Create(ctx, inc)) })
}

func (s store) Get(ctx context.Context, id string) (incident.Incident, error) {
	return through(ctx, s.l, "Store.Get", func() (incident.Incident, error) { return s.Store.Get(ctx, id) })
}

func (s store) Update(ctx context.Context, inc incident.Incident) (incident.Incident, error) {
	return through(ctx, s.l, "Store.Update", func() (incident.Incident, error) { return wrote(ctx)(s.Store.Update(ctx, inc)) })
}

func (s store) Recent(ctx context.Context, since time.Time) ([]incident.Incident, error) {
	return through(ctx, s.l, "Store.Recent", func() ([]incident.Incident, error) { return s.Store.Recent(ctx, since) })
}

func (s store) Index(ctx context.Context) ([]incident.Brief, error) {
	return through(ctx, s.l, "Store.Index", func() ([]incident.Brief, error) { return s.Store.Index(ctx) })
}

func (s store) Drop(ctx context.Context, id string, why incident.Entry) error {
	return only(ctx, s.l, "Store.Drop", func() error {
		inc, err := s.Store.Get(ctx, id)
		if err == nil {
			err = s.Store.Drop(ctx, id, why)
		}
		if err == nil {
			s.l.world.dropped(inc)
		}
		return err
	})
}

func (s store) AddBundle(ctx context.Context, id string, part evidence.Bundle) error {
	return only(ctx, s.l, "Store.AddBundle", func() error { return s.Store.AddBundle(ctx, id, part) })
}

func (s store) Bundle(ctx context.Context, id string) (evidence.Bundle, error) {
	return through(ctx, s.l, "Store.Bundle", func() (evidence.Bundle, error) { return s.Store.Bundle(ctx, id) })
}

// wrote notes that what a person asked for has changed something.
func wrote(ctx context.Context) func(incident.Incident, error) (incident.Incident, error) {
	return func(inc incident.Incident, err error) (incident.Incident, error) {
		if asked, ok := ctx.Value(askKey{}).(*ask); ok && err == nil {
			asked.writes.Add(1)
		}
		return inc, err
	}
}

// cluster is the clusters of all targets as a replica has them. It takes its time.
type cluster struct{ l *life }

func (c cluster) of(target evidence.Target) *clustertest.Fake {
	return c.l.world.fakes[target.Namespace]
}

// unread is how the real cluster says that it could not be asked.
func unread(err error) error {
	var refusal *incident.Refusal
	if err == nil || errors.As(err, &refusal) || errors.As(err, new(*incident.Drift)) {
		return err
	}
	return &incident.Refusal{Says: "The cluster could not be read: " + err.Error() + ".", Err: err}
}

type look struct {
	cluster
	incident.Look
}

func (c cluster) Look(target evidence.Target) incident.Look {
	return look{c, c.of(target).Look(target)}
}

func (c look) Check(ctx context.Context, check string) (evidence.Bundle, error) {
	if err := c.l.pause(ctx, "Look.Check "+check, 4*time.Second); err != nil {
		return evidence.Bundle{}, err
	}
	return through(ctx, c.l, "Look.Check", func() (evidence.Bundle, error) { return c.Look.Check(ctx, check) })
}

func (c cluster) Prepare(ctx context.Context, wanted incident.Wanted) (incident.Prepared, error) {
	if err := c.l.pause(ctx, "Cluster.Prepare", 20*time.Second); err != nil {
		return incident.Prepared{}, unread(err)
	}
	prepared, err := through(ctx, c.l, "Cluster.Prepare", func() (incident.Prepared, error) { return c.of(wanted.Target).Prepare(ctx, wanted) })
	return prepared, unread(err)
}

func (c cluster) Unchanged(ctx context.Context, target evidence.Target, writes []incident.Write) error {
	if err := c.l.pause(ctx, "Cluster.Unchanged", time.Second); err != nil {
		return unread(err)
	}
	return unread(only(ctx, c.l, "Cluster.Unchanged", func() error { return c.of(target).Unchanged(ctx, target, writes) }))
}

// Apply is on its way before and after the write takes effect: a replica may die
// then, too.
func (c cluster) Apply(ctx context.Context, target evidence.Target, write incident.Write, actor incident.Actor) (string, error) {
	if err := c.l.pause(ctx, "Cluster.Apply", 3*time.Second); err != nil {
		return "", err
	}
	after, err := through(ctx, c.l, "Cluster.Apply", func() (string, error) { return c.of(target).Apply(ctx, target, write, actor) })
	if late := c.l.pause(ctx, "Cluster.Apply answers", 3*time.Second); late != nil {
		return "", late
	}
	return after, err
}

func (c cluster) Settle(ctx context.Context, target evidence.Target, write incident.Write, progress func(string)) ([]string, error) {
	says, err := through(ctx, c.l, "Cluster.Settle", func() ([]string, error) { return c.of(target).Settle(ctx, target, write, progress) })
	return says, unread(err)
}

func (c cluster) Arrived(ctx context.Context, target evidence.Target, write incident.Write) (bool, string, error) {
	type answer struct {
		arrived bool
		after   string
	}
	if err := c.l.pause(ctx, "Cluster.Arrived", time.Second); err != nil {
		return false, "", unread(err)
	}
	got, err := through(ctx, c.l, "Cluster.Arrived", func() (answer, error) {
		arrived, after, err := c.of(target).Arrived(ctx, target, write)
		return answer{arrived, after}, err
	})
	return got.arrived, got.after, unread(err)
}

func (l *life) announce(ctx context.Context, target evidence.Target, object incident.Object, says string) error {
	if err := l.pause(ctx, pointAnnounce, time.Second); err != nil {
		return err
	}
	return only(ctx, l, pointAnnounce, func() error { return nil })
}

// roles lets Ada diagnose, and Bob and Cy apply.
type roles struct{ l *life }

func (r roles) Allows(ctx context.Context, actor incident.Actor, role incident.Role) error {
	return only(ctx, r.l, "Roles.Allows", func() error {
		if actor == bob || actor == cy || actor == ada && role == incident.Responder {
			return nil
		}
		return &incident.Refusal{Says: "You may not."}
	})
}

// pager is a receiver as a replica has it.
type pager struct {
	l  *life
	to *receiver
}

func (p pager) Call(ctx context.Context, summons incident.Summons) (string, error) {
	if err := p.l.pause(ctx, "Pager.Call "+p.to.name, 5*time.Second); err != nil {
		return "", err
	}
	ref, err := through(ctx, p.l, "Pager.Call", func() (string, error) { return p.to.take(summons), nil })
	var refusal *incident.Refusal
	if errors.As(err, &refusal) {
		return "", fmt.Errorf("%s is overloaded: %w", p.to.name, incident.ErrNotTaken)
	}
	return ref, err
}
