package k8s

import (
	"testing"

	"redis-session-bot/internal/evidence"
)

// The texts are those of busybox 1.35, netcat-openbsd, netcat-traditional,
// bash and python3 of Debian 12, and of Redis 7.
func TestReadAnswer(t *testing.T) {
	for _, test := range []struct {
		name, out, err string
		want           evidence.Reach
	}{
		{"pong", "+PONG\r\n+OK\r\n", "", evidence.Reach{OK: true}},
		{"asks for a password", "-NOAUTH Authentication required.\r\n+OK\r\n", "", evidence.Reach{OK: true}},
		{"loading", "-LOADING Redis is loading the dataset in memory\r\n", "", evidence.Reach{OK: true}},
		{"full", "-ERR max number of clients reached\r\n", "", evidence.Reach{Error: "ERR max number of clients reached"}},
		{"protected", "-DENIED Redis is running in protected mode\r\n", "", evidence.Reach{Error: "DENIED Redis is running in protected mode"}},
		{"busybox, refused", "nc: can't connect to remote host (10.96.0.9): Connection refused\n", "", evidence.Reach{Error: "connection refused"}},
		{"busybox, no such name", "nc: bad address 'redis-session'\n", "", evidence.Reach{Error: "the name does not resolve: nc: bad address 'redis-session'"}},
		{"busybox, timed out", "nc: timed out\n", "", evidence.Reach{Error: "i/o timeout"}},
		{"busybox, asked with -v", "nc: invalid option -- 'v'\nBusyBox v1.35.0\n\nUsage: nc [-l] [-p PORT]", "", evidence.Reach{Error: "no answer: the connection failed, timed out or was closed"}},
		{"openbsd, refused", "nc: connect to 10.96.0.9 port 6379 (tcp) failed: Connection refused\n", "", evidence.Reach{Error: "connection refused"}},
		{"traditional, no such name", "redis-session: forward host lookup failed: Unknown host\n", "", evidence.Reach{Error: "the name does not resolve: redis-session: forward host lookup failed: Unknown host"}},
		{"bash, refused", "redis-session: connect: Connection refused\nredis-session: line 1: /dev/tcp/redis-session/6379: Connection refused\n", "", evidence.Reach{Error: "connection refused"}},
		{"bash, timed out", "timed out\n", "", evidence.Reach{Error: "i/o timeout"}},
		{"python, refused", "[Errno 111] Connection refused\n", "", evidence.Reach{Error: "connection refused"}},
		{"python, no route", "[Errno 113] No route to host\n", "", evidence.Reach{Error: "[Errno 113] No route to host"}},
		{"silence", "\n", "", evidence.Reach{Error: "no answer: the connection failed, timed out or was closed"}},
		{"not an answer", "-bash: something\n", "", evidence.Reach{Error: "-bash: something"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := readAnswer(test.out, test.err); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}
