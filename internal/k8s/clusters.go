package k8s

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	metrics "k8s.io/metrics/pkg/client/clientset/versioned"

	"redis-session-bot/internal/audit"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/standby"
)

// userAgent is how the bot shows in the API server's audit log.
const userAgent = "redis-session-bot"

// Clusters opens the cluster of a target by its kubeconfig context, and the
// cluster that the bot runs in where there is no kubeconfig. Each is opened
// once, also where several contexts lead to it by the same account. Safe for
// concurrent use.
type Clusters struct {
	Kubeconfig string // a file; empty: $KUBECONFIG, then ~/.kube/config
	Prober     Prober
	Now        func() time.Time

	mu    sync.Mutex
	open  map[string]*Cluster
	begun map[evidence.Target]*look
}

// Cluster returns the cluster of a context; the empty one is the kubeconfig's
// current context. It sends no request. Errors say what to set.
func (c *Clusters) Cluster(name string) (*Cluster, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cluster := c.open[name]; cluster != nil {
		return cluster, nil
	}
	config, err := c.restConfig(name)
	if err != nil {
		return nil, err
	}
	config.UserAgent = userAgent
	config.WarningHandler = rest.NoWarnings{}
	// A round asks for some fifteen things at once, and twenty rounds may run;
	// client-go's default of 5 a second would stretch them.
	config.QPS, config.Burst = 100, 300
	for _, other := range c.open {
		if reflect.DeepEqual(other.REST, config) {
			c.open[name] = other
			return other, nil
		}
	}
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("open cluster %s: %w", orCurrent(name), err)
	}
	measures, err := metrics.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("open cluster %s: %w", orCurrent(name), err)
	}
	cluster := &Cluster{Clients: clients, Metrics: measures, REST: config, Prober: c.Prober, Now: c.Now}
	if c.open == nil {
		c.open = map[string]*Cluster{}
	}
	c.open[name] = cluster
	return cluster, nil
}

// Namespace is the one that a kubeconfig's current context names, and the pod's own
// where there is no kubeconfig.
func (c *Clusters) Namespace() (string, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if c.Kubeconfig != "" {
		rules.ExplicitPath = c.Kubeconfig
	}
	namespace, _, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{}).Namespace()
	if err != nil {
		return "", fmt.Errorf("find the bot's own namespace: %w", err)
	}
	return namespace, nil
}

// Reachable asks the API server of a context for its version. The error is fit
// for everybody: it names no address.
func (c *Clusters) Reachable(ctx context.Context, name string) error {
	cluster, err := c.Cluster(name)
	if err != nil {
		return errors.New("the cluster cannot be opened; the log says why")
	}
	if err := cluster.Clients.Discovery().RESTClient().Get().AbsPath("/version").Do(ctx).Error(); err != nil && !answered(err) {
		return errors.New("the API server does not answer")
	}
	return nil
}

func (c *Clusters) restConfig(name string) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if c.Kubeconfig != "" {
		rules.ExplicitPath = c.Kubeconfig
	}
	raw, err := rules.Load()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig %s: %w", strings.Join(rules.GetLoadingPrecedence(), ", "), err)
	}
	if name == "" && len(raw.Contexts) == 0 {
		config, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("no kubeconfig was found (%s), and this is not a pod of a cluster: set KUBECONFIG or --kubeconfig: %w",
				strings.Join(rules.GetLoadingPrecedence(), ", "), err)
		}
		return config, nil
	}
	if name == "" && raw.CurrentContext == "" {
		return nil, fmt.Errorf("the kubeconfig has no current context: name one of %s as the target's context", contextsOf(raw))
	}
	if name != "" && raw.Contexts[name] == nil {
		return nil, fmt.Errorf("the kubeconfig has no context %q: it has %s", name, contextsOf(raw))
	}
	config, err := clientcmd.NewNonInteractiveClientConfig(*raw, name, &clientcmd.ConfigOverrides{}, rules).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("kubeconfig context %s: %w", orCurrent(name), err)
	}
	return config, nil
}

