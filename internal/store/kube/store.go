// Package kube keeps incidents in the Kubernetes API, so that several replicas of
// the bot share them: one ConfigMap for each incident, further ones for its
// evidence, and a row of ConfigMaps for the audit trail.
//
// It owns these objects and no others. An object's resourceVersion decides every
// race. What it writes is redacted before it gets here, so that ConfigMaps will
// do; nobody but the bot needs to read or write them.
//
// The audit trail is one chain over all incidents, in objects that are appended
// to by compare-and-swap: replicas that append at once wait for each other, and
// the chain cannot fork. An incident's lines are chained right after they are
// stored, and until then the incident is marked as pending; a replica that dies in
// between leaves the mark, and any replica chains the lines later (Mend). Somebody
// who may write ConfigMaps here can write the whole chain anew. They cannot change,
// drop, insert or move an entry without changing every later hash, which the log
// and the reports tell of; see package chain.
package kube

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"redis-session-bot/internal/chain"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/store/record"
)

// Store is an incident.Store in one namespace. Its exported fields are set before
// the first call.
type Store struct {
	Clients   kubernetes.Interface
	Namespace string
	// Chained is told of each entry that this process adds to the audit trail;
	// nil for nobody.
	Chained func(chain.Entry)
	// Unchained is told where lines of an incident could not be added to the audit
	// trail now; nil for nobody. Mend adds them.
	Unchained func(id string, err error)
	// Damaged is told once of each incident that is left out of a list; nil for
	// nobody.
	Damaged func(*record.Damage)

	self  string // of this process, in the marks of its writes
	marks atomic.Uint64
	told  sync.Map // what of the damage was told

	mu    sync.Mutex
	known map[string]head // of incidents that do not rest
	trail trail
}

var (
	_ incident.Store   = (*Store)(nil)
	_ incident.Watcher = (*Store)(nil)
	_ chain.Trail      = (*Store)(nil)
)

// New makes a Store. It asks nothing.
func New(clients kubernetes.Interface, namespace string) *Store {
	return &Store{Clients: clients, Namespace: namespace, self: strings.ToLower(rand.Text()[:8]), known: map[string]head{}}
}

// Check asks whether the store can be used: it reads, and tries a write that the
// API server does not carry out.
func (s *Store) Check(ctx context.Context) error {
	if _, err := s.list(ctx, labelKind+"="+kindIncident+","+labelActive+"=true", false); err != nil {
		return s.unusable(err)
	}
	tried := s.object(namePrefix+"check", kindIncident, nil)
	err := s.again(ctx, func(ctx context.Context) error {
		_, err := s.maps().Create(ctx, tried, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	})
	return s.unusable(err)
}

// Ping tells whether the store can be written. The error is fit for everybody.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.Check(ctx); err != nil {
		return errors.New("the store cannot be written; the log says why")
	}
	return nil
}

func (s *Store) unusable(err error) error {
	switch {
	case err == nil:
		return nil
	case apierrors.IsForbidden(err):
		return fmt.Errorf("the bot may not keep incidents in namespace %s: apply what `bot rbac` prints: %w", s.Namespace, err)
	case apierrors.IsNotFound(err):
		return fmt.Errorf("incidents cannot be kept in namespace %s: make the namespace, or name another one (store.namespace): %w", s.Namespace, err)
	}
	return fmt.Errorf("incidents cannot be kept in namespace %s: %w", s.Namespace, err)
}

// Create stores a new incident under the next ID: the API server lets one create
// an object of that name.
func (s *Store) Create(ctx context.Context, inc incident.Incident) (incident.Incident, error) {
	number, err := s.lastNumber(ctx)
	if err != nil {
		return incident.Incident{}, fmt.Errorf("store a new incident: %w", err)
	}
	mark := s.mark()
	for {
		number++
		inc.ID, inc.Version = fmt.Sprintf("INC-%d", number), 1
		object, err := s.packed(inc, head{}, mark)
		if err != nil {
			return incident.Incident{}, err
		}
		created, err := s.create(ctx, object, mark)
		if apierrors.IsAlreadyExists(err) {
			continue // somebody was faster
		}
		if err != nil {
			return incident.Incident{}, fmt.Errorf("store a new incident: %w", err)
		}
		return s.stored(ctx, created)
	}
}

// Get returns one incident, incident.ErrNotFound, or *record.Damage.
func (s *Store) Get(ctx context.Context, id string) (incident.Incident, error) {
	object, err := s.get(ctx, id)
	if err != nil {
		return incident.Incident{}, err
	}
	s.remember(id, headOf(object))
	return s.unpacked(object)
}

func (s *Store) get(ctx context.Context, id string) (object *corev1.ConfigMap, err error) {
	if numberOf(id) == 0 {
		return nil, errors.Join(ctx.Err(), fmt.Errorf("%s: %w", id, incident.ErrNotFound))
	}
	err = s.again(ctx, func(ctx context.Context) error {
		object, err = s.maps().Get(ctx, nameOf(id), metav1.GetOptions{})
		return err
	})
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("%s: %w", id, incident.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", id, err)
	}
	return object, nil
}

