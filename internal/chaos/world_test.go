package chaos

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"redis-session-bot/internal/chain"
	"redis-session-bot/internal/chaos/clustertest"
	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
	"redis-session-bot/internal/store/bolt"
	"redis-session-bot/internal/store/memory"
)

// canary is the queues' password.
const canary = "canary-2b7e1516"

// backend is a store with its audit trail.
type backend interface {
	incident.Store
	chain.Trail
}

// world is one run: the replicas, and all that is around them.
type world struct {
	t     *testing.T
	seed  uint64
	draw  *rand.Rand // of the schedule; what fails is drawn by what is called
	began time.Time
	book  *runbook.Runbook
	count *tally
	file  string // of the one replica; "" for two over one store in memory

	targets  []evidence.Target
	fakes    map[string]*clustertest.Fake // by namespace
	pagers   map[string]*receiver
	replicas []*replica
	second   incident.SecondPerson
	faulty   float64 // how often calls fail, as a factor
	over     context.Context
	end      context.CancelFunc
	around   sync.WaitGroup // replicas, and Alertmanager

	mu     sync.Mutex
	kept   backend // nil while the one replica is dead
	calm   bool    // nothing fails any more
	down   map[string]time.Time
	rolled map[string]int
	arms   []*arm
	turn   *turn
	asks   []*ask
	gone   []incident.Incident // dropped
	story  []string
	steps  []string
	log    bytes.Buffer
	alarms []*alarm
	desk   desk // of the schedule alone
}

// arm is a death that waits for its point.
type arm struct {
	replica string
	at      death
	skip    int // so many calls go well first
}

func newWorld(t *testing.T, seed uint64, book *runbook.Runbook, count *tally, folder string) *world {
	w := &world{t: t, seed: seed, draw: rand.New(rand.NewPCG(seed, 1)), began: time.Now(), book: book, count: count,
		fakes: map[string]*clustertest.Fake{}, pagers: map[string]*receiver{}, down: map[string]time.Time{}, rolled: map[string]int{}}
	w.over, w.end = context.WithCancel(context.Background())
	w.faulty = []float64{0, 1, 1, 3}[seed%4]
	w.second = []incident.SecondPerson{incident.SecondNever, incident.SecondForLoss}[seed/4%2]
	names := []string{"A", "B"}
	if folder != "" {
		names, w.file = names[:1], filepath.Join(folder, "incidents.db")
	} else {
		w.kept = &memory.Store{}
	}
	for _, namespace := range []string{"shop", "mall"} {
		target := book.Target
		target.Name, target.Namespace = namespace, namespace
		w.targets = append(w.targets, target)
		fake := &clustertest.Fake{Now: time.Now, Rollout: 20 * time.Second, Secret: canary}
		w.fakes[namespace] = fake
		w.fall(fake)
	}
	for _, name := range []string{"duty", "hook"} {
		w.pagers[name] = &receiver{name: name}
	}
	for _, name := range names {
		w.replicas = append(w.replicas, &replica{name: name, world: w})
	}
	all := points()
	for n := range 3 {
		at := (int(seed)*3 + n) % (2 * len(all))
		w.arms = append(w.arms, &arm{replica: names[n%len(names)], at: death{all[at/2], at%2 == 1}, skip: w.draw.IntN(3)})
	}
	return w
}

// fall makes a queue ill in one of the ways that a fix mends.
func (w *world) fall(fake *clustertest.Fake) {
	fake.Fall([]clustertest.Ill{
		{Object: clustertest.Settings, Key: "size", Value: "large"},
		{Object: clustertest.Workload, Key: "restartedAt"},
		{Object: clustertest.Workload, Key: "disk", Value: "clean"},
		{Object: clustertest.Workload, Key: "limit", Value: "1Gi"},
	}[w.draw.IntN(4)])
}

// note adds a line to what has happened.
func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.story = append(w.story, fmt.Sprintf("%s %s", time.Since(w.began).Round(time.Microsecond), fmt.Sprintf(format, args...)))
}

