package redis

import (
	"bufio"
	"context"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/evidence"
)

// server speaks a few lines of Redis' protocol. greeting is said to everybody,
// who is then shown the door.
type server struct {
	greeting string
	password string
	says     map[string]string // command -> reply; wins over what follows

	lock sync.Mutex // a probe has two connections
	keys map[string]string
}

// listen serves until the test ends and returns how to dial it.
func (s *server) listen(t *testing.T) Dial {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	s.keys = map[string]string{}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return func(ctx context.Context) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "tcp", listener.Addr().String())
	}
}

func (s *server) serve(conn net.Conn) {
	defer conn.Close()
	if s.greeting != "" {
		_, _ = conn.Write([]byte(s.greeting))
		return
	}
	in := bufio.NewReader(conn)
	known := s.password == ""
	for {
		words := readCommand(in)
		if words == nil {
			return
		}
		reply := s.answer(words, &known)
		if _, err := conn.Write([]byte(reply)); err != nil {
			return
		}
	}
}

func (s *server) answer(words []string, known *bool) string {
	command := strings.ToUpper(words[0])
	if reply, ok := s.says[command]; ok {
		return reply + "\r\n"
	}
	switch {
	case command == "AUTH" && s.password == "":
		return "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n"
	case command == "AUTH" && words[1] != s.password:
		return "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
	case command == "AUTH":
		*known = true
		return "+OK\r\n"
	case !*known:
		return "-NOAUTH Authentication required.\r\n"
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	switch command {
	case "PING":
		return "+PONG\r\n"
	case "INFO":
		text := "# Server\r\nredis_version:7.2.4\r\n# Keyspace\r\ndb0:keys=3,expires=3,avg_ttl=0\r\ndb1:keys=4,expires=0\r\n"
		return "$" + strconv.Itoa(len(text)) + "\r\n" + text + "\r\n"
	case "SET":
		s.keys[words[1]] = words[2]
		return "+OK\r\n"
	case "GET":
		return "$" + strconv.Itoa(len(s.keys[words[1]])) + "\r\n" + s.keys[words[1]] + "\r\n"
	case "TTL":
		return ":30\r\n"
	case "DEL":
		delete(s.keys, words[1])
		return ":1\r\n"
	}
	return "-ERR unknown command\r\n"
}

// readCommand reads an inline command or an array of bulk strings; nil at the end.
func readCommand(in *bufio.Reader) []string {
	line, err := in.ReadString('\n')
	if err != nil {
		return nil
	}
	count, isArray := strings.CutPrefix(strings.TrimSpace(line), "*")
	if !isArray {
		return strings.Fields(line)
	}
	n, _ := strconv.Atoi(count)
	var words []string
	for range n {
		if _, err := in.ReadString('\n'); err != nil { // the length
			return nil
		}
		word, err := in.ReadString('\n')
		if err != nil {
			return nil
		}
		words = append(words, strings.TrimSpace(word))
	}
	return words
}

func TestProbe(t *testing.T) {
	info := func(needed string) map[string]string {
		return map[string]string{KeyNeedsPassword: needed, "redis_version": "7.2.4", "db0": "keys=3,expires=3,avg_ttl=0", "db1": "keys=4,expires=0"}
	}
	const loading = "-LOADING Redis is loading the dataset in memory"
	const readonly = "-READONLY You can't write against a read only replica."
	for _, test := range []struct {
		name     string
		server   *server
		password string
		want     evidence.Redis
	}{
		{"well, with a password", &server{password: "hunter2"}, "hunter2",
			evidence.Redis{OK: true, Pong: true, Keys: 7, Info: info("yes")}},
		{"well, without one", &server{}, "",
			evidence.Redis{OK: true, Pong: true, Keys: 7, Info: info("no")}},
		{"lost its password", &server{}, "hunter2",
			evidence.Redis{OK: true, Pong: true, Keys: 7, Info: info("no")}},
		{"wants another password", &server{password: "hunter2"}, "hunter3",
			evidence.Redis{Stage: "auth", Error: "WRONGPASS invalid username-password pair or user is disabled.", Keys: -1, Info: map[string]string{KeyNeedsPassword: "yes"}}},
		{"wants a password that nobody knows", &server{password: "hunter2"}, "",
			evidence.Redis{Stage: "ping", Error: "NOAUTH Authentication required.", Keys: -1, Info: map[string]string{KeyNeedsPassword: "yes"}}},
		{"loading", &server{says: map[string]string{"PING": loading}}, "",
			evidence.Redis{Stage: "ping", Error: loading[1:], Keys: 7, Info: info("no")}},
		{"read-only", &server{says: map[string]string{"SET": readonly}}, "",
			evidence.Redis{Stage: "write", Error: readonly[1:], Pong: true, Keys: 7, Info: info("no")}},
		{"full", &server{greeting: "-ERR max number of clients reached\r\n"}, "hunter2",
			evidence.Redis{Stage: "ping", Error: "ERR max number of clients reached", Keys: -1, Info: map[string]string{}}},
		{"protected", &server{greeting: "-DENIED Redis is running in protected mode\r\n"}, "hunter2",
			evidence.Redis{Stage: "ping", Error: "DENIED Redis is running in protected mode", Keys: -1, Info: map[string]string{}}},
		{"not Redis", &server{greeting: "SSH-2.0-OpenSSH_9.2\r\n"}, "hunter2",
			evidence.Redis{Stage: "ping", Error: "the answer is not Redis' protocol", Keys: -1, Info: map[string]string{}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			got := Prober{}.Probe(ctx, test.server.listen(t), test.password)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			test.server.lock.Lock()
			defer test.server.lock.Unlock()
			if len(test.server.keys) > 0 {
				t.Errorf("left in the server: %v", test.server.keys)
			}
		})
	}
}

func TestProbeRefused(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	got := Prober{}.Probe(t.Context(), func(ctx context.Context) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "tcp", address)
	}, "")
	want := evidence.Redis{Stage: "dial", Error: "connection refused", Keys: -1, Info: map[string]string{}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// A server that never answers must not outlast the caller's patience.
func TestProbeHangs(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	got := Prober{}.Probe(ctx, func(ctx context.Context) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "tcp", listener.Addr().String())
	}, "")
	if got.Error != "i/o timeout" || got.OK {
		t.Errorf("got %+v", got)
	}
}
