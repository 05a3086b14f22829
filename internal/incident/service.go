package incident

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

// Limits bound how long the parts of an incident may take.
type Limits struct {
	Step      time.Duration // one check
	Prepare   time.Duration // making one plan, with reading what is on a volume
	PlanValid time.Duration // a plan may be applied this long after it was made
	Settle    time.Duration // a rollout may take
	Undone    time.Duration // the last rollout of an undo may take: what was broken is broken again, and may never be ready
	Verify    time.Duration // the verification waits for the workload to be well
	Poll      time.Duration // pause between two verifications
	// Silence is how long a replica that works on an incident may not be heard of
	// before another one takes its work for interrupted; 0: there are no others.
	Silence time.Duration
	// Recovery is how long after a fix Prometheus has seen the store well, and is
	// asked again; 0: it is not.
	Recovery time.Duration
}

// DefaultLimits fit a store that loads its data within two minutes.
func DefaultLimits() Limits {
	return Limits{Step: 20 * time.Second, Prepare: 5 * time.Minute, PlanValid: 15 * time.Minute, Settle: 3 * time.Minute, Undone: time.Minute, Verify: 90 * time.Second, Poll: 2 * time.Second}
}

// Service runs incidents. Its fields are set once, before the first call. Its
// methods return as soon as the store has decided; what takes longer goes on
// in the background and shows through Changed.
type Service struct {
	Runbooks map[string]*runbook.Runbook // by command
	Checks   map[string]checks.Check
	Cluster  Cluster
	Store    Store
	Roles    Roles
	// Kubectl gives what a person would type instead of a check.
	Kubectl func(target evidence.Target, workload evidence.Workload, check string) []string
	// Announce leaves a word on an object that a write has changed, for those
	// who look at it in the cluster. nil: nobody is told.
	Announce func(ctx context.Context, target evidence.Target, object Object, says string) error
	// Changed is called after every change of an incident. It returns at once.
	Changed    func(id string)
	Limits     Limits
	Second     SecondPerson
	BreakGlass BreakGlass
	Escalation Policy
	Pagers     map[string]Pager // by the name that the levels have
	Alerting   Alerting
	Log        *slog.Logger
	Now        func() time.Time

	// Replica names this process among those that share the store; no two have one
	// name.
	Replica string

	// Background is the life of what goes on after a method has returned.
	Background context.Context

	work  sync.WaitGroup
	hands hands
	turns turns      // of the steps
	merge sync.Mutex // one step at a time adds to a bundle
	begun sync.Mutex // one plan at a time is begun, over all incidents
	clock clock
	opens sync.Mutex // one incident at a time is opened
	told  notices    // what alerts have told and is not stored yet
}

// Wait returns when nothing goes on in the background any more.
func (s *Service) Wait() { s.work.Wait() }

// start runs f in the background, with the incident's ID for the log.
func (s *Service) start(id string, f func(ctx context.Context) error) {
	s.hands.on(id)
	s.work.Go(func() {
		defer s.hands.off(id)
		if err := f(s.Background); err != nil && s.Background.Err() == nil {
			s.Log.Error("incident", "incident", id, "err", err)
		}
	})
}

// allow asks for a role.
func (s *Service) allow(ctx context.Context, actor Actor, role Role) error {
	if actor == Alertmanager() {
		return refuse("Alertmanager may open an incident and walk it, nothing else.")
	}
	return s.Roles.Allows(ctx, actor, role)
}

// change reads an incident, lets f decide and change it, and stores it. It
// tries again when somebody else was faster, so f must be a pure decision. An
// error of f leaves everything as it was. Any other error may leave a change that
// nobody knows of: see unstored.
func (s *Service) change(ctx context.Context, id string, f func(inc *Incident) error) (Incident, error) {
	for {
		inc, err := s.Store.Get(ctx, id)
		if err != nil {
			return Incident{}, fmt.Errorf("read %s: %w", id, err)
		}
		if err := f(&inc); err != nil {
			return inc, err
		}
		stored, err := s.Store.Update(ctx, inc)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			there, failure := s.Store.Get(ctx, id)
			if failure != nil || !same(there, inc) {
				return inc, &unstored{id, err}
			}
			stored = there // the answer alone was lost
		}
		s.clock.touch(id)
		s.Changed(id)
		return stored, nil
	}
}

// unstored is the error of a change of which nobody knows whether the store has
// it.
type unstored struct {
	id  string
	err error
}

// Error is the chain for operators.
func (u *unstored) Error() string { return fmt.Sprintf("store %s: %v", u.id, u.err) }

