package kube_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"redis-session-bot/internal/chain"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/store/kube"
	"redis-session-bot/internal/store/kube/kubetest"
	"redis-session-bot/internal/store/record"
	"redis-session-bot/internal/store/storetest"
)

const namespace = "bots"

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Stores {
		server := kubetest.Start(t)
		return storetest.Stores{One: kube.New(server.Clients(t), namespace), Other: kube.New(server.Clients(t), namespace)}
	})
}

var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func entry(text string) incident.Entry {
	return incident.Entry{At: began, Actor: incident.Actor{ID: "U1", Name: "Ada"}, Text: text}
}

func create(t *testing.T, store *kube.Store) incident.Incident {
	t.Helper()
	inc, err := store.Create(t.Context(), incident.Incident{Runbook: "queue", State: incident.Walking, Since: began, Timeline: []incident.Entry{entry("opened")}})
	if err != nil {
		t.Fatal(err)
	}
	return inc
}

// add adds a line to a timeline.
func add(t *testing.T, store *kube.Store, id, text string) incident.Incident {
	t.Helper()
	inc, err := store.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	inc.Timeline = append(inc.Timeline, entry(text))
	if inc, err = store.Update(t.Context(), inc); err != nil {
		t.Fatal(err)
	}
	return inc
}

func verify(t *testing.T, store *kube.Store, kept ...chain.Head) chain.Report {
	t.Helper()
	report, err := chain.Verify(t.Context(), store, store, kept...)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// untouched fails unless the trail has that many entries, and all of them hold.
func untouched(t *testing.T, store *kube.Store, entries uint64) {
	t.Helper()
	if report := verify(t, store); len(report.Troubles) > 0 || report.Entries != entries {
		t.Errorf("%d entries, not %d: %+v", report.Entries, entries, report.Troubles)
	}
}

// once lets a fault strike the first request that matches.
func once(fault kubetest.Fault, matches func(*http.Request) bool) func(*http.Request) kubetest.Fault {
	struck := false
	return func(r *http.Request) kubetest.Fault {
		if struck || !matches(r) {
			return kubetest.None
		}
		struck = true
		return fault
	}
}

// write matches a write of an object whose name contains a word.
func write(method, word string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return r.Method == method && (method == http.MethodPost || strings.Contains(r.URL.Path, word))
	}
}

// TestAnswersThatAreLost: whichever request is lost on its way, or its answer, or
// is refused for now, what was asked for is done once.
func TestAnswersThatAreLost(t *testing.T) {
	faults := map[string]kubetest.Fault{"the request is lost": kubetest.LoseRequest, "the answer is lost": kubetest.LoseAnswer,
		"it is late": kubetest.Late, "429": kubetest.TooMany, "503": kubetest.Unavailable, "504": kubetest.Timeout}
	for at, matches := range map[string]func(*http.Request) bool{
		"the incident is created":   write(http.MethodPost, ""),
		"the incident is updated":   write(http.MethodPut, "-inc-1"),
		"the trail is appended to":  write(http.MethodPut, "-trail-"),
		"the mark is taken away":    write(http.MethodPatch, "-inc-1"),
		"the incident is read":      write(http.MethodGet, "-inc-1"),
		"the trail's end is looked": write(http.MethodGet, "-trail-"),
	} {
		for name, fault := range faults {
			t.Run(at+"/"+name, func(t *testing.T) {
				server := kubetest.Start(t)
				store := kube.New(server.Clients(t), namespace)
				server.Break(once(fault, matches))
				var chained []uint64
				store.Chained = func(e chain.Entry) { chained = append(chained, e.N) }
				inc := create(t, store)
				inc = add(t, store, inc.ID, "ran every step")
				if inc.ID != "INC-1" || inc.Version != 2 || len(inc.Timeline) != 2 {
					t.Errorf("%s, version %d, %d lines", inc.ID, inc.Version, len(inc.Timeline))
				}
				untouched(t, store, 2)
				if fmt.Sprint(chained) != "[1 2]" {
					t.Errorf("told of entries %v", chained)
				}
				if names := server.Names(""); len(names) != 2 {
					t.Errorf("there is %q", names)
				}
			})
		}
	}
}

