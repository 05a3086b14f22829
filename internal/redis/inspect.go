package redis

import (
	"context"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"redis-session-bot/internal/evidence"
)

// helloChannel is where every Sentinel that watches a server listens on it.
const helloChannel = "__sentinel__:hello"

// Inspect reads what a server says of itself: INFO, the settings of these
// names, and how many Sentinels watch it. It writes nothing. What the server
// refuses is in Unknown; only a server that gives no INFO has an Error. Secrets
// are not asked for here: name none.
func (p Prober) Inspect(ctx context.Context, dial Dial, password string, settings ...string) evidence.Server {
	client := newClient(dial)
	defer client.Close()
	conn := client.Conn()
	defer conn.Close()
	found := evidence.Server{Info: map[string]string{}, Settings: map[string]string{}, Unknown: map[string]string{}, Sentinels: -1}
	says := (&asking{password: password}).text
	var auth *redis.StatusCmd // nil: it is not sent
	var info *redis.StringCmd
	var watched *redis.MapStringIntCmd
	asked := map[string]*redis.MapStringStringCmd{}
	_, _ = conn.Pipelined(ctx, func(trip redis.Pipeliner) error { // each command has its own error
		if password != "" {
			auth = trip.Auth(ctx, password)
		}
		info, watched = trip.Info(ctx), trip.PubSubNumSub(ctx, helloChannel)
		for _, name := range settings { // one by one: before Redis 7 CONFIG GET takes one name
			asked[name] = trip.ConfigGet(ctx, name)
		}
		return nil
	})
	text, err := info.Result()
	if err != nil {
		if auth != nil && auth.Err() != nil {
			err = auth.Err() // it is why
		}
		found.Error = says(err)
		return found
	}
	found.Info, found.Keys = readInfo(text)
	found.Expiring = expiring(found.Info)
	if counts, err := watched.Result(); err != nil {
		found.Unknown["PUBSUB NUMSUB"] = says(err)
	} else {
		found.Sentinels = counts[helloChannel]
	}
	for name, answer := range asked {
		got, err := answer.Result()
		if err != nil {
			found.Unknown["CONFIG GET "+name] = says(err)
			continue
		}
		for key, value := range got { // a name that this server does not know gives none
			found.Settings[key] = value
		}
	}
	return found
}

// expiring counts the keys of all databases that have an expiry.
func expiring(info map[string]string) (sum int64) {
	for name, line := range info {
		if isDatabase(name) {
			sum += fieldOf(line, "expires")
		}
	}
	return sum
}

func isDatabase(name string) bool {
	number, ok := strings.CutPrefix(name, "db")
	if !ok {
		return false
	}
	_, err := strconv.Atoi(number)
	return err == nil
}
