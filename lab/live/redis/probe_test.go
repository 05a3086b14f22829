package redis

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"redis-session-bot/internal/evidence"
	probe "redis-session-bot/internal/redis"
)

const canary = "canary-2b7e1516"

func ask(t *testing.T, s *server, password string) evidence.Redis {
	t.Helper()
	got := probe.Prober{Now: time.Now}.Probe(t.Context(), s.dial, password)
	if text := fmt.Sprint(got); strings.Contains(text, canary) {
		t.Errorf("the password leaves: %s", text)
	}
	return got
}

// hears fails unless the probe heard this first, at this stage.
func hears(t *testing.T, got evidence.Redis, stage, prefix string) {
	t.Helper()
	if got.OK || got.Stage != stage || !strings.HasPrefix(got.Error, prefix) {
		t.Errorf("at %q it heard %q, want %q at %q (ok %t)", got.Stage, got.Error, prefix, stage, got.OK)
	}
}

func TestWell(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), "--requirepass", canary)
	client := s.client(t, canary)
	for i := range 5 {
		if err := client.Set(t.Context(), fmt.Sprint("session:", i), "x", time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
	}
	got := ask(t, s, canary)
	if !got.OK || !got.Pong || got.Keys != 5 || got.Error != "" || got.Info[probe.KeyNeedsPassword] != "yes" {
		t.Errorf("got %+v", got)
	}
	for _, key := range []string{"redis_version", "maxclients", "used_memory", "loading", "aof_enabled", "role", "total_commands_processed", "db0", probe.KeyRoundTrip} {
		if got.Info[key] == "" {
			t.Errorf("INFO lacks %s", key)
		}
	}
	if left, err := client.DBSize(t.Context()).Result(); err != nil || left != 5 {
		t.Errorf("%d keys afterwards, %v", left, err)
	}
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	with := start(t, t.TempDir(), "--requirepass", canary)
	hears(t, ask(t, with, ""), "ping", "NOAUTH Authentication required.")
	hears(t, ask(t, with, "another"), "auth", "WRONGPASS invalid username-password pair")
	without := start(t, t.TempDir())
	if got := ask(t, without, canary); !got.OK || got.Info[probe.KeyNeedsPassword] != "no" {
		t.Errorf("a server that lost its password: %+v", got)
	}
}

func TestFull(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), "--maxclients", "1")
	// The connection that start made may still count for a moment.
	until(t, "the only place is taken", func() bool {
		conn, err := s.dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(time.Second))
		if _, err := conn.Write([]byte("PING\r\n")); err != nil {
			return false
		}
		answer := make([]byte, 64)
		n, _ := conn.Read(answer)
		return strings.HasPrefix(string(answer[:n]), "+PONG")
	})
	hears(t, ask(t, s, ""), "ping", "ERR max number of clients reached")
}

func TestReplica(t *testing.T) {
	t.Parallel()
	hears(t, ask(t, start(t, t.TempDir(), "--replicaof", "127.0.0.1 1"), ""), "write", "READONLY")
	hears(t, ask(t, start(t, t.TempDir(), "--replicaof", "127.0.0.1 1", "--replica-serve-stale-data", "no"), ""), "ping", "MASTERDOWN")
}

func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), "--maxmemory", "1", "--maxmemory-policy", "noeviction")
	hears(t, ask(t, s, ""), "write", "OOM command not allowed")
}

func TestCannotSave(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	gone := filepath.Join(dir, "gone")
	if err := os.Mkdir(gone, 0o750); err != nil {
		t.Fatal(err)
	}
	s := start(t, gone, "--save", "3600 1")
	if err := os.RemoveAll(gone); err != nil {
		t.Fatal(err)
	}
	client := s.client(t, "")
	client.Set(t.Context(), "a", "b", 0)
	client.BgSave(t.Context())
	until(t, "the save has failed", func() bool {
		return strings.Contains(client.Info(t.Context(), "persistence").Val(), "rdb_last_bgsave_status:err")
	})
	got := ask(t, s, "")
	hears(t, got, "ping", "MISCONF")
	if got.Info["rdb_last_bgsave_status"] != "err" {
		t.Error("INFO was not read beside the error")
	}
}

func TestLoading(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, dir, "--appendonly", "no")
	client := first.client(t, "")
	for i := range 2000 {
		client.Set(t.Context(), fmt.Sprint("session:", i), strings.Repeat("x", 100), 0)
	}
	if err := client.Save(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	s := start(t, dir, "--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024")
	got := ask(t, s, "")
	hears(t, got, "ping", "LOADING")
	if got.Info["loading"] != "1" {
		t.Errorf("INFO says loading:%s", got.Info["loading"])
	}
}

func TestBusy(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), "--busy-reply-threshold", "50")
	client := s.client(t, "")
	go client.Eval(t.Context(), "while true do end", nil) // ends with the server
	var got evidence.Redis
	until(t, "the script is noticed", func() bool {
		got = ask(t, s, "")
		return strings.HasPrefix(got.Error, "BUSY") && got.Stage != "write" // noticed in the middle of a probe, it is heard at its end
	})
	hears(t, got, "ping", "BUSY")
}
