package bolt_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"redis-session-bot/internal/chain"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/store/bolt"
	"redis-session-bot/internal/store/record"
	"redis-session-bot/internal/store/storetest"
)

func open(t *testing.T, path string) *bolt.Store {
	t.Helper()
	store, err := bolt.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// kept opens a store that is closed when the test ends.
func kept(t *testing.T, path string) *bolt.Store {
	t.Helper()
	store := open(t, path)
	t.Cleanup(func() { closed(t, store) })
	return store
}

func closed(t *testing.T, store *bolt.Store) {
	t.Helper()
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}

func newPath(t *testing.T) string { return filepath.Join(t.TempDir(), "folder", "incidents.db") }

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Stores {
		store := kept(t, newPath(t))
		return storetest.Stores{One: store, Other: store}
	})
}

var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func entry(text string) incident.Entry {
	return incident.Entry{At: began, Actor: incident.Actor{ID: "U1", Name: "Ada"}, Text: text}
}

// create stores an incident with two lines in its timeline, and evidence.
func create(t *testing.T, store *bolt.Store) incident.Incident {
	t.Helper()
	inc, err := store.Create(t.Context(), incident.Incident{Runbook: "queue", State: incident.Walking, Since: began, Timeline: []incident.Entry{entry("opened")}})
	if err == nil {
		inc.Timeline = append(inc.Timeline, entry("ran "+inc.ID))
		inc, err = store.Update(t.Context(), inc)
	}
	if err == nil {
		err = store.AddBundle(t.Context(), inc.ID, evidence.Bundle{Logs: []evidence.RawLog{{Pod: "p", Text: "said of " + inc.ID}}})
	}
	if err != nil {
		t.Fatal(err)
	}
	return inc
}

func TestWhatIsStoredOutlivesTheProcess(t *testing.T) {
	path, ctx := newPath(t), t.Context()
	store := open(t, path)
	first, err := store.Create(ctx, incident.Incident{Runbook: "queue", Shown: map[string]string{"incident": "C1 1.2"}, Timeline: []incident.Entry{entry("opened")}})
	if err != nil {
		t.Fatal(err)
	}
	bundle := evidence.Bundle{Logs: []evidence.RawLog{{Pod: "p", Text: "said"}}, Missing: map[string]string{"pods.json": "forbidden"}}
	if err := store.AddBundle(ctx, first.ID, bundle); err != nil {
		t.Fatal(err)
	}
	head, err := store.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	closed(t, store)

	store = kept(t, path)
	again, err := store.Get(ctx, first.ID)
	if err != nil || cmp.Diff(first, again) != "" {
		t.Errorf("%v, %s", err, cmp.Diff(first, again))
	}
	got, err := store.Bundle(ctx, first.ID)
	if err != nil || cmp.Diff(bundle, got) != "" {
		t.Errorf("%v, %s", err, cmp.Diff(bundle, got))
	}
	if now, err := store.Head(ctx); err != nil || now != head || head.N != 1 {
		t.Errorf("the trail ends with %s, %v; it ended with %s", now, err, head)
	}
	if second, err := store.Create(ctx, incident.Incident{}); err != nil || second.ID != "INC-2" {
		t.Errorf("the next one is %s, %v", second.ID, err)
	}
	if mode, err := os.Stat(path); err != nil || mode.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v, %v", mode.Mode(), err)
	}
}

// TestWhatIsChainedIsTold, once it is on the disk, and nothing else.
func TestWhatIsChainedIsTold(t *testing.T) {
	store := kept(t, newPath(t))
	var told []string
	store.Chained = func(e chain.Entry) { told = append(told, e.Head().String()) }
	inc := create(t, store)
	inc.Version--
	inc.Timeline = append(inc.Timeline, entry("too late"))
	if _, err := store.Update(t.Context(), inc); !errors.Is(err, incident.ErrConflict) {
		t.Fatal(err)
	}
	head, err := store.Head(t.Context())
	if err != nil || len(told) != 2 || told[1] != head.String() {
		t.Errorf("%q, %s, %v", told, head, err)
	}
}

