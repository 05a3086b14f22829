package main

import (
	"fmt"
	"time"
)

// settings are what the environment says, as the ConfigMap and the Secret fill it.
type settings struct {
	backend  string        // "redis" or "memory"
	address  string        // host:port of the store
	password string        // empty: none
	ttl      time.Duration // of a session that nobody refreshes
	every    time.Duration // between two things that users do
}

// readSettings refuses what it does not understand, by the variable's name.
func readSettings(getenv func(string) string) (settings, error) {
	s := settings{
		backend:  getenv("SESSION_BACKEND"),
		address:  getenv("REDIS_ADDRESS"),
		password: getenv("REDIS_PASSWORD"),
	}
	if s.backend != "redis" && s.backend != "memory" {
		return settings{}, fmt.Errorf("SESSION_BACKEND is %q: use redis or memory", s.backend)
	}
	if s.backend == "redis" && s.address == "" {
		return settings{}, fmt.Errorf("REDIS_ADDRESS is empty: give host:port")
	}
	var err error
	if s.ttl, err = duration(getenv, "SESSION_TTL", 30*time.Minute); err != nil {
		return settings{}, err
	}
	if s.every, err = duration(getenv, "SESSION_EVERY", time.Second); err != nil {
		return settings{}, err
	}
	return s, nil
}

func duration(getenv func(string) string, name string, otherwise time.Duration) (time.Duration, error) {
	text := getenv(name)
	if text == "" {
		return otherwise, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%s is %q: give a time above zero such as 30m or 1s", name, text)
	}
	return d, nil
}

func (s settings) open(now func() time.Time) store {
	if s.backend == "memory" {
		return newMemoryStore(now)
	}
	return newRedisStore(s.address, s.password)
}
