package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// newTraffic counts its ids and always comes back to the oldest session.
func newTraffic(s store, out *strings.Builder) *traffic {
	n := 0
	return &traffic{store: s, ttl: time.Minute, out: out,
		newID:  func() string { n++; return fmt.Sprintf("%08d", n) },
		choose: func(int) int { return 0 }}
}

func TestTrafficSaysWhatBecameOfEachSession(t *testing.T) {
	now := time.Unix(0, 0)
	var out strings.Builder
	users := newTraffic(newMemoryStore(func() time.Time { return now }), &out)
	users.step(t.Context())
	users.step(t.Context())
	now = now.Add(time.Hour)
	users.step(t.Context())
	want := `session 00000001 created
session 00000002 created
session 00000001 refreshed
session 00000003 created
session 00000001 not found, its user has to sign in again
`
	if out.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
	}
}

type brokenStore struct{ err error }

func (s brokenStore) create(context.Context, string, string, time.Duration) error { return s.err }
func (s brokenStore) refresh(context.Context, string, time.Duration) (bool, error) {
	return false, s.err
}

func TestTrafficNamesRedisOnce(t *testing.T) {
	for _, text := range []string{"connection pool timeout", "redis: connection pool timeout"} {
		var out strings.Builder
		newTraffic(brokenStore{errors.New(text)}, &out).step(t.Context())
		if got, want := out.String(), "redis: connection pool timeout\n"; got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestTrafficIsSilentAtTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out strings.Builder
	newTraffic(brokenStore{context.Canceled}, &out).run(ctx, nil)
	if out.Len() > 0 {
		t.Errorf("printed %q after its end", out.String())
	}
}

func TestSettingsAreRefusedByName(t *testing.T) {
	good := map[string]string{"SESSION_BACKEND": "redis", "REDIS_ADDRESS": "redis-session:6379"}
	for name, value := range map[string]string{
		"SESSION_BACKEND": "disk", "REDIS_ADDRESS": "", "SESSION_TTL": "soon", "SESSION_EVERY": "-1s",
	} {
		_, err := readSettings(func(asked string) string {
			if asked == name {
				return value
			}
			return good[asked]
		})
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%q: got %v, want an error that names it", name, value, err)
		}
	}
	if _, err := readSettings(func(asked string) string { return good[asked] }); err != nil {
		t.Error(err)
	}
}

// TestRedisStore runs against a real server: what a session goes through, and
// what the application hears when the password is wrong or nobody listens.
func TestRedisStore(t *testing.T) {
	address := startRedis(t, "right")
	s := newRedisStore(address, "right")
	if err := s.create(t.Context(), "a", "{}", time.Minute); err != nil {
		t.Fatal(err)
	}
	if ttl := s.client.TTL(t.Context(), "session:a").Val(); ttl <= 0 || ttl > time.Minute {
		t.Errorf("TTL is %s, want about a minute", ttl)
	}
	for id, want := range map[string]bool{"a": true, "b": false} {
		if found, err := s.refresh(t.Context(), id, time.Hour); found != want || err != nil {
			t.Errorf("refresh %s: %v, %v; want %v", id, found, err, want)
		}
	}
	for password, want := range map[string]string{"": "redis: NOAUTH ", "wrong": "redis: WRONGPASS "} {
		var out strings.Builder
		newTraffic(newRedisStore(address, password), &out).step(t.Context())
		if !strings.HasPrefix(out.String(), want) {
			t.Errorf("password %q: printed %q, want %q…", password, out.String(), want)
		}
	}
	var out strings.Builder
	newTraffic(newRedisStore(freeAddress(t), "right"), &out).step(t.Context())
	if !strings.HasPrefix(out.String(), "redis: dial tcp 127.0.0.1:") || !strings.Contains(out.String(), "connect: connection refused") {
		t.Errorf("nobody listens: printed %q", out.String())
	}
}

// startRedis runs Debian's server on a free loopback port until the test ends.
func startRedis(t *testing.T, password string) string {
	t.Helper()
	address := freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	dir := t.TempDir()
	config := filepath.Join(dir, "redis.conf")
	text := fmt.Sprintf("bind 127.0.0.1\nport %s\nrequirepass %s\nsave \"\"\ndir %s\n", port, password, dir)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// redis-tools holds the server under this name; it runs as what argv[0] says.
	server := exec.Command("/usr/bin/redis-check-rdb")
	server.Args = []string{"redis-server", config}
	if err := server.Start(); err != nil {
		t.Fatalf("start redis-server (apt-get install redis-tools): %v", err)
	}
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	client := newRedisStore(address, password).client
	deadline := time.Now().Add(30 * time.Second)
	for client.Ping(t.Context()).Err() != nil {
		if time.Now().After(deadline) {
			t.Fatal("redis-server does not answer within 10 s")
		}
		time.Sleep(20 * time.Millisecond)
	}
	return address
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
