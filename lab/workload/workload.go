// Package workload is the sick patient before it is sick: a Redis session store
// and the application that uses it, in one namespace of a Kubernetes cluster.
//
// It owns every object of its namespace that could make the store healthy or
// not, and the contents of its volume. It never touches a namespace that it did
// not create, and of what is outside of namespaces only what carries CopyLabel.
// It breaks nothing: package faults does.
package workload

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/lab/images"
)

// The shapes that the store can have.
const (
	Deployment  = "deployment"  // and the claim redis-data
	StatefulSet = "statefulset" // and the claim data-redis-session-0
)

// The store's claim in either shape.
const (
	deploymentClaim  = "redis-data"
	statefulSetClaim = "data-redis-session-0"
)

// CopyLabel marks an object outside of every namespace that was made for one
// copy: its value is the copy's namespace. Heal and Down remove it.
const CopyLabel = "redis-session-lab/copy"

// The names that every copy has.
const (
	DefaultNamespace = "langgraph-agent"
	Redis            = "redis-session"
	RedisContainer   = "redis"
	RedisConfig      = "redis-session-config"
	RedisConfigKey   = "redis.conf"
	Agent            = "langgraph-agent"
	AgentConfig      = "langgraph-agent-config"
	AgentBackendKey  = "session_backend"
	Secrets          = "langgraph-agent-secrets"
	PasswordKey      = "redis-password"
)

// patience is how long a copy may take to become what was asked for. Ten copies
// that start at once on two cores need most of it.
const patience = 4 * time.Minute

// Shapes lists the shapes by name.
func Shapes() []string { return []string{Deployment, StatefulSet} }

// Options name one copy of the workload.
type Options struct {
	Kubeconfig string    // a file; empty: as kubectl finds it
	Context    string    // empty: the kubeconfig's current one
	Namespace  string    // empty: DefaultNamespace
	Shape      string    // empty: as it is, else Deployment
	Password   string    // of Redis; empty: as it is, else a random one
	Agents     int32     // pods of the application that a new copy has; 0: DefaultAgents
	Out        io.Writer // for progress, a line each; nil: none
}

// healHint is for whoever asked for a copy that something has spoiled.
const healHint = "lab heal makes it healthy again"

// Up brings one copy of the workload and waits until it works: Redis is ready
// and the application has created a session in it. A second Up changes nothing.
// A copy of the other shape, or with another password, is replaced, its volume
// with it.
func Up(ctx context.Context, o Options) error {
	c, err := Open(o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	start := time.Now()
	spec, there, err := c.plan(ctx, o)
	if err != nil {
		return err
	}
	if err := c.ensureNamespace(ctx); err != nil {
		return err
	}
	if there.Shape != "" && there != (identity{spec.Shape, spec.Password}) {
		c.say("%s is a %s, or has another password: replacing it by a %s", c.ref(Redis), there.Shape, spec.Shape)
		if err := c.clear(ctx); err != nil {
			return err
		}
	}
	for _, object := range Objects(spec) {
		err := c.apply(ctx, object)
		if apierrors.IsInvalid(err) { // what others left does not go with what is applied
			return fmt.Errorf("%w; %s", err, healHint)
		}
		if err != nil {
			return err
		}
	}
	if err := c.waitHealthy(ctx, start); err != nil {
		return fmt.Errorf("%w; %s", err, healHint)
	}
	return nil
}

// Heal brings one copy back to what Up makes of nothing, whatever was done to
// it: the workloads and the volume are made anew, foreign objects that could
// keep them from working are removed, foreign fields too. The password stays,
// or is a random one where the Secret has lost it.
func Heal(ctx context.Context, o Options) error {
	c, err := Open(o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	spec, _, err := c.plan(ctx, o)
	if err != nil {
		return err
	}
	return c.remake(ctx, spec)
}

// remake clears the namespace and makes what spec says.
func (c *Copy) remake(ctx context.Context, spec Spec) error {
	start := time.Now()
	if err := c.ensureNamespace(ctx); err != nil {
		return err
	}
	if err := c.clear(ctx); err != nil {
		return err
	}
	for _, object := range Objects(spec) {
		if err := c.replace(ctx, object); err != nil {
			return err
		}
	}
	return c.waitHealthy(ctx, start)
}

// Down removes one copy with its namespace and volume, and waits until it is gone.
func Down(ctx context.Context, o Options) error {
	c, err := Open(o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.removeNamespace(ctx)
}

// Shape says what the store of a copy is, Deployment or StatefulSet; empty when
// there is none.
func Shape(ctx context.Context, o Options) (string, error) {
	c, err := Open(o)
	if err != nil {
		return "", err
	}
	return c.Shape(ctx)
}

// Images makes the container images as docker-archive tars in dir and returns
// their paths; one whose content is unchanged keeps its path. It needs the
// Debian packages of images.Packages, and the lab's sources at or above the
// working directory or the running program.
func Images(ctx context.Context, dir string) ([]string, error) {
	source, err := sources()
	if err != nil {
		return nil, err
	}
	return images.Build(ctx, source, dir)
}

// identity is what cannot change while a copy lives.
type identity struct{ Shape, Password string }

// plan decides what a copy is to be, and says what it is now.
func (c *Copy) plan(ctx context.Context, o Options) (spec Spec, there identity, err error) {
	if there.Shape, err = c.Shape(ctx); err != nil {
		return Spec{}, identity{}, err
	}
	if there.Password, err = c.Password(ctx); err != nil {
		return Spec{}, identity{}, err
	}
	spec = Spec{
		Namespace:  c.Namespace,
		Shape:      cmp.Or(o.Shape, there.Shape, Deployment),
		Password:   cmp.Or(o.Password, there.Password, rand.Text()),
		AgentImage: images.Agent,
		Agents:     o.Agents,
	}
	if !slices.Contains(Shapes(), spec.Shape) {
		return Spec{}, identity{}, fmt.Errorf("unknown shape %q: use %s", spec.Shape, strings.Join(Shapes(), " or "))
	}
	if spec.RedisImage, err = images.Redis(ctx); err != nil {
		return Spec{}, identity{}, err
	}
	return spec, there, nil
}

// Shape says what the store is now; empty when there is none.
func (c *Copy) Shape(ctx context.Context) (string, error) {
	_, err := c.Clients.AppsV1().Deployments(c.Namespace).Get(ctx, Redis, metav1.GetOptions{})
	if err == nil {
		return Deployment, nil
	}
	if !apierrors.IsNotFound(err) {
		return "", fmt.Errorf("get deployment %s: %w", c.ref(Redis), err)
	}
	_, err = c.Clients.AppsV1().StatefulSets(c.Namespace).Get(ctx, Redis, metav1.GetOptions{})
	if err == nil {
		return StatefulSet, nil
	}
	if !apierrors.IsNotFound(err) {
		return "", fmt.Errorf("get statefulset %s: %w", c.ref(Redis), err)
	}
	return "", nil
}

// ErrMissing says that a namespace holds no copy of the workload.
var ErrMissing = errors.New("there is no redis-session: lab up brings it")