// step notes what the schedule does, which is drawn from the seed.
func (w *world) step(format string, args ...any) {
	w.note("— "+format, args...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.steps = append(w.steps, fmt.Sprintf(format, args...))
}

// plan is the schedule, line by line.
func (w *world) plan() string { return strings.Join(w.steps, "\n") }

// broken tells of an invariant that does not hold.
func (w *world) broken(format string, args ...any) {
	w.t.Helper()
	w.note("!! "+format, args...)
	w.t.Errorf("seed %d: "+format, append([]any{w.seed}, args...)...)
}

// roll draws from what is called, and how often it was at this moment: the order
// in which goroutines run changes nothing.
func (w *world) roll(what string) *rand.Rand {
	key := fmt.Sprintf("%s@%d", what, time.Since(w.began))
	w.mu.Lock()
	w.rolled[key]++
	n := w.rolled[key]
	w.mu.Unlock()
	hash := fnv.New64a()
	_ = binary.Write(hash, binary.BigEndian, w.seed) // a hash takes everything
	fmt.Fprintf(hash, "%s#%d", key, n)
	return rand.New(rand.NewPCG(hash.Sum64(), w.seed))
}

// What can be gone as a whole.
const (
	downStore   = "the store"
	downCluster = "the API server"
	downPagers  = "the pagers"
	downSlack   = "Slack"
)

func (w *world) isDown(what string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.calm && time.Now().Before(w.down[what])
}

// fate decides what becomes of a call.
func (w *world) fate(l *life, point string) fate {
	w.mu.Lock()
	if w.calm {
		w.mu.Unlock()
		return goesWell
	}
	for i, one := range w.arms {
		if one.replica != l.of.name || one.at.point != point {
			continue
		}
		if one.skip--; one.skip >= 0 {
			continue
		}
		w.arms = append(w.arms[:i:i], w.arms[i+1:]...)
		w.mu.Unlock()
		if one.at.after {
			return diesAfter
		}
		return diesBefore
	}
	w.mu.Unlock()
	port, _, _ := strings.Cut(point, ".")
	if what := map[string]string{"Store": downStore, "Cluster": downCluster, "Look": downCluster, "Pager": downPagers, "Roles": downSlack}[port]; what != "" && w.isDown(what) && point != "Cluster.Settle" {
		return failsBefore
	}
	chances := map[string][]float64{ // before, after, refused, conflict
		"Store": {.004, .004, 0, 0}, "Store.Update": {.005, .01, 0, .03}, "Cluster": {.03, 0, .03}, "Cluster.Apply": {.06, .1, .05},
		"Look": {.05}, "Pager": {.06, .08, .12}, pointAnnounce: {.1}, "Roles": {.01},
	}
	chance, ok := chances[point]
	if !ok {
		chance = chances[port]
	}
	at := w.roll(l.of.name+" "+point).Float64() / max(w.faulty, 1e-9)
	for n, one := range chance {
		if at -= one; at < 0 {
			comes := []fate{failsBefore, failsAfter, refused, conflicts}[n]
			w.count.saw("faults", 1)
			w.note("   %s: %s %s", l.of.name, point, []string{"", "fails", "is done, and its answer is lost", "is refused", "was too late"}[comes])
			return comes
		}
	}
	return goesWell
}

// replica is one of the bot's, which is started again whenever it dies.
type replica struct {
	name  string
	world *world

	mu   sync.Mutex
	now  *life // nil while it is dead
	born int
}

// life is one process.
type life struct {
	of      *replica
	world   *world
	ctx     context.Context
	end     context.CancelFunc
	gone    atomic.Bool
	service *incident.Service
	handler *commands.Handler

	mu      sync.Mutex
	closed  bool
	working sync.WaitGroup // what has come from outside
}

// do lets something come to the process from outside; false where it is dead, or
// has died meanwhile.
func (l *life) do(f func()) bool {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return false
	}
	l.working.Add(1)
	l.mu.Unlock()
	defer l.working.Done()
	f()
	return l.ctx.Err() == nil
}

// close waits until nothing of a dead process goes on.
func (l *life) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.working.Wait()
	l.service.Wait()
}

