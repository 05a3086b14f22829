// Package redis asks one Redis or Valkey server directly: a first look at the
// raw bytes, then a client's round trip.
//
// It owns what a client hears. It knows no cluster and dials nothing by
// itself, keeps nothing in the server that it asks, and never returns the
// password.
package redis

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"redis-session-bot/internal/evidence"
)

// The stages of a probe.
const (
	stageDial  = "dial"
	stageAuth  = "auth"
	stagePing  = "ping"
	stageInfo  = "info"
	stageWrite = "write"
)

// KeyNeedsPassword is a key that the probe adds to a server's INFO: whether a
// client without a password is refused, "yes" or "no". It tells a server that
// lost its password, since that one accepts any.
const KeyNeedsPassword = "bot_password_needed"

const (
	// answerTimeout bounds one command.
	answerTimeout = 3 * time.Second
	// sessionTTL is how long the probe's key outlives a probe that was killed.
	sessionTTL = 30 * time.Second
	// DefaultPrefix is of the probe's own keys.
	DefaultPrefix = "redis-session-bot:probe:"
)

// Dial opens a connection to the server.
type Dial = func(ctx context.Context) (net.Conn, error)

// KeyRoundTrip is a key that the probe adds to a server's INFO: how many
// milliseconds the session-like round trip took, where it worked and the
// Prober has a clock.
const KeyRoundTrip = "bot_round_trip_ms"

// Prober asks servers. The zero value is ready.
type Prober struct {
	Now    func() time.Time // nil: nothing is timed
	Prefix string           // of the probe's own keys; DefaultPrefix when empty
}

// Probe looks at the first bytes of a connection, and beside it does as a
// client does: AUTH (where a password is given), PING and INFO, then a
// session-like SET, GET, TTL and DEL of a key of its own, each in one trip. The
// first thing that is not a success is in Error with its Stage; INFO is read all
// the same where the server gives it.
func (p Prober) Probe(ctx context.Context, dial Dial, password string) evidence.Redis {
	asked := asking{result: evidence.Redis{Keys: -1, Info: map[string]string{}}, password: password}
	client := newClient(dial)
	defer client.Close()
	conn := client.Conn()
	defer conn.Close()
	hello := make(chan greetings, 1)
	go func() { hello <- greet(ctx, conn, password) }()
	usable := asked.lookRaw(ctx, dial)
	heard := <-hello
	if !usable {
		return asked.result
	}
	if asked.authenticated(heard) {
		asked.ponged(heard)
		asked.informed(heard)
		if asked.result.Error == "" {
			p.timed(&asked, func() { asked.session(ctx, conn, p.key()) })
		}
	}
	asked.result.OK = asked.result.Error == ""
	return asked.result
}

func newClient(dial Dial) *redis.Client {
	return redis.NewClient(&redis.Options{
		Dialer:                   func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		Protocol:                 2,
		DisableIdentity:          true,
		MaxRetries:               -1,
		DialerRetries:            1,
		PoolSize:                 1,
		ReadTimeout:              answerTimeout,
		WriteTimeout:             answerTimeout,
		ContextTimeoutEnabled:    true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// greetings are a server's answers to a client's first commands.
type greetings struct {
	auth *redis.StatusCmd // nil: it was not sent
	ping *redis.StatusCmd
	info *redis.StringCmd
}

// greet sends a client's first commands in one trip.
func greet(ctx context.Context, conn *redis.Conn, password string) (g greetings) {
	_, _ = conn.Pipelined(ctx, func(trip redis.Pipeliner) error { // each command has its own error
		if password != "" {
			g.auth = trip.Auth(ctx, password)
		}
		g.ping, g.info = trip.Ping(ctx), trip.Info(ctx)
		return nil
	})
	return g
}

func (p Prober) timed(asked *asking, trip func()) {
	if p.Now == nil {
		trip()
		return
	}
	begun := p.Now()
	trip()
	if asked.result.Error == "" {
		asked.result.Info[KeyRoundTrip] = strconv.FormatInt(p.Now().Sub(begun).Milliseconds(), 10)
	}
}

func (p Prober) key() string {
	prefix := p.Prefix
	if prefix == "" {
		prefix = DefaultPrefix
	}
	return prefix + rand.Text()
}

// asking is one probe underway.
type asking struct {
	result   evidence.Redis
	password string
}

// heard keeps the first error. It reports whether there was none now.
func (a *asking) heard(stage string, err error) bool {
	if err == nil {
		return true
	}
	if a.result.Error == "" {
		a.result.Stage, a.result.Error = stage, a.text(err)
	}
	return false
}

// authenticated is true where no password is known, too: what the server says
// to the next command is the answer then.
func (a *asking) authenticated(g greetings) bool {
	if g.auth == nil {
		return true
	}
	err := g.auth.Err()
	if err != nil && a.result.Info[KeyNeedsPassword] == "no" && strings.Contains(err.Error(), "without any password configured") {
		return true // the server has none: the application's client may not mind
	}
	return a.heard(stageAuth, err)
}

func (a *asking) ponged(g greetings) {
	pong, err := g.ping.Result()
	if a.heard(stagePing, err) {
		a.result.Pong = pong == "PONG"
	}
}

func (a *asking) informed(g greetings) {
	text, err := g.info.Result()
	if !a.heard(stageInfo, err) {
		return
	}
	info, keys := readInfo(text)
	maps.Copy(a.result.Info, info)
	a.result.Keys = keys
}

// session writes a key as a session is written, reads it back and removes it,
// in one trip.
func (a *asking) session(ctx context.Context, conn *redis.Conn, key string) {
	value := rand.Text()
	var set *redis.StatusCmd
	var get *redis.StringCmd
	var ttl *redis.DurationCmd
	var del *redis.IntCmd
	_, _ = conn.Pipelined(ctx, func(trip redis.Pipeliner) error { // each command has its own error
		set, get, ttl, del = trip.Set(ctx, key, value, sessionTTL), trip.Get(ctx, key), trip.TTL(ctx, key), trip.Del(ctx, key)
		return nil
	})
	if !a.heard(stageWrite, set.Err()) {
		return
	}
	got, err := get.Result()
	if a.heard(stageWrite, err) && got != value {
		a.heard(stageWrite, fmt.Errorf("GET returned something else than SET wrote"))
	}
	left, err := ttl.Result()
	if a.heard(stageWrite, err) && (left <= 0 || left > sessionTTL) {
		a.heard(stageWrite, fmt.Errorf("TTL is %s for a key that was set to expire in %s", left, sessionTTL))
	}
	a.heard(stageWrite, del.Err())
}

// readInfo reads INFO's lines and counts the keys of all databases.
func readInfo(text string) (map[string]string, int64) {
	info, keys := map[string]string{}, int64(0)
	for line := range strings.Lines(text) {
		name, value, found := strings.Cut(strings.TrimSpace(line), ":")
		if !found || strings.HasPrefix(name, "#") {
			continue
		}
		info[name] = value
		if isDatabase(name) {
			keys += fieldOf(value, "keys")
		}
	}
	return info, keys
}

// fieldOf reads name=N of a line of the keyspace section.
func fieldOf(line, name string) int64 {
	for field := range strings.SplitSeq(line, ",") {
		if number, ok := strings.CutPrefix(field, name+"="); ok {
			n, err := strconv.ParseInt(number, 10, 64)
			if err == nil {
				return n
			}
		}
	}
	return 0
}
