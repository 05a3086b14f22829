// Package k8s reads a target from a Kubernetes cluster, prepares changes by
// server-side dry run, and applies them.
//
// Secrets end here: everything that leaves the package is redacted. It judges
// nothing and decides nothing.
package k8s

import (
	"context"
	"net"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	metrics "k8s.io/metrics/pkg/client/clientset/versioned"

	"redis-session-bot/internal/evidence"
)

// Prober asks one store directly. Package redis fills it; cmd/bot wires it.
type Prober interface {
	// Probe dials with dial, authenticates with password (none when empty),
	// pings, reads INFO and does a session-like round trip under a key prefix
	// of its own, which it removes again. It never returns the password.
	Probe(ctx context.Context, dial func(ctx context.Context) (net.Conn, error), password string) evidence.Redis

	// Inspect reads what a server says of itself, with the settings of these
	// names; none that is a secret. It writes nothing.
	Inspect(ctx context.Context, dial func(ctx context.Context) (net.Conn, error), password string, settings ...string) evidence.Server

	// Config reads settings of the running server; none that is a secret.
	Config(ctx context.Context, dial func(ctx context.Context) (net.Conn, error), password string, names ...string) (map[string]string, error)

	// Do sends one command to the running server, once. An error with a method
	// Refused that is true means that nothing has happened.
	Do(ctx context.Context, dial func(ctx context.Context) (net.Conn, error), password string, command ...string) error
}

// Cluster is one Kubernetes cluster.
type Cluster struct {
	Clients kubernetes.Interface
	Metrics metrics.Interface
	REST    *rest.Config
	Prober  Prober
	Now     func() time.Time
}