func contextsOf(raw *clientcmdapi.Config) string {
	var names []string
	for name := range raw.Contexts {
		names = append(names, name)
	}
	if len(names) == 0 {
		return "none"
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func orCurrent(name string) string {
	if name == "" {
		return "of the current context"
	}
	return name
}

// Begin begins the round that the next Look at that target goes on with: what
// every check needs is asked for while the caller does something else.
func (c *Clusters) Begin(ctx context.Context, target evidence.Target) {
	cluster, err := c.Cluster(target.Context)
	if err != nil {
		return // Look says so
	}
	round := cluster.look(target)
	go func() { _, _ = round.readPods(ctx) }()    // whoever asks for them again
	go func() { _, _ = round.readSecrets(ctx) }() // hears the error
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.begun == nil {
		c.begun = map[evidence.Target]*look{}
	}
	c.begun[target] = round
}

// Look begins one round of reading in the target's cluster, or goes on with the
// one that was begun.
func (c *Clusters) Look(target evidence.Target) incident.Look {
	c.mu.Lock()
	round := c.begun[target]
	delete(c.begun, target)
	c.mu.Unlock()
	if round != nil {
		return round
	}
	cluster, err := c.Cluster(target.Context)
	if err != nil {
		return closedLook{err}
	}
	return cluster.Look(target)
}

// closedLook is a round in a cluster that could not be opened.
type closedLook struct{ err error }

// Check returns why the cluster could not be opened.
func (l closedLook) Check(context.Context, string) (evidence.Bundle, error) {
	return evidence.Bundle{}, l.err
}

// Audit reads in the target's cluster.
func (c *Clusters) Audit(ctx context.Context, target evidence.Target) (audit.Facts, error) {
	cluster, err := c.Cluster(target.Context)
	if err != nil {
		return audit.Facts{}, err
	}
	return cluster.Audit(ctx, target)
}

// Blueprint reads in the target's cluster.
func (c *Clusters) Blueprint(ctx context.Context, target evidence.Target) (standby.Store, error) {
	cluster, err := c.Cluster(target.Context)
	if err != nil {
		return standby.Store{}, err
	}
	return cluster.Blueprint(ctx, target)
}

// DryRun asks the target's cluster.
func (c *Clusters) DryRun(ctx context.Context, target evidence.Target, objects []runtime.Object) (standby.Tried, error) {
	cluster, err := c.Cluster(target.Context)
	if err != nil {
		return standby.Tried{}, err
	}
	return cluster.DryRun(ctx, target, objects), nil
}

// Prepare prepares changes in the target's cluster.
func (c *Clusters) Prepare(ctx context.Context, wanted incident.Wanted) (incident.Prepared, error) {
	cluster, err := c.Cluster(wanted.Target.Context)
	if err != nil {
		return incident.Prepared{}, err
	}
	return cluster.Prepare(ctx, wanted)
}

// Unchanged compares in the target's cluster.
func (c *Clusters) Unchanged(ctx context.Context, target evidence.Target, writes []incident.Write) error {
	cluster, err := c.Cluster(target.Context)
	if err != nil {
		return err
	}
	return cluster.Unchanged(ctx, target, writes)
}

// Apply writes in the target's cluster.
func (c *Clusters) Apply(ctx context.Context, target evidence.Target, write incident.Write, actor incident.Actor) (string, error) {
	cluster, err := c.Cluster(target.Context)
	if err != nil {
		return "", refuse("The cluster cannot be opened: %s", err)
	}
	return cluster.Apply(ctx, target, write, actor)
}

// Settle waits in the target's cluster.
func (c *Clusters) Settle(ctx context.Context, target evidence.Target, write incident.Write, progress func(string)) ([]string, error) {
	cluster, err := c.Cluster(target.Context)
	if err != nil {
		return nil, err
	}
	return cluster.Settle(ctx, target, write, progress)
}

// Arrived looks in the target's cluster.
func (c *Clusters) Arrived(ctx context.Context, target evidence.Target, write incident.Write) (bool, string, error) {
	cluster, err := c.Cluster(target.Context)
	if err != nil {
		return false, "", refuse("The cluster cannot be opened: %s.", err)
	}
	return cluster.Arrived(ctx, target, write)
}
