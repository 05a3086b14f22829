package redis

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Config reads settings of the running server. A server whose CONFIG is renamed
// or forbidden answers with an error. Secrets are not asked for here: name none.
func (p Prober) Config(ctx context.Context, dial Dial, password string, names ...string) (map[string]string, error) {
	client := newClient(dial)
	defer client.Close()
	conn := client.Conn()
	defer conn.Close()
	if err := login(ctx, conn, password); err != nil {
		return nil, err
	}
	settings := map[string]string{}
	for _, name := range names { // one by one: before Redis 7 CONFIG GET takes one name
		got, err := conn.ConfigGet(ctx, name).Result()
		if err != nil {
			return nil, fmt.Errorf("CONFIG GET %s: %s", name, withoutPassword(err.Error(), password))
		}
		for key, value := range got {
			settings[key] = value
		}
	}
	return settings, nil
}

// Do sends one command, once. The error is *Answer where the server refused
// it: nothing has happened then. After any other error nobody knows.
func (p Prober) Do(ctx context.Context, dial Dial, password string, command ...string) error {
	client := newClient(dial)
	defer client.Close()
	conn := client.Conn()
	defer conn.Close()
	if err := login(ctx, conn, password); err != nil {
		return &Answer{"the server does not take the login: " + err.Error()}
	}
	words := make([]any, len(command))
	for i, word := range command {
		words[i] = word
	}
	err := conn.Do(ctx, words...).Err()
	if _, refused := err.(redis.Error); refused {
		return &Answer{withoutPassword(err.Error(), password)}
	}
	if err != nil {
		return fmt.Errorf("%s: %s", strings.Join(command, " "), withoutPassword(err.Error(), password))
	}
	return nil
}

// Answer is a server's refusal, in its own words.
type Answer struct{ Says string }

// Error is what the server said.
func (a *Answer) Error() string { return a.Says }

// Refused reports that nothing has happened.
func (a *Answer) Refused() bool { return true }

// login sends the password, where there is one. A server without one may have
// lost it; that is for the command to find out. Without a password a PING shows
// that there is a server at all; what it answers does not matter.
func login(ctx context.Context, conn *redis.Conn, password string) error {
	if password == "" {
		err := conn.Ping(ctx).Err()
		if _, answered := err.(redis.Error); answered {
			return nil
		}
		return err
	}
	err := conn.Auth(ctx, password).Err()
	if err == nil || strings.Contains(err.Error(), "without any password configured") {
		return nil
	}
	return fmt.Errorf("%s", withoutPassword(err.Error(), password))
}

func withoutPassword(text, password string) string {
	if password == "" {
		return text
	}
	return strings.ReplaceAll(text, password, "[redacted]")
}
