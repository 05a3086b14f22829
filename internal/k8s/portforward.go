package k8s

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
)

// reasonTimeout is how long the reason of a closed stream may follow it.
const reasonTimeout = time.Second

// openedAhead is how many streams a port-forward opens before anybody asks for
// them, so that nobody waits for the round trip of one: a probe takes two.
const openedAhead = 2

// forward is a port-forward to one pod through the API server. It opens no
// listener: each Dial is a stream of the one connection.
type forward struct {
	connection httpstream.Connection
	port       int
	requests   atomic.Int64
	ahead      chan opened // what is open already; as many arrive as were begun
	left       atomic.Int64
}

// opened is a stream, or why there is none.
type opened struct {
	conn net.Conn
	err  error
}

func newForward(connection httpstream.Connection, port int) *forward {
	f := &forward{connection: connection, port: port, ahead: make(chan opened, openedAhead)}
	f.left.Store(openedAhead)
	for range openedAhead {
		go func() {
			conn, err := f.open()
			f.ahead <- opened{conn, err}
		}()
	}
	return f
}

// forward opens a port-forward to a port of a pod. Close it.
func (c *Cluster) forward(ctx context.Context, namespace, pod string, port int) (*forward, error) {
	if c.REST == nil {
		return nil, errors.New("no connection to the API server is configured for port-forward")
	}
	address := c.Clients.CoreV1().RESTClient().Post().Namespace(namespace).Resource("pods").Name(pod).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(c.REST)
	if err != nil {
		return nil, fmt.Errorf("port-forward to %s: %w", pod, err)
	}
	old := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, address)
	websocket, err := portforward.NewSPDYOverWebsocketDialerForStreaming(address, c.REST)
	if err != nil {
		return nil, fmt.Errorf("port-forward to %s: %w", pod, err)
	}
	dialer := portforward.NewFallbackDialerForStreaming(websocket, old, noWebSocket)

	// The dialer knows no ctx: it goes on alone when ctx ends, and what it
	// opens then is closed.
	type dialled struct {
		connection httpstream.Connection
		err        error
	}
	done := make(chan dialled, 1)
	go func() {
		connection, protocol, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
		if err == nil && protocol != portforward.PortForwardProtocolV1Name {
			connection.Close()
			err = fmt.Errorf("the API server speaks %q", protocol)
		}
		if ctx.Err() != nil && err == nil {
			connection.Close()
			err = ctx.Err()
		}
		done <- dialled{connection, err}
	}()
	select {
	case got := <-done:
		if got.err != nil {
			return nil, fmt.Errorf("port-forward to %s: %w", pod, got.err)
		}
		return newForward(got.connection, port), nil
	case <-ctx.Done():
		go func() {
			if late := <-done; late.err == nil {
				late.connection.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// Close ends the port-forward and every stream of it.
func (f *forward) Close() error { return f.connection.Close() }

// Dial gives one stream. That nobody listens in the pod is heard by the first
// Read, as an error that is syscall.ECONNREFUSED.
func (f *forward) Dial(ctx context.Context) (net.Conn, error) {
	if f.left.Add(-1) < 0 {
		return f.open()
	}
	select {
	case ready := <-f.ahead:
		return ready.conn, ready.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// open opens a pair of streams, side by side: each waits for its answer.
func (f *forward) open() (net.Conn, error) {
	headers := http.Header{}
	headers.Set(corev1.PortHeader, strconv.Itoa(f.port))
	headers.Set(corev1.PortForwardRequestIDHeader, strconv.FormatInt(f.requests.Add(1), 10))
	var (
		trouble, data       httpstream.Stream
		troubleErr, dataErr error
	)
	stream := func(kind string) (httpstream.Stream, error) {
		own := headers.Clone()
		own.Set(corev1.StreamType, kind)
		return f.connection.CreateStream(own)
	}
	parallel(
		func() { trouble, troubleErr = stream(corev1.StreamTypeError) },
		func() { data, dataErr = stream(corev1.StreamTypeData) },
	)
	if err := cmp.Or(troubleErr, dataErr); err != nil {
		for _, half := range []httpstream.Stream{trouble, data} {
			if half != nil {
				f.connection.RemoveStreams(half)
			}
		}
		return nil, fmt.Errorf("open a stream: %w", err)
	}
	_ = trouble.Close() // nothing is written to it
	near, far := net.Pipe()
	conn := &streamConn{Conn: near, failed: make(chan struct{})}
	go conn.hear(trouble)
	go func() {
		_, _ = io.Copy(data, far) // the other direction tells how it ended
		_ = data.Close()
	}()
	go func() {
		_, _ = io.Copy(far, data) // near hears EOF, and hear tells why
		_ = far.Close()
		_ = data.Reset()
		f.connection.RemoveStreams(data, trouble)
	}()
	return conn, nil
}

// streamConn is a stream with deadlines (the pipe has them) and with the
// reason of the far end.
type streamConn struct {
	net.Conn
	failed chan struct{} // closed when the far end has said why, or nothing
	why    error
}

func (s *streamConn) hear(trouble io.Reader) {
	message, _ := io.ReadAll(io.LimitReader(trouble, maxOutput))
	s.why = forwardError(string(message))
	close(s.failed)
}

// Read tells the far end's reason instead of a bare EOF.
func (s *streamConn) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if n > 0 || !errors.Is(err, io.EOF) {
		return n, err
	}
	select {
	case <-s.failed:
		if s.why != nil {
			return 0, s.why
		}
	case <-time.After(reasonTimeout): // a kubelet that never says why
	}
	return n, err
}

// forwardError reads what the kubelet says about a port that it could not reach.
func forwardError(message string) error {
	message = strings.TrimSpace(message)
	switch {
	case message == "":
		return nil
	case strings.Contains(message, "refused"):
		return fmt.Errorf("dial in the pod: %w", syscall.ECONNREFUSED)
	}
	if at := strings.LastIndex(message, " : "); at >= 0 {
		message = message[at+3:]
	}
	return errors.New(message)
}