// Update stores inc if nobody has since it was read, or incident.ErrConflict. The
// object's resourceVersion goes with the request. An answer that is lost is looked
// for: the object tells which writes have reached it.
func (s *Store) Update(ctx context.Context, inc incident.Incident) (incident.Incident, error) {
	fail := func(err error) (incident.Incident, error) {
		return incident.Incident{}, fmt.Errorf("update %s: %w", inc.ID, err)
	}
	is := s.recall(inc.ID, inc.Version)
	mark := s.mark()
	limit := newPatience()
	for {
		if is.resourceVersion == "" { // nothing is known of it, or what was known is old
			object, err := s.get(ctx, inc.ID)
			if err != nil {
				return fail(err)
			}
			if is = headOf(object); is.wrote(mark) {
				return s.stored(ctx, object)
			}
			if is.version != inc.Version {
				return fail(incident.ErrConflict)
			}
		}
		next := inc
		next.Version++
		object, err := s.packed(next, is, mark)
		if err != nil {
			return fail(err)
		}
		var updated *corev1.ConfigMap
		err = s.once(ctx, func(ctx context.Context) error {
			updated, err = s.maps().Update(ctx, object, metav1.UpdateOptions{})
			return err
		})
		switch {
		case err == nil:
			return s.stored(ctx, updated)
		case apierrors.IsNotFound(err):
			return fail(incident.ErrNotFound)
		case apierrors.IsConflict(err):
			// It was changed since: by a mark that leaves the version, or by more.
		case !transient(ctx, err):
			return fail(err)
		case !limit.wait(ctx, err):
			return fail(unknown(ctx, err))
		}
		is = head{} // it is read anew
	}
}

// stored is what follows once an incident is stored: its new lines are chained,
// and it is given as it is read back. Where the chain cannot be written now, the
// incident stays marked, and Mend does it later.
func (s *Store) stored(ctx context.Context, object *corev1.ConfigMap) (incident.Incident, error) {
	inc, err := s.unpacked(object)
	if err != nil {
		return inc, err
	}
	is := headOf(object)
	s.remember(inc.ID, is)
	if len(inc.Timeline) > is.chained {
		s.chainLines(ctx, inc, is)
	}
	return inc, nil
}

// chainLines chains the lines of an incident that are not yet, and takes its mark
// away.
func (s *Store) chainLines(ctx context.Context, inc incident.Incident, is head) {
	// What is stored is told to have happened: a caller that hangs up must not
	// leave it out of the trail.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if err := s.chain(ctx, chain.Lines(inc, is.chained)); err != nil {
		if s.Unchained != nil {
			s.Unchained(inc.ID, err)
		}
		return
	}
	s.clearMark(ctx, inc.ID, is, len(inc.Timeline))
}

// clearMark notes on the incident how many of its lines are chained. Where
// somebody has changed it since, their write is looked at, and their lines stay
// marked.
func (s *Store) clearMark(ctx context.Context, id string, is head, chained int) {
	for ctx.Err() == nil {
		patched, err := s.patch(ctx, nameOf(id), is.marked(chained))
		if err == nil {
			s.remember(id, headOf(patched))
			return
		}
		if !apierrors.IsConflict(err) {
			return
		}
		object, err := s.get(ctx, id)
		if err != nil {
			return
		}
		if is = headOf(object); is.chained >= chained {
			return
		}
	}
}

func (s *Store) patch(ctx context.Context, name string, body []byte) (patched *corev1.ConfigMap, err error) {
	err = s.again(ctx, func(ctx context.Context) error {
		patched, err = s.maps().Patch(ctx, name, types.MergePatchType, body, metav1.PatchOptions{})
		return err
	})
	return patched, err
}

// Mend puts right what a replica that died has left: it chains what is stored and
// not chained, and deletes evidence that belongs to nothing.
func (s *Store) Mend(ctx context.Context, now time.Time) error {
	pending, err := s.list(ctx, labelKind+"="+kindIncident+","+labelPending+"=true", true)
	if err != nil {
		return fmt.Errorf("look for what is not in the audit trail: %w", err)
	}
	for i := range pending {
		inc, err := s.unpacked(&pending[i])
		if err != nil {
			continue // it is told where it is read
		}
		is := headOf(&pending[i])
		if err := s.chain(ctx, chain.Lines(inc, is.chained)); err != nil {
			return fmt.Errorf("write the audit trail: %w", err)
		}
		s.clearMark(ctx, inc.ID, is, len(inc.Timeline))
	}
	return s.dropOrphans(ctx, now)
}

// Drop forgets an incident and its evidence. The line that says so is chained
// first: where the bot dies in between, it is dropped the next time.
func (s *Store) Drop(ctx context.Context, id string, why incident.Entry) error {
	object, err := s.get(ctx, id)
	if err != nil {
		return err
	}
	inc, err := s.unpacked(object)
	if err != nil {
		return err
	}
	lines := append(chain.Lines(inc, headOf(object).chained), chain.Gone(id, len(inc.Timeline), why))
	if err := s.chain(ctx, lines); err != nil {
		return fmt.Errorf("write the audit trail: %w", err)
	}
	err = s.again(ctx, func(ctx context.Context) error {
		return s.maps().Delete(ctx, object.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &object.UID}})
	})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("drop %s: %w", id, err)
	}
	s.forget(id)
	return s.dropEvidence(ctx, id)
}

func (s *Store) remember(id string, is head) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if is.active {
		s.known[id] = is
	} else {
		delete(s.known, id)
	}
}

func (s *Store) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.known, id)
}

// recall gives what is known of the object that holds that version; the zero head
// for nothing.
func (s *Store) recall(id string, version uint64) head {
	s.mu.Lock()
	defer s.mu.Unlock()
	if is := s.known[id]; is.version == version {
		return is
	}
	return head{}
}

// mark is a name for one write, by which its trace is found.
func (s *Store) mark() string { return fmt.Sprintf("%s-%d", s.self, s.marks.Add(1)) }

// own reports whether a mark is of this process.
func (s *Store) own(mark string) bool {
	return len(mark) > len(s.self) && mark[:len(s.self)] == s.self
}

const (
	attempt  = 10 * time.Second // one request
	patience = 30 * time.Second // one call, with all that is sent again
)
