package bolt_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/store/bolt"
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

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) incident.Store {
		store := open(t, filepath.Join(t.TempDir(), "folder", "incidents.db"))
		t.Cleanup(func() {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
		return store
	})
}

func TestWhatIsStoredOutlivesTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "incidents.db")
	ctx := context.Background()
	store := open(t, path)
	first, err := store.Create(ctx, incident.Incident{Runbook: "queue", Shown: map[string]string{"incident": "C1 1.2"}})
	if err != nil {
		t.Fatal(err)
	}
	bundle := evidence.Bundle{Logs: []evidence.RawLog{{Pod: "p", Text: "said"}}, Missing: map[string]string{"pods.json": "forbidden"}}
	if err := store.SaveBundle(ctx, first.ID, bundle); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}

	store = open(t, path)
	defer store.Close()
	again, err := store.Get(ctx, first.ID)
	if err != nil || cmp.Diff(first, again) != "" {
		t.Errorf("%v, %s", err, cmp.Diff(first, again))
	}
	got, err := store.Bundle(ctx, first.ID)
	if err != nil || cmp.Diff(bundle, got) != "" {
		t.Errorf("%v, %s", err, cmp.Diff(bundle, got))
	}
	if second, err := store.Create(ctx, incident.Incident{}); err != nil || second.ID != "INC-2" {
		t.Errorf("the next one is %s, %v", second.ID, err)
	}
	if mode, err := os.Stat(path); err != nil || mode.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v, %v", mode.Mode(), err)
	}
}

// TestOpenRefuses: each file that cannot be used is told apart in a sentence.
func TestOpenRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		make func(t *testing.T, path string)
		says string
	}{
		"a file that is open": {says: "is open in another process", make: func(t *testing.T, path string) {
			store := open(t, path)
			t.Cleanup(func() { store.Close() })
		}},
		"a file of a newer bot": {says: "written by a newer bot (format 7, this one knows 1)", make: func(t *testing.T, path string) {
			change(t, path, "meta", func(bucket *bbolt.Bucket) error { return bucket.Put([]byte("format"), []byte("7")) })
		}},
		"a file of something else": {says: "open the store", make: func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("not a store\n", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		"a folder": {says: "open the store", make: func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "incidents.db")
			test.make(t, path)
			store, err := bolt.Open(path)
			if err == nil {
				store.Close()
			}
			if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), path) {
				t.Errorf("%v", err)
			}
		})
	}
}

// change edits the file as nobody but a disk or a newer bot does.
func change(t *testing.T, path, bucket string, edit func(*bbolt.Bucket) error) {
	t.Helper()
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(func(tx *bbolt.Tx) error { return edit(tx.Bucket([]byte(bucket))) }); err != nil {
		t.Fatal(err)
	}
}

func TestADamagedIncidentIsToldAndNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "incidents.db")
	ctx := context.Background()
	store := open(t, path)
	inc, err := store.Create(ctx, incident.Incident{Runbook: "queue"})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	change(t, path, "incidents", func(bucket *bbolt.Bucket) error {
		key, value := bucket.Cursor().First()
		damaged := append([]byte(nil), value...)
		damaged[len(damaged)/2] ^= 1
		return bucket.Put(append([]byte(nil), key...), damaged)
	})
	store = open(t, path)
	defer store.Close()
	for name, err := range map[string]error{
		"get":  func() error { _, err := store.Get(ctx, inc.ID); return err }(),
		"list": func() error { _, err := store.List(ctx); return err }(),
	} {
		if err == nil || !strings.Contains(err.Error(), "INC-1: the store is damaged here") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAWastefulFileIsMadeSmaller fills a file with evidence that is replaced by less.
func TestAWastefulFileIsMadeSmaller(t *testing.T) {
	path := filepath.Join(t.TempDir(), "incidents.db")
	ctx := context.Background()
	store := open(t, path)
	for n := range 4 {
		inc, err := store.Create(ctx, incident.Incident{})
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for i := range 2000 { // what does not compress to nothing
			fmt.Fprintf(&text, "%x ", (i+1)*(n+7919)*2654435761)
		}
		for _, said := range []string{text.String(), "short"} {
			if err := store.SaveBundle(ctx, inc.ID, evidence.Bundle{Logs: []evidence.RawLog{{Text: said}}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	// One large value leaves the file large and free.
	change(t, path, "bundles", func(bucket *bbolt.Bucket) error { return bucket.Put([]byte("large"), make([]byte, 8<<20)) })
	change(t, path, "bundles", func(bucket *bbolt.Bucket) error { return bucket.Delete([]byte("large")) })
	before := sizeOf(t, path)
	store = open(t, path)
	defer store.Close()
	if after := sizeOf(t, path); after > before/2 {
		t.Errorf("%d bytes, %d before", after, before)
	}
	all, err := store.List(ctx)
	if err != nil || len(all) != 4 {
		t.Errorf("%d incidents, %v", len(all), err)
	}
	if bundle, err := store.Bundle(ctx, "INC-4"); err != nil || bundle.Logs[0].Text != "short" {
		t.Errorf("%+v, %v", bundle.Logs, err)
	}
}

func sizeOf(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestAFileThatIsCutOff: wherever a disk has cut the file, it opens with all
// that it holds, or says why not.
func TestAFileThatIsCutOff(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "incidents.db")
	ctx := context.Background()
	store := open(t, path)
	for range 20 {
		inc, err := store.Create(ctx, incident.Incident{Runbook: strings.Repeat("queue ", 500)})
		if err != nil {
			t.Fatal(err)
		}
		if err := store.SaveBundle(ctx, inc.ID, evidence.Bundle{Logs: []evidence.RawLog{{Text: "said"}}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	opened, refused := 0, 0
	for size := 1; size < len(data); size += 1531 {
		cut := filepath.Join(folder, fmt.Sprintf("cut-%d.db", size))
		if err := os.WriteFile(cut, data[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		store, err := bolt.Open(cut)
		if err != nil {
			refused++
			if !strings.Contains(err.Error(), cut) {
				t.Errorf("%d bytes: %v", size, err)
			}
		} else {
			opened++
			if all, err := store.List(ctx); err != nil || len(all) != 20 {
				t.Errorf("%d bytes: %d incidents, %v", size, len(all), err)
			}
			store.Close()
		}
		if err := os.Remove(cut); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d bytes: %d cut files opened, %d were refused", len(data), opened, refused)
	if refused == 0 {
		t.Error("no cut file was refused")
	}
}
