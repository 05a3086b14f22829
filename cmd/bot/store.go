package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"redis-session-bot/internal/chain"
	"redis-session-bot/internal/config"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/store/bolt"
	"redis-session-bot/internal/store/kube"
	"redis-session-bot/internal/store/record"
)

// keeper is a store that outlives the bot.
type keeper interface {
	incident.Store
	chain.Trail
}

// mender is a store that other replicas leave something in when they die.
type mender interface {
	Mend(ctx context.Context, now time.Time) error
}

// openStore opens the configured store to be written. What goes on in it that no
// call returns is logged; each entry of the audit trail is, with its hash, since
// the log is kept elsewhere.
func openStore(ctx context.Context, c config.Config, log *slog.Logger) (store keeper, shut func() error, err error) {
	chained := func(e chain.Entry) {
		log.Info("audit", "incident", e.Incident, "actor", e.Actor, "text", e.Text, "entry", e.N, "hash", e.Hash)
	}
	damaged := func(d *record.Damage) { log.Error("the store is damaged", "incident", d.What, "err", d) }
	if c.Store.Kind == config.StoreFile {
		file, err := bolt.Open(c.Store.Path)
		if err != nil {
			return nil, nil, err
		}
		file.Chained, file.Damaged = chained, damaged
		return file, file.Close, nil
	}
	shared, err := kubeStore(c)
	if err != nil {
		return nil, nil, err
	}
	shared.Chained, shared.Damaged = chained, damaged
	shared.Unchained = func(id string, err error) {
		log.Error("the audit trail is behind; it is caught up later", "incident", id, "err", err)
	}
	return shared, func() error { return nil }, shared.Check(ctx)
}

// peekStore opens the configured store to be read, also while a bot has it open.
func peekStore(c config.Config) (store keeper, shut func() error, err error) {
	if c.Store.Kind == config.StoreFile {
		file, err := bolt.Peek(c.Store.Path)
		if err != nil {
			return nil, nil, err
		}
		return file, file.Close, nil
	}
	shared, err := kubeStore(c)
	return shared, func() error { return nil }, err
}

// kubeStore is the store in the cluster that the bot runs in, or that the
// kubeconfig's current context names.
func kubeStore(c config.Config) (*kube.Store, error) {
	all := clusters(c.Kubeconfig)
	cluster, err := all.Cluster("")
	if err != nil {
		return nil, err
	}
	namespace := c.Store.Namespace
	if namespace == "" {
		if namespace, err = all.Namespace(); err != nil {
			return nil, fmt.Errorf("%w; or name it (store.namespace)", err)
		}
	}
	return kube.New(cluster.Clients, namespace), nil
}

// tidyEvery is the pause between two looks at what is kept too long.
const tidyEvery = 6 * time.Hour

// tidy drops what is kept long enough, and puts right what replicas have left that
// died, at once and from time to time until ctx is over.
func tidy(ctx context.Context, c config.Store, incidents *incident.Service, store keeper, log *slog.Logger) {
	ticker := time.NewTicker(tidyEvery)
	defer ticker.Stop()
	for {
		if m, ok := store.(mender); ok {
			if err := m.Mend(ctx, time.Now()); err != nil && ctx.Err() == nil {
				log.Warn("mend the store", "err", err)
			}
		}
		dropped, err := incidents.Tidy(ctx, incident.Keep{Age: c.Keep, Count: c.KeepCount})
		if err != nil && ctx.Err() == nil {
			log.Warn("tidy the store", "err", err)
		}
		if dropped > 0 {
			log.Info("tidied the store", "dropped", dropped)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