// Unwrap gives the cause.
func (u *unstored) Unwrap() error { return u.err }

// same reports whether a stored incident is the one that was sent to be stored.
func same(stored, sent Incident) bool {
	sent.Version++
	has, failed := json.Marshal(stored)
	want, err := json.Marshal(sent)
	return failed == nil && err == nil && bytes.Equal(has, want)
}

// insist does what must be stored, since it has happened already or somebody
// waits for it: again until the store takes it, or the process ends. f must not
// mind being done twice. It holds no lock while it waits.
func (s *Service) insist(ctx context.Context, id string, f func() error) error {
	for pause := insistFirst; ; pause = min(2*pause, insistMost) {
		err := f()
		var refusal *Refusal
		if err == nil || errors.Is(err, errNothing) || errors.Is(err, ErrNotFound) || errors.As(err, &refusal) || ctx.Err() != nil {
			return err
		}
		if pause == insistFirst {
			s.Log.Warn("the store does not take it; trying again", "incident", id, "err", err)
		}
		select {
		case <-s.Background.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// The pauses before what must be stored is tried again.
const (
	insistFirst = time.Second
	insistMost  = 30 * time.Second
)

// note adds a line to the timeline.
func (s *Service) note(inc *Incident, actor Actor, format string, args ...any) {
	inc.Timeline = append(inc.Timeline, Entry{At: s.Now(), Actor: actor, Text: fmt.Sprintf(format, args...)})
}

// refuse is a Refusal without a cause.
func refuse(format string, args ...any) error {
	return &Refusal{Says: fmt.Sprintf(format, args...)}
}

// Open begins an incident for a target, or gives the one that is open for it
// already; existed tells which.
func (s *Service) Open(ctx context.Context, actor Actor, command string, target evidence.Target, place Place) (inc Incident, existed bool, err error) {
	if err := s.allow(ctx, actor, Responder); err != nil {
		return Incident{}, false, err
	}
	book, ok := s.Runbooks[command]
	if !ok {
		return Incident{}, false, refuse("There is no runbook for /%s.", command)
	}
	s.opens.Lock()
	defer s.opens.Unlock()
	all, err := s.Store.Recent(ctx, time.Time{})
	if err != nil {
		return Incident{}, false, fmt.Errorf("list incidents: %w", err)
	}
	if other := goesOn(all, command, target); other != nil {
		return *other, true, nil
	}
	inc = s.unstored(book, actor, target, place, s.Now())
	s.note(&inc, actor, "opened the incident for %s", target)
	return s.create(ctx, inc)
}

// unstored makes an incident that is not stored yet.
func (s *Service) unstored(book *runbook.Runbook, actor Actor, target evidence.Target, place Place, since time.Time) Incident {
	inc := Incident{Runbook: book.Command, Target: target, Place: place, State: Walking, Since: since, OpenedBy: actor, Walker: actor, Shown: map[string]string{}}
	for _, step := range book.Steps {
		inc.Steps = append(inc.Steps, Step{ID: step.ID, Title: step.Title, Check: step.Check, Status: Pending, LookFor: step.Prose})
	}
	return inc
}

// goesOn finds the incident of a target that is not settled, the oldest first;
// nil for none.
func goesOn(all []Incident, command string, target evidence.Target) *Incident {
	for i := range all {
		if other := &all[i]; !other.settled() && other.Runbook == command && other.Target.Same(target) {
			return other
		}
	}
	return nil
}

// create stores a new incident. Where another replica was faster, its incident
// stays and is given instead: of two, every replica takes the older one. Nobody
// has been shown the other.
func (s *Service) create(ctx context.Context, inc Incident) (created Incident, existed bool, err error) {
	if inc, err = s.Store.Create(ctx, inc); err != nil {
		return Incident{}, false, fmt.Errorf("store a new incident: %w", err)
	}
	all, err := s.Store.Recent(ctx, time.Time{})
	if err != nil {
		return Incident{}, false, fmt.Errorf("list incidents: %w", err)
	}
	if first := goesOn(all, inc.Runbook, inc.Target); first != nil && first.ID != inc.ID {
		inc.State, inc.ClosedAt, inc.SameAs = Closed, s.Now(), first.ID
		s.note(&inc, inc.OpenedBy, "opened at the same moment as %s, which stays", first.ID)
		if _, err := s.Store.Update(ctx, inc); err != nil {
			return Incident{}, false, fmt.Errorf("close %s for %s: %w", inc.ID, first.ID, err)
		}
		return *first, true, nil
	}
	s.Changed(inc.ID)
	return inc, false, nil
}

// Get returns one incident.
func (s *Service) Get(ctx context.Context, id string) (Incident, error) { return s.Store.Get(ctx, id) }

// List returns all incidents, oldest first.
func (s *Service) List(ctx context.Context) ([]Incident, error) { return s.Store.List(ctx) }

// Recent returns, oldest first, the incidents that do not rest, and those that
// were closed since then; none of those for the zero time.
func (s *Service) Recent(ctx context.Context, since time.Time) ([]Incident, error) {
	return s.Store.Recent(ctx, since)
}

// Show remembers where the message of that key is.
func (s *Service) Show(ctx context.Context, id, key, ref string) error {
	for {
		inc, err := s.Store.Get(ctx, id)
		if err != nil {
			return fmt.Errorf("read %s: %w", id, err)
		}
		if inc.Shown == nil {
			inc.Shown = map[string]string{}
		}
		inc.Shown[key] = ref
		if _, err = s.Store.Update(ctx, inc); !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

// ShowAt remembers the address of the incident's own message.
func (s *Service) ShowAt(ctx context.Context, id, link string) error {
	_, err := s.change(ctx, id, func(inc *Incident) error {
		if inc.Link == link {
			return errNothing
		}
		inc.Link = link
		return nil
	})
	if errors.Is(err, errNothing) {
		return nil
	}
	return err
}

// TakeOver makes actor the one who walks.
func (s *Service) TakeOver(ctx context.Context, id string, actor Actor) error {
	if err := s.allow(ctx, actor, Responder); err != nil {
		return err
	}
	_, err := s.change(ctx, id, func(inc *Incident) error {
		if inc.Walker.ID == actor.ID {
			return refuse("You walk %s already.", id)
		}
		s.note(inc, actor, "took over from %s", inc.Walker.Name)
		inc.Walker = actor
		return nil
	})
	return err
}

// Close ends an incident.
func (s *Service) Close(ctx context.Context, id string, actor Actor) error {
	if err := s.allow(ctx, actor, Responder); err != nil {
		return err
	}
	_, err := s.change(ctx, id, func(inc *Incident) error {
		switch inc.State {
		case Applying, Verifying:
			return refuse("%s cannot be closed while a plan is applied. Wait for its result.", id)
		case Closed:
			return refuse("%s is closed already.", id)
		}
		inc.State, inc.ClosedAt = Closed, s.Now()
		s.note(inc, actor, "closed the incident")
		return nil
	})
	return err
}

// Recover puts right what a bot that died has left behind: steps that ran are
// to be run again, and a write that was on its way is unknown. Nothing is
// sent again. Where others share the store, what one of them works on is left to
// Attend.
func (s *Service) Recover(ctx context.Context) error {
	all, err := s.Store.Recent(ctx, time.Time{})
	if err != nil {
		return fmt.Errorf("list incidents: %w", err)
	}
	for _, inc := range all {
		if !inc.Open() {
			continue
		}
		inc, err := s.change(ctx, inc.ID, func(inc *Incident) error {
			s.recoverIncident(inc, func(string) bool { return s.Limits.Silence <= 0 })
			return nil
		})
		if err != nil {
			return err
		}
		s.takeUp(inc)
	}
	return nil
}

// recoverIncident ends what was under way on the replicas that are gone at the
// moment at which it is found: from then on a person has the time that a plan is
// valid to go on with it.
func (s *Service) recoverIncident(inc *Incident, gone func(replica string) bool) {
	now := s.Now()
	for i := range inc.Steps {
		if step := &inc.Steps[i]; step.Status == Running && gone(step.Replica) {
			step.Status = Pending
		}
	}
	for i := range inc.Plans {
		plan := &inc.Plans[i]
		if !underWay(*plan) || !gone(plan.Replica) {
			continue
		}
		if plan.State == Preparing {
			plan.State, plan.EndedAt, plan.Trouble = Failed, now, "The bot was restarted while this plan was prepared. Nothing was changed. Make a new one."
			s.note(inc, Bot(), "plan %d could not be made: %s", plan.Number, plan.Trouble)
			continue
		}
		plan.State, plan.EndedAt, plan.Trouble = Uncertain, now, "The bot was restarted while this plan was applied. Look at what the cluster shows now before you do anything."
		for w := range plan.Writes {
			if plan.Writes[w].Status == Sending {
				plan.Writes[w].Status = Lost
			}
		}
		s.note(inc, Bot(), "plan %d ended: %s", plan.Number, plan.Trouble)
		inc.State = NotFixed
	}
	if inc.State == Verifying && gone(inc.Verifier) {
		inc.State = NotFixed
	}
}