// alive is the replica's process; nil for none that answers.
func (r *replica) alive() *life {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// keep starts the replica until the run is over.
func (r *replica) keep() {
	w := r.world
	for w.over.Err() == nil {
		l := r.start()
		if err := l.service.Recover(l.ctx); err != nil {
			w.note("   %s does not start: %v", r.name, err)
			l.end()
		} else {
			r.mu.Lock()
			r.now = l
			r.mu.Unlock()
			w.note("   %s is up", r.name)
			var beside sync.WaitGroup
			beside.Go(func() { l.service.Attend(l.ctx) })
			l.service.KeepTime(l.ctx)
			beside.Wait()
		}
		<-l.ctx.Done()
		r.mu.Lock()
		r.now = nil
		r.mu.Unlock()
		l.close()
		r.shut()
		select {
		case <-w.over.Done():
		case <-time.After(time.Second + time.Duration(w.roll(r.name+" starts again").Int64N(int64(time.Minute)))):
		}
	}
}

// die ends a replica at once: nothing that it still calls for takes effect.
func (l *life) die(at death) {
	if l.gone.Swap(true) {
		return
	}
	l.world.note("   %s dies %s", l.of.name, at)
	if at.point != "" {
		l.world.count.died(at)
	}
	l.end()
}

// start makes a process as `bot serve` does.
func (r *replica) start() *life {
	w := r.world
	r.born++
	l := &life{of: r, world: w}
	l.ctx, l.end = context.WithCancel(w.over)
	if w.file != "" {
		file, err := bolt.Open(w.file)
		if err != nil {
			w.t.Fatalf("seed %d: open the store: %v", w.seed, err)
		}
		w.mu.Lock()
		w.kept = file
		w.mu.Unlock()
	}
	w.mu.Lock()
	kept := w.kept
	w.mu.Unlock()
	log := slog.New(slog.NewTextHandler(writer{w}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	limits := incident.DefaultLimits()
	limits.Poll = 10 * time.Second
	if w.file == "" { // no other process can open a file
		limits.Silence = 2 * time.Minute
	}
	pagers := map[string]incident.Pager{}
	for name, to := range w.pagers {
		pagers[name] = pager{l, to}
	}
	l.service = &incident.Service{
		Runbooks: fixed(w.book), Checks: checks.Named(), Cluster: cluster{l}, Store: store{l, kept}, Roles: roles{l},
		Kubectl:  func(evidence.Target, evidence.Workload, string) []string { return nil },
		Announce: l.announce, Changed: func(string) {}, Limits: limits, Second: w.second,
		Escalation: policy, Pagers: pagers, Alerting: incident.Alerting{Auto: w.seed%3 > 0, ReopenWithin: 30 * time.Minute},
		Log: log, Now: r.clock, Background: l.ctx, Replica: fmt.Sprint(r.name, r.born),
	}
	l.handler = &commands.Handler{Incidents: l.service, Command: command, Targets: w.targets, Approvers: []string{bob.ID, cy.ID}, Log: log}
	return l
}

// clock is the replica's own: no two have the same time to the nanosecond.
func (r *replica) clock() time.Time { return time.Now().Add(time.Duration(r.name[0] - 'A')) }

// shut closes the file of the one replica.
func (r *replica) shut() {
	w := r.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if file, ok := w.kept.(*bolt.Store); ok {
		if err := file.Close(); err != nil {
			w.t.Errorf("seed %d: close the store: %v", w.seed, err)
		}
		w.kept = nil
	}
}

// writer is the log of all replicas.
type writer struct{ *world }

func (w writer) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.story = append(w.story, fmt.Sprintf("%s    log: %s", time.Since(w.began).Round(time.Microsecond), bytes.TrimSpace(line)))
	return w.log.Write(line)
}

// pause lets a call take its time; the error is that of a call that was given up.
func (l *life) pause(ctx context.Context, what string, most time.Duration) error {
	if asked, ok := ctx.Value(askKey{}).(*ask); ok {
		asked.park()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Millisecond + time.Duration(l.world.roll(l.of.name+" "+what+" takes").Int64N(int64(most)))):
		return nil
	}
}

// dropped keeps what the store forgets.
func (w *world) dropped(inc incident.Incident) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gone = append(w.gone, inc)
}
