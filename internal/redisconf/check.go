package redisconf

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// rule tells which values a directive takes.
type rule func(value string) error

// rules are the directives whose values the bot may set. Sources: redis.conf
// of Redis 7 and config.c.
func rules() map[string]rule {
	return map[string]rule{
		"maxmemory":            memoryRule,
		"maxmemory-policy":     oneOf("noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"),
		"appendonly":           oneOf("yes", "no"),
		"appendfsync":          oneOf("always", "everysec", "no"),
		"aof-load-truncated":   oneOf("yes", "no"),
		"protected-mode":       oneOf("yes", "no"),
		"maxclients":           intRule(1, 1<<31-1),
		"timeout":              intRule(0, 1<<31-1),
		"tcp-keepalive":        intRule(0, 1<<31-1),
		"port":                 intRule(0, 65535),
		"databases":            intRule(1, 1<<31-1),
		"hz":                   intRule(1, 500),
		"loglevel":             oneOf("debug", "verbose", "notice", "warning", "nothing"),
		"rdbcompression":       oneOf("yes", "no"),
		"lazyfree-lazy-expire": oneOf("yes", "no"),
	}
}

// Check reports whether Redis would refuse a value. A directive that is not
// known here is let through: the server has the last word.
func Check(name, value string) error {
	check, known := rules()[strings.ToLower(name)]
	if !known {
		return nil
	}
	if err := check(value); err != nil {
		return fmt.Errorf("%s %s: %w", name, value, err)
	}
	return nil
}

func memoryRule(value string) error {
	_, err := Memory(value)
	return err
}

func oneOf(values ...string) rule {
	return func(value string) error {
		if slices.Contains(values, strings.ToLower(value)) {
			return nil
		}
		return fmt.Errorf("use one of %s", strings.Join(values, ", "))
	}
}

func intRule(low, high int64) rule {
	return func(value string) error {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < low || n > high {
			return fmt.Errorf("use a number from %d to %d", low, high)
		}
		return nil
	}
}
