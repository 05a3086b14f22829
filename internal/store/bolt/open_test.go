package bolt_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"redis-session-bot/internal/chain"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/store/bolt"
	"redis-session-bot/internal/store/record"
	"redis-session-bot/internal/store/storetest"
)

// TestOpenRefuses: each file that cannot be used is told apart in a sentence.
func TestOpenRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		make func(t *testing.T, path string)
		says string
	}{
		"a file that is open": {says: "is open in another process", make: func(t *testing.T, path string) { kept(t, path) }},
		"a file of a newer bot": {says: "written by a newer bot (format 7, this one knows 2)", make: func(t *testing.T, path string) {
			closed(t, open(t, path))
			change(t, path, "meta", func(bucket *bbolt.Bucket) error { return bucket.Put([]byte("format"), []byte("7")) })
		}},
		"a file of something else": {says: "this is no store", make: func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("not a store\n", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		"a store of another program": {says: "it is another program's file", make: func(t *testing.T, path string) {
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if err := db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("theirs")); return err }); err != nil {
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

// waste makes a file of a few incidents that is mostly free.
func waste(t *testing.T, path string) (size int64) {
	t.Helper()
	store := open(t, path)
	for range 4 {
		inc := create(t, store)
		for _, said := range []string{storetest.Noise(2 << 20), "short"} {
			if err := store.AddBundle(t.Context(), inc.ID, evidence.Bundle{Logs: []evidence.RawLog{{Pod: "p", Text: said}}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	closed(t, store)
	return sizeOf(t, path)
}

func sizeOf(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// intact fails unless the file has all that waste has put there.
func intact(t *testing.T, path string) {
	t.Helper()
	store := open(t, path)
	defer closed(t, store)
	all, err := store.List(t.Context())
	if err != nil || len(all) != 4 {
		t.Errorf("%d incidents, %v", len(all), err)
	}
	if bundle, err := store.Bundle(t.Context(), "INC-4"); err != nil || bundle.Logs[0].Text != "short" {
		t.Errorf("%+v, %v", bundle.Logs, err)
	}
	if _, err := os.Stat(path + ".compact"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the copy is left behind: %v", err)
	}
}

func TestAWastefulFileIsMadeSmaller(t *testing.T) {
	path := newPath(t)
	before := waste(t, path)
	intact(t, path)
	if after := sizeOf(t, path); after > before/2 {
		t.Errorf("%d bytes, %d before", after, before)
	}
	store := kept(t, path)
	if next := create(t, store); next.ID != "INC-5" {
		t.Errorf("the next one is %s", next.ID)
	}
}

// TestABotThatDiesWhileItMakesTheFileSmaller: whatever the copy beside the file
// holds, the file is used.
func TestABotThatDiesWhileItMakesTheFileSmaller(t *testing.T) {
	path := newPath(t)
	waste(t, path)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	intact(t, path)
	smaller, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 1, 4096, len(smaller) / 2, len(smaller) - 1, len(smaller)} {
		for name, content := range map[string][]byte{path: whole, path + ".compact": smaller[:size]} {
			if err := os.WriteFile(name, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		intact(t, path)
	}
}

// TestWhereItCannotBeMadeSmaller it is used as it is.
func TestWhereItCannotBeMadeSmaller(t *testing.T) {
	path := newPath(t)
	before := waste(t, path)
	if err := os.MkdirAll(filepath.Join(path+".compact", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if store, err := bolt.Open(path); err == nil {
		store.Close()
		t.Error("what is in the way is taken away")
	} else if !strings.Contains(err.Error(), path+".compact") {
		t.Errorf("it does not say what is in the way: %v", err)
	}
	if err := os.RemoveAll(path + ".compact"); err != nil {
		t.Fatal(err)
	}
	intact(t, path)
	if after := sizeOf(t, path); after > before/2 {
		t.Errorf("%d bytes, %d before", after, before)
	}
}

// TestASecondProcess tries to open what this one has open, and what it makes
// smaller meanwhile. It is this test's own binary.
func TestASecondProcess(t *testing.T) {
	if path := os.Getenv("OPEN_THE_STORE"); path != "" {
		store, err := bolt.Open(path)
		if err != nil {
			fmt.Println("refused:", err)
			return
		}
		defer store.Close()
		fmt.Println("created:", create(t, store).ID)
		return
	}
	path := newPath(t)
	waste(t, path)
	second := func() *exec.Cmd {
		command := exec.Command(os.Args[0], "-test.run", "^TestASecondProcess$")
		command.Env = append(os.Environ(), "OPEN_THE_STORE="+path)
		return command
	}
	store := open(t, path)
	output, err := second().CombinedOutput()
	if err != nil || !strings.Contains(string(output), "refused: "+path+" is open in another process") || !strings.Contains(string(output), "stop it") {
		t.Errorf("%v: %s", err, output)
	}
	closed(t, store)
	output, err = second().CombinedOutput()
	if err != nil || !strings.Contains(string(output), "created: INC-5") {
		t.Errorf("once it is free: %v: %s", err, output)
	}
	// What the other one has written is in the file that stands there.
	store = kept(t, path)
	if _, err := store.Get(t.Context(), "INC-5"); err != nil {
		t.Error(err)
	}
}

// TestADamagedHead: the file opens with the other one, as it was one change
// before, and that is told.
func TestADamagedHead(t *testing.T) {
	path := newPath(t)
	data := small(t, path, 2)
	for _, at := range []int{16 + 56, 4096 + 16 + 56} {
		data[at] ^= 1
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		data[at] ^= 1
		store := open(t, path)
		var told []string
		store.Damaged = func(d *record.Damage) { told = append(told, d.Error()) }
		if _, err := store.Recent(t.Context(), began); err != nil {
			t.Error(err)
		}
		if len(told) != 1 || !strings.Contains(told[0], "one of the two heads of the file") || !strings.Contains(told[0], "the newest change may be missing") {
			t.Errorf("byte %d: told %q", at, told)
		}
		closed(t, store)
	}
}

// small makes a file of a few incidents and gives its bytes.
func small(t *testing.T, path string, count int) []byte {
	t.Helper()
	store := open(t, path)
	for range count {
		create(t, store)
	}
	closed(t, store)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestAFileThatIsCutOff: wherever a disk has cut the file, it opens with all
// that it holds, or says why not.
func TestAFileThatIsCutOff(t *testing.T) {
	const count = 20
	path := newPath(t)
	data := small(t, path, count)
	var sizes []int
	for size := 1; size < len(data); size += 131 {
		sizes = append(sizes, size)
	}
	for page := 4096; page <= len(data); page += 4096 {
		sizes = append(sizes, page-1, page, page+1)
	}
	opened, refused := 0, 0
	for _, size := range sizes {
		if err := os.WriteFile(path, data[:min(size, len(data))], 0o600); err != nil {
			t.Fatal(err)
		}
		store, err := bolt.Open(path)
		if err != nil {
			refused++
			if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "restore it from a backup") {
				t.Errorf("%d bytes: %v", size, err)
			}
			continue
		}
		opened++
		if all, err := store.List(t.Context()); err != nil || len(all) != count {
			t.Errorf("%d bytes: %d incidents, %v", size, len(all), err)
		}
		closed(t, store)
	}
	t.Logf("%d bytes: %d cut files opened, %d were refused", len(data), opened, refused)
	if refused == 0 || opened == 0 {
		t.Error("no cut file was refused, or none was opened")
	}
}

// TestAFlippedBit: wherever a disk has changed the file, every incident comes
// back as it was, or not at all; and the bot does not die of it.
func TestAFlippedBit(t *testing.T) {
	const count = 6
	path, ctx := newPath(t), t.Context()
	data := small(t, path, count)
	read := func(store *bolt.Store, id string) string {
		inc, err := store.Get(ctx, id)
		bundle, without := store.Bundle(ctx, id)
		if err != nil || without != nil || len(bundle.Logs) == 0 {
			return "" // it is said
		}
		return fmt.Sprintf("%+v %+v", inc, bundle)
	}
	whole := open(t, path)
	want := map[string]string{}
	for n := range count {
		id := fmt.Sprintf("INC-%d", n+1)
		want[id] = read(whole, id)
	}
	closed(t, whole)
	refused, told, unseen := 0, 0, 0
	for at := 0; at < len(data); at += 89 {
		data[at] ^= 1 << (at % 8)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		data[at] ^= 1 << (at % 8)
		store, err := bolt.Open(path)
		if err != nil {
			refused++
			if !strings.Contains(err.Error(), path) {
				t.Errorf("byte %d: %v", at, err)
			}
			continue
		}
		lost := false
		for id, before := range want {
			switch got := read(store, id); got {
			case before:
			case "":
				lost = true
			default:
				t.Errorf("byte %d: %s comes back as %s", at, id, got)
			}
		}
		all, err := store.List(ctx)
		for _, inc := range all {
			if before := want[inc.ID]; before == "" || !strings.HasPrefix(before, fmt.Sprintf("%+v", inc)) {
				t.Errorf("byte %d: the list has %+v", at, inc)
			}
		}
		report, unread := chain.Verify(ctx, store, store)
		if lost || err != nil || unread != nil || len(report.Troubles) > 0 {
			told++
		} else {
			unseen++
		}
		if at%5 == 0 { // what can still be written is written, or refused
			_, _ = store.Create(ctx, incident.Incident{})
		}
		closed(t, store)
	}
	t.Logf("%d bytes: refused %d, told %d, in no record of use %d", len(data), refused, told, unseen)
	if refused == 0 || told == 0 {
		t.Error("no flipped bit was noticed")
	}
}
