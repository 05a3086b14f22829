package redis

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/evidence"
)

func TestInspect(t *testing.T) {
	info := map[string]string{"redis_version": "7.2.4", "db0": "keys=3,expires=3,avg_ttl=0", "db1": "keys=4,expires=0"}
	watched := map[string]string{"PUBSUB": "*2\r\n$18\r\n__sentinel__:hello\r\n:3", "CONFIG": "*2\r\n$4\r\nsave\r\n$5\r\n900 1"}
	const refused = "-NOPERM this user has no permissions to run the 'config|get' command"
	for _, test := range []struct {
		name     string
		server   *server
		password string
		want     evidence.Server
	}{
		{"says all of it", &server{password: "hunter2", says: watched}, "hunter2",
			evidence.Server{Info: info, Keys: 7, Expiring: 3, Sentinels: 3, Settings: map[string]string{"save": "900 1"}, Unknown: map[string]string{}}},
		{"keeps its settings to itself", &server{says: map[string]string{"PUBSUB": watched["PUBSUB"], "CONFIG": refused}}, "",
			evidence.Server{Info: info, Keys: 7, Expiring: 3, Sentinels: 3, Settings: map[string]string{}, Unknown: map[string]string{"CONFIG GET save": refused[1:]}}},
		{"says nothing of its Sentinels", &server{says: map[string]string{"PUBSUB": "-ERR unknown command", "CONFIG": watched["CONFIG"]}}, "",
			evidence.Server{Info: info, Keys: 7, Expiring: 3, Sentinels: -1, Settings: map[string]string{"save": "900 1"}, Unknown: map[string]string{"PUBSUB NUMSUB": "ERR unknown command"}}},
		{"wants another password", &server{password: "hunter2", says: watched}, "hunter3",
			evidence.Server{Error: "WRONGPASS invalid username-password pair or user is disabled.", Info: map[string]string{}, Settings: map[string]string{}, Unknown: map[string]string{}, Sentinels: -1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			got := Prober{}.Inspect(ctx, test.server.listen(t), test.password, "save")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			test.server.lock.Lock()
			defer test.server.lock.Unlock()
			if len(test.server.keys) > 0 {
				t.Errorf("written to the server: %v", test.server.keys)
			}
		})
	}
}

func TestInspectRefused(t *testing.T) {
	got := Prober{}.Inspect(t.Context(), func(ctx context.Context) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "tcp", "127.0.0.1:1")
	}, "", "save")
	if got.Error != "connection refused" || got.Sentinels != -1 {
		t.Errorf("got %+v", got)
	}
}
