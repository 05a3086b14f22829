package k8s

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	executil "k8s.io/client-go/util/exec"
	"k8s.io/streaming/pkg/httpstream"
)

// maxOutput bounds in bytes what is kept of each stream of a command.
const maxOutput = 16 << 10

// output is what a command in a container printed, and its exit code.
type output struct {
	out, err string
	code     int
}

// exec runs a command in a container. A command that exits with another code
// than 0 is no error. The error is that it could not be run.
func (c *Cluster) exec(ctx context.Context, namespace, pod, container string, command []string) (output, error) {
	if c.REST == nil {
		return output{}, errors.New("no connection to the API server is configured for exec")
	}
	request := c.Clients.CoreV1().RESTClient().Post().Namespace(namespace).Resource("pods").Name(pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Container: container, Command: command, Stdout: true, Stderr: true}, scheme.ParameterCodec)
	websocket, err := remotecommand.NewWebSocketExecutor(c.REST, "GET", request.URL().String())
	if err != nil {
		return output{}, fmt.Errorf("exec in %s: %w", pod, err)
	}
	spdy, err := remotecommand.NewSPDYExecutor(c.REST, "POST", request.URL())
	if err != nil {
		return output{}, fmt.Errorf("exec in %s: %w", pod, err)
	}
	executor, err := remotecommand.NewFallbackExecutor(websocket, spdy, noWebSocket)
	if err != nil {
		return output{}, fmt.Errorf("exec in %s: %w", pod, err)
	}
	stdout, stderr := &bounded{left: maxOutput}, &bounded{left: maxOutput}
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: stdout, Stderr: stderr})
	result := output{out: stdout.String(), err: stderr.String()}
	var exit executil.CodeExitError
	if errors.As(err, &exit) {
		result.code = exit.Code
		return result, nil
	}
	if err != nil {
		return result, fmt.Errorf("exec in %s: %w", pod, err)
	}
	return result, nil
}

// noWebSocket reports whether a server or a proxy on the way is too old for
// WebSockets.
func noWebSocket(err error) bool {
	return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
}

// bounded keeps the first bytes that are written to it and drops the rest.
type bounded struct {
	bytes.Buffer
	left int
}

var _ io.Writer = (*bounded)(nil)

// Write never fails: a command that talks too much must not be broken by it.
func (b *bounded) Write(p []byte) (int, error) {
	keep := p[:min(len(p), b.left)]
	b.left -= len(keep)
	_, _ = b.Buffer.Write(keep) // a Buffer does not fail
	return len(p), nil
}
