package main

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// patience is how long one command may take: a user waits for it.
const patience = 2 * time.Second

// redisStore keeps sessions under session:<id>.
type redisStore struct{ client *redis.Client }

func newRedisStore(address, password string) *redisStore {
	logging.Disable() // the pool's own lines would repeat every error on stderr
	return &redisStore{redis.NewClient(&redis.Options{
		Addr:         address,
		Password:     password,
		DialTimeout:  patience,
		ReadTimeout:  patience,
		WriteTimeout: patience,
		// One try: the next user comes in a second, and what is printed is the first thing heard.
		MaxRetries:               -1,
		DialerRetries:            1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})}
}

func key(id string) string { return "session:" + id }

func (s *redisStore) create(ctx context.Context, id, session string, ttl time.Duration) error {
	return s.client.Set(ctx, key(id), session, ttl).Err()
}

func (s *redisStore) refresh(ctx context.Context, id string, ttl time.Duration) (bool, error) {
	if err := s.client.Get(ctx, key(id)).Err(); errors.Is(err, redis.Nil) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return s.client.Expire(ctx, key(id), ttl).Result()
}