// TestAWriteUnderAnother: the answer of a write is lost, and before it is looked
// for, another replica has written on top of it. It counts as done.
func TestAWriteUnderAnother(t *testing.T) {
	server := kubetest.Start(t)
	store, other := kube.New(server.Clients(t), namespace), kube.New(server.Clients(t), namespace)
	inc := create(t, store)
	lost := false
	var written atomic.Bool
	server.Break(func(r *http.Request) kubetest.Fault {
		switch {
		case !lost && r.Method == http.MethodPut && strings.Contains(r.URL.Path, "-inc-1"):
			lost = true
			return kubetest.LoseAnswer
		case lost && !written.Load() && r.UserAgent() == "client-1":
			return kubetest.LoseRequest // it looks only when the other one has written
		}
		return kubetest.None
	})
	done := make(chan incident.Incident, 1)
	inc.Timeline = append(inc.Timeline, entry("mine"))
	go func() {
		mine, err := store.Update(t.Context(), inc)
		if err != nil {
			t.Error(err)
		}
		done <- mine
	}()
	for {
		got, err := other.Get(t.Context(), inc.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.Version == 2 {
			break
		}
	}
	add(t, other, inc.ID, "theirs")
	written.Store(true)
	if mine := <-done; mine.Version != 3 || mine.Timeline[1].Text != "mine" {
		t.Errorf("%+v", mine)
	}
	if got, err := store.Get(t.Context(), inc.ID); err != nil || len(got.Timeline) != 3 || got.Version != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	untouched(t, other, 3)
}

// TestFaultsAtRandom: two replicas write while every tenth request goes wrong in
// some way. Each line is in its timeline once and in the trail once.
func TestFaultsAtRandom(t *testing.T) {
	const writers, lines = 6, 5
	kinds := []kubetest.Fault{kubetest.LoseRequest, kubetest.LoseAnswer, kubetest.Late, kubetest.Unavailable, kubetest.Timeout}
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			server := kubetest.Start(t)
			stores := []*kube.Store{kube.New(server.Clients(t), namespace), kube.New(server.Clients(t), namespace)}
			random := rand.New(rand.NewPCG(seed, 1))
			server.Break(func(*http.Request) kubetest.Fault {
				if random.IntN(10) > 0 {
					return kubetest.None
				}
				return kinds[random.IntN(len(kinds))]
			})
			ids := []string{create(t, stores[0]).ID, create(t, stores[1]).ID}
			var all sync.WaitGroup
			for w := range writers {
				store, id := stores[w%2], ids[w/2%2]
				all.Go(func() {
					for n := range lines {
						line := fmt.Sprintf("writer %d line %d", w, n)
						for {
							inc, err := store.Get(t.Context(), id)
							if err == nil {
								inc.Timeline = append(inc.Timeline, entry(line))
								_, err = store.Update(t.Context(), inc)
							}
							if err == nil {
								break
							}
							if !errors.Is(err, incident.ErrConflict) {
								t.Errorf("%s: %v", line, err)
								return
							}
						}
						if err := store.AddBundle(t.Context(), id, evidence.Bundle{Logs: []evidence.RawLog{{Pod: line, Text: "said"}}}); err != nil {
							t.Errorf("%s: %v", line, err)
						}
					}
				})
			}
			all.Wait()
			server.Break(nil)
			if err := stores[0].Mend(t.Context(), time.Now()); err != nil {
				t.Fatal(err)
			}
			stored, logs := map[string]int{}, 0
			for _, id := range ids {
				inc, err := stores[0].Get(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				for _, entry := range inc.Timeline {
					stored[entry.Text]++
				}
				bundle, err := stores[1].Bundle(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				logs += len(bundle.Logs)
			}
			for text, times := range stored {
				if times != 1 && text != "opened" {
					t.Errorf("%q is there %d times", text, times)
				}
			}
			if len(stored) != writers*lines+1 || logs != writers*lines {
				t.Errorf("%d of %d lines, %d logs", len(stored)-1, writers*lines, logs)
			}
			untouched(t, stores[1], writers*lines+2)
		})
	}
}

