package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// far serves the API server over TCP with a delay added to each round trip,
// the one that opens a connection included. TLS passes through. It returns a
// kubeconfig that goes this way; the proxy ends with ctx.
func (b *bench) far(ctx context.Context, delay time.Duration) (string, error) {
	config, err := clientcmd.LoadFromFile(b.kubeconfig)
	if err != nil {
		return "", fmt.Errorf("read the kubeconfig: %w", err)
	}
	server := config.Clusters[config.Contexts[config.CurrentContext].Cluster]
	address, err := url.Parse(server.Server)
	if err != nil {
		return "", fmt.Errorf("read the API server's address: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen for the API server: %w", err)
	}
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return // the listener is closed
			}
			go carry(near, address.Host, delay)
		}
	}()
	server.Server, server.TLSServerName = "https://"+listener.Addr().String(), address.Hostname()
	file := filepath.Join(b.folder, fmt.Sprintf("far-%d", delay.Milliseconds()))
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		return "", fmt.Errorf("write a kubeconfig: %w", err)
	}
	return file, nil
}

// carry joins two connections until both directions have ended.
func carry(near net.Conn, address string, delay time.Duration) {
	defer near.Close()
	time.Sleep(delay) // the handshake of TCP is a round trip, too
	far, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer far.Close()
	done := make(chan struct{}, 2)
	go func() { late(far, near, delay/2); done <- struct{}{} }()
	go func() { late(near, far, delay/2); done <- struct{}{} }()
	<-done
	<-done
}

// inFlight is how many chunks one direction holds while they are on their way.
const inFlight = 1024

// late copies with a delay, and no less per second for it.
func late(to, from net.Conn, delay time.Duration) {
	type chunk struct {
		data []byte
		due  time.Time
	}
	chunks := make(chan chunk, inFlight)
	go func() {
		defer close(chunks)
		for {
			data := make([]byte, 32<<10)
			n, err := from.Read(data)
			if n > 0 {
				chunks <- chunk{data[:n], time.Now().Add(delay)}
			}
			if err != nil {
				return
			}
		}
	}()
	for c := range chunks {
		time.Sleep(time.Until(c.due))
		if _, err := to.Write(c.data); err != nil {
			_ = from.Close() // ends the reader above
		}
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// counter is the API server behind a proxy that counts requests.
type counter struct {
	kubeconfig string
	requests   atomic.Int64
	server     *httptest.Server
}

// counted starts a counting proxy. Close it.
func (b *bench) counted() (*counter, error) {
	config, err := clientcmd.BuildConfigFromFlags("", b.kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	config.NextProtos = []string{"http/1.1"} // exec and port-forward upgrade the connection
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, fmt.Errorf("open the API server: %w", err)
	}
	target, err := url.Parse(config.Host)
	if err != nil {
		return nil, fmt.Errorf("read the API server's address: %w", err)
	}
	proxy := &httputil.ReverseProxy{Transport: transport, FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			if !errors.Is(err, context.Canceled) {
				note("counting proxy: %v", err)
			}
			w.WriteHeader(http.StatusBadGateway)
		}}
	c := &counter{kubeconfig: filepath.Join(b.folder, "counted")}
	c.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.requests.Add(1)
		proxy.ServeHTTP(w, r)
	}))
	file, err := clientcmd.LoadFromFile(b.kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	cluster := file.Clusters[file.Contexts[file.CurrentContext].Cluster]
	cluster.Server, cluster.CertificateAuthorityData, cluster.CertificateAuthority = c.server.URL, nil, ""
	if err := clientcmd.WriteToFile(*file, c.kubeconfig); err != nil {
		return nil, fmt.Errorf("write a kubeconfig: %w", err)
	}
	return c, nil
}

// requests counts those of one diagnosis.
func (b *bench) requests(ctx context.Context, namespace string) (int64, error) {
	c, err := b.counted()
	if err != nil {
		return 0, err
	}
	defer c.server.Close()
	_, err = b.diagnose(ctx, c.kubeconfig, namespace)
	return c.requests.Load(), err
}
