package redact

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	r := New("canary-4711\n", "p\"ss/w?rd&1", "abc")
	for _, test := range []struct{ name, in, want string }{
		{"known", "x canary-4711 y", "x [redacted] y"},
		{"known, encoded", "x Y2FuYXJ5LTQ3MTE= y", "x [redacted] y"},
		{"known with its newline, encoded", "Y2FuYXJ5LTQ3MTEK", "[redacted]"},
		{"known, in JSON", `{"v":"p\"ss/w?rd\u00261"}`, `{"v":"[redacted]"}`},
		{"known, in a URL", "p%22ss%2Fw%3Frd%261", "[redacted]"},
		{"short ones are left", "abc abcd", "abc abcd"},
		{"directive", "maxmemory 1gb\nrequirepass hunter2\nport 6379", "maxmemory 1gb\nrequirepass [redacted]\nport 6379"},
		{"directive, quoted", `  masterauth "a b c"  `, `  masterauth "[redacted]"  `},
		{"refused line", ">>> 'requirepass one two'\nwrong number", ">>> 'requirepass [redacted]'\nwrong number"},
		{"flag", "redis-server /etc/redis.conf --requirepass hunter2 --port 6379", "redis-server /etc/redis.conf --requirepass [redacted] --port 6379"},
		{"flag with a variable", "redis-server --requirepass $(REDIS_PASSWORD)", "redis-server --requirepass $(REDIS_PASSWORD)"},
		{"flag of the client", "redis-cli -h x -a hunter2 ping", "redis-cli -h x -a [redacted] ping"},
		{"flag of the client with a variable", `redis-cli -a "$REDIS_PASSWORD" ping`, `redis-cli -a "$REDIS_PASSWORD" ping`},
		{"long flag", "redis-cli --pass hunter2 ping", "redis-cli --pass [redacted] ping"},
		{"flags in JSON", `["--requirepass","hunter2","--port"]`, `["--requirepass","[redacted]","--port"]`},
		{"AUTH", "AUTH hunter2", "AUTH [redacted]"},
		{"AUTH of a user", "AUTH default hunter2", "AUTH default [redacted]"},
		{"AUTH in Redis' words", "Unable to AUTH to MASTER: -WRONGPASS invalid username-password pair", "Unable to AUTH to MASTER: -WRONGPASS invalid username-password pair"},
		{"AUTH in Redis' error", "ERR AUTH <password> called without any password configured", "ERR AUTH <password> called without any password configured"},
		{"NOAUTH", "NOAUTH Authentication required.", "NOAUTH Authentication required."},
		{"URL", "redis://user:hunt/er2@redis-session:6379/0", "redis://[redacted]@redis-session:6379/0"},
		{"URL without a user", "https://redis.io/topics", "https://redis.io/topics"},
		{"assignment", "password=hunter2 user=x", "password=[redacted] user=x"},
		{"assignment in JSON", `{"redisPassword": "hunter 2", "n": 1}`, `{"redisPassword": "[redacted]", "n": 1}`},
		{"environment", "REDIS_PASSWORD=hunter2", "REDIS_PASSWORD=[redacted]"},
		{"header", "Authorization: Bearer abc.def", "Authorization: [redacted]"},
		{"ACL", "user default on >hunter2 #0123abcd ~* +@all", "user default on >[redacted] #[redacted] ~* +@all"},
		{"event about a Secret", `Error: couldn't find key redis-password in Secret langgraph-agent/langgraph-agent-secrets`, `Error: couldn't find key redis-password in Secret langgraph-agent/langgraph-agent-secrets`},
		{"event about a Secret that is not there", `MountVolume.SetUp failed for volume "acl" : secret "redis-acl" not found`, `MountVolume.SetUp failed for volume "acl" : secret "redis-acl" not found`},
		{"nothing", "Ready to accept connections", "Ready to accept connections"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := r.Text(test.in); got != test.want {
				t.Errorf("Text(%q)\n got %q\nwant %q", test.in, got, test.want)
			}
		})
	}
}

func FuzzText(f *testing.F) {
	f.Add("canary-4711", "requirepass ", "\n")
	f.Add("p\"ss", `{"password":"`, `"}`)
	f.Add("$(X)", "--requirepass ", " --port 1")
	f.Add("edac", "[r", "ted]")
	f.Fuzz(func(t *testing.T, secret, before, after string) {
		secret = strings.TrimSpace(secret)
		if utf8.RuneCountInString(secret) < shortest || strings.Contains(Mark, secret) {
			return
		}
		// A secret that the mark itself completes cannot be kept out.
		for i := range secret {
			if i > 0 && (strings.HasPrefix(Mark, secret[i:]) || strings.HasSuffix(Mark, secret[:i])) {
				return
			}
		}
		if strings.Contains(secret, Mark) {
			return
		}
		r := New(secret)
		once := r.Text(before + secret + after)
		if strings.Contains(once, secret) {
			t.Fatalf("%q leaves in %q", secret, once)
		}
		if again := r.Text(once); strings.Contains(again, secret) {
			t.Fatalf("%q comes back in %q", secret, again)
		}
	})
}