// TestNobodyAnswers: the call is over when its time is, and says that nobody knows.
func TestNobodyAnswers(t *testing.T) {
	server := kubetest.Start(t)
	store := kube.New(server.Clients(t), namespace)
	inc := create(t, store)
	server.Break(func(*http.Request) kubetest.Fault { return kubetest.Silent })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := store.Update(ctx, inc); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	server.Break(nil)
	if got, err := store.Get(t.Context(), inc.ID); err != nil || got.Version != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestWhatMayNotBeDone(t *testing.T) {
	server := kubetest.Start(t)
	store := kube.New(server.Clients(t), namespace)
	if err := store.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if left := server.Names(""); len(left) > 0 {
		t.Errorf("the check has left %q", left)
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		server.Break(func(r *http.Request) kubetest.Fault {
			if r.Method == method {
				return kubetest.Forbidden
			}
			return kubetest.None
		})
		if err := store.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "may not keep incidents in namespace bots: apply what `bot rbac` prints") {
			t.Errorf("%s: %v", method, err)
		}
	}
}

// TestALargeIncident: what does not fit into one object is cut, and says so; what
// cannot be cut is refused.
func TestALargeIncident(t *testing.T) {
	server := kubetest.Start(t)
	store := kube.New(server.Clients(t), namespace)
	inc := create(t, store)
	long := storetest.Noise(2 << 20)
	inc.Steps = []incident.Step{{ID: "pods", Raw: "short"}, {ID: "logs", Raw: long}}
	inc, err := store.Update(t.Context(), inc)
	if err != nil {
		t.Fatal(err)
	}
	raw := inc.Steps[1].Raw
	if inc.Steps[0].Raw != "short" || !strings.HasSuffix(raw, "[The rest was cut off: the store takes no more.]") || len(raw) < 1<<19 || !strings.HasPrefix(long, raw[:1<<19]) {
		t.Errorf("%q, and %d bytes that end with %q", inc.Steps[0].Raw, len(raw), raw[len(raw)-60:])
	}
	if got, err := store.Get(t.Context(), inc.ID); err != nil || got.Steps[1].Raw != raw {
		t.Errorf("another one comes back, %v", err)
	}
	inc.Plans = []incident.Plan{{Number: 1, Trouble: long}}
	if _, err := store.Update(t.Context(), inc); err == nil || !strings.Contains(err.Error(), "INC-1 has grown to") {
		t.Errorf("%v", err)
	}
}

func TestADamagedIncidentIsToldAndNotRead(t *testing.T) {
	server := kubetest.Start(t)
	store := kube.New(server.Clients(t), namespace)
	create(t, store)
	create(t, store)
	server.Edit(namespace, "redis-session-bot-inc-1", func(object *corev1.ConfigMap) *corev1.ConfigMap {
		object.BinaryData["record"][20] ^= 1
		return object
	})
	var told []string
	store.Damaged = func(d *record.Damage) { told = append(told, d.Error()) }
	for range 2 {
		if all, err := store.List(t.Context()); err != nil || len(all) != 1 || all[0].ID != "INC-2" {
			t.Errorf("%+v, %v", all, err)
		}
	}
	if len(told) != 1 || !strings.HasPrefix(told[0], "INC-1 is damaged in ConfigMap bots/redis-session-bot-inc-1") {
		t.Errorf("told %q", told)
	}
	var damage *record.Damage
	if _, err := store.Get(t.Context(), "INC-1"); !errors.As(err, &damage) {
		t.Errorf("%v", err)
	}
}
