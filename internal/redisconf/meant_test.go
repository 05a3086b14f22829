package redisconf_test

import (
	"testing"

	"redis-session-bot/internal/redisconf"
)

func TestMeant(t *testing.T) {
	for _, test := range []struct{ name, value, want string }{
		{"maxmemory-polciy", "allkeys-lru", "maxmemory-policy"},
		{"MaxMemori", "1gb", "maxmemory"},
		{"apendonly", "yes", "appendonly"},
		{"append-only", "yes", "appendonly"},
		{"maxclient", "100", "maxclients"},
		{"maxmemory-polciy", "lru", ""}, // Redis would refuse that, too
		{"maxmemory", "1Gi", ""},        // it is known: the value is wrong
		{"requirepas", "x", ""},         // a secret is not guessed
		{"active-defrag", "yes", ""},    // only a build with its own allocator knows it
		{"loadmodule", "/lib/x.so", ""},
		{"p", "6379", ""},
	} {
		if got := redisconf.Meant(test.name, test.value); got != test.want {
			t.Errorf("%s %s: %q, want %q", test.name, test.value, got, test.want)
		}
	}
}
