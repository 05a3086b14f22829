// Package redis tries the bot's probe on a real Redis, one server for each
// trouble that a client can hear of.
package redis

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// server is one redis-server in a folder of its own, on a socket there.
type server struct {
	dir    string
	socket string
	out    *bytes.Buffer
}

// program finds redis-server. Debian's package of that name is a link to a
// program that redis-tools brings.
func program(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("redis-server"); err == nil {
		return path
	}
	same, err := exec.LookPath("redis-check-rdb")
	if err != nil {
		t.Fatal("redis-server is not installed: apt-get install redis-server, or run lab up once")
	}
	link := filepath.Join(t.TempDir(), "redis-server")
	if err := os.Symlink(same, link); err != nil {
		t.Fatal(err)
	}
	return link
}

// start runs redis-server until the test ends, and waits until it listens.
func start(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	// A socket's path may have some hundred bytes, which a test's own folder exceeds.
	sockets, err := os.MkdirTemp("", "rsb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(sockets) })
	s := &server{dir: dir, socket: filepath.Join(sockets, "s"), out: &bytes.Buffer{}}
	args = append([]string{"--port", "0", "--unixsocket", s.socket, "--dir", dir, "--save", "", "--appendonly", "no"}, args...)
	command := exec.Command(program(t), args...)
	command.Stdout, command.Stderr = s.out, s.out
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if t.Failed() {
			t.Logf("redis-server said:\n%s", s.out)
		}
	})
	deadline := time.Now().Add(10 * time.Second)
	for {
		conn, err := s.dial(t.Context())
		if err == nil {
			conn.Close()
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("redis-server does not listen: %v", err)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func (s *server) dial(ctx context.Context) (net.Conn, error) {
	var dialer net.Dialer
	return dialer.DialContext(ctx, "unix", s.socket)
}

// client is for what a test does to the server beside the probe.
func (s *server) client(t *testing.T, password string) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: s.socket, Password: password, MaxRetries: -1})
	t.Cleanup(func() { client.Close() })
	return client
}

// until polls until done says so.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
		<-time.After(20 * time.Millisecond)
	}
}
