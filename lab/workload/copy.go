package workload

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/remotecommand"
)

// Copy is one copy of the workload, in its namespace of a cluster.
type Copy struct {
	Namespace string
	Clients   kubernetes.Interface

	dynamic dynamic.Interface
	config  *rest.Config
	out     io.Writer
}

// Open reads the kubeconfig and connects to nothing yet.
func Open(o Options) (*Copy, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.Kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules,
		&clientcmd.ConfigOverrides{CurrentContext: o.Context}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig %s: %w", o.Kubeconfig, err)
	}
	config.QPS, config.Burst = 50, 100 // a heal is some dozen calls in a row
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("use the kubeconfig %s: %w", o.Kubeconfig, err)
	}
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("use the kubeconfig %s: %w", o.Kubeconfig, err)
	}
	out := o.Out
	if out == nil {
		out = io.Discard
	}
	return &Copy{
		Namespace: cmp.Or(o.Namespace, DefaultNamespace),
		Clients:   clients, dynamic: objects, config: config, out: out,
	}, nil
}

// say prints one line of progress.
func (c *Copy) say(format string, args ...any) { fmt.Fprintf(c.out, format+"\n", args...) }

// ref names an object of this copy for people.
func (c *Copy) ref(name string) string { return c.Namespace + "/" + name }

// Pods lists the pods of one part, Redis or Agent, terminating ones included.
func (c *Copy) Pods(ctx context.Context, app string) ([]corev1.Pod, error) {
	list, err := c.Clients.CoreV1().Pods(c.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + app})
	if err != nil {
		return nil, fmt.Errorf("list the pods of %s: %w", c.ref(app), err)
	}
	return list.Items, nil
}

// Exec runs a command in the store's container and returns what it printed.
func (c *Copy) Exec(ctx context.Context, pod string, command ...string) (string, error) {
	request := c.Clients.CoreV1().RESTClient().Post().
		Namespace(c.Namespace).Resource("pods").Name(pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Container: RedisContainer, Command: command, Stdout: true, Stderr: true}, scheme.ParameterCodec)
	executor, err := remotecommand.NewWebSocketExecutor(c.config, "GET", request.URL().String())
	if err != nil {
		return "", fmt.Errorf("exec in %s: %w", c.ref(pod), err)
	}
	var out, problems bytes.Buffer
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &out, Stderr: &problems})
	if err != nil {
		return out.String(), fmt.Errorf("exec in %s: %w: %s", c.ref(pod), err, strings.TrimSpace(problems.String()))
	}
	return out.String(), nil
}
