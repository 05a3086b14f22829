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
}

// Cluster is one Kubernetes cluster.
type Cluster struct {
	Clients kubernetes.Interface
	Metrics metrics.Interface
	REST    *rest.Config
	Prober  Prober
	Now     func() time.Time
}