// change edits the file as nobody but a disk, a newer bot or a forger does.
func change(t *testing.T, path, bucket string, edit func(*bbolt.Bucket) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(func(tx *bbolt.Tx) error { return edit(tx.Bucket([]byte(bucket))) }); err != nil {
		t.Fatal(err)
	}
}

// flip changes one bit of the first record of a bucket.
func flip(bucket *bbolt.Bucket) error {
	key, value := bucket.Cursor().First()
	damaged := append([]byte(nil), value...)
	damaged[len(damaged)/2] ^= 1
	return bucket.Put(append([]byte(nil), key...), damaged)
}

// TestADamagedRecordIsToldAndNotRead, and the others are read and written as before.
func TestADamagedRecordIsToldAndNotRead(t *testing.T) {
	path, ctx := newPath(t), t.Context()
	store := open(t, path)
	create(t, store)
	second := create(t, store)
	closed(t, store)
	change(t, path, "incidents", flip)
	change(t, path, "bundles", flip)

	store = kept(t, path)
	var told []string
	store.Damaged = func(d *record.Damage) { told = append(told, d.What) }
	_, err := store.Get(ctx, "INC-1")
	var damage *record.Damage
	if !errors.As(err, &damage) || !strings.Contains(err.Error(), "INC-1 is damaged in "+path) || !strings.Contains(err.Error(), "Restore that from a backup") {
		t.Errorf("get: %v", err)
	}
	if _, err := store.Bundle(ctx, "INC-1"); err == nil || !strings.Contains(err.Error(), "the evidence of INC-1 is damaged") {
		t.Errorf("bundle: %v", err)
	}
	for name, list := range map[string]func() ([]incident.Incident, error){
		"list":   func() ([]incident.Incident, error) { return store.List(ctx) },
		"recent": func() ([]incident.Incident, error) { return store.Recent(ctx, began) },
	} {
		if all, err := list(); err != nil || len(all) != 1 || cmp.Diff(second, all[0]) != "" {
			t.Errorf("%s: %+v, %v", name, all, err)
		}
	}
	if len(told) != 1 || told[0] != "INC-1" {
		t.Errorf("told of %q", told)
	}
	if _, err := store.Update(ctx, second); err != nil {
		t.Errorf("the other one cannot be changed: %v", err)
	}
	// Evidence is read from the cluster again.
	if err := store.AddBundle(ctx, "INC-1", evidence.Bundle{Logs: []evidence.RawLog{{Text: "anew"}}}); err != nil {
		t.Errorf("add: %v", err)
	}
	if bundle, err := store.Bundle(ctx, "INC-1"); err != nil || len(bundle.Logs) != 1 || bundle.Logs[0].Text != "anew" {
		t.Errorf("evidence: %+v, %v", bundle, err)
	}
}

// TestPeek: while one process has the file open and writes, another reads it as
// it was at one moment, and leaves nothing behind.
func TestPeek(t *testing.T) {
	path, ctx := newPath(t), t.Context()
	if _, err := bolt.Peek(path); err == nil || !strings.Contains(err.Error(), "there is no store at "+path) {
		t.Errorf("no file: %v", err)
	}
	store := open(t, path)
	create(t, store)
	writing, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		for writing.Err() == nil {
			if err := store.AddBundle(ctx, "INC-1", evidence.Bundle{Logs: []evidence.RawLog{{Pod: "p", Text: storetest.Noise(50_000)}}}); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	for range 5 {
		peeked, err := bolt.Peek(path)
		if err != nil {
			t.Fatal(err)
		}
		if inc, err := peeked.Get(ctx, "INC-1"); err != nil || len(inc.Timeline) != 2 {
			t.Errorf("%+v, %v", inc, err)
		}
		if bundle, err := peeked.Bundle(ctx, "INC-1"); err != nil || len(bundle.Logs) != 1 {
			t.Errorf("%d logs, %v", len(bundle.Logs), err)
		}
		if _, err := peeked.Create(ctx, incident.Incident{}); err == nil {
			t.Error("it can be written to")
		}
		closed(t, peeked)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	closed(t, store)
	if peeked, err := bolt.Peek(path); err != nil {
		t.Errorf("nobody has it open: %v", err)
	} else {
		closed(t, peeked)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
