package live

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Gate stands between the bot and the real API server and can lose a request,
// or its answer, as a network does.
type Gate struct {
	Kubeconfig string // leads through the gate

	mu     sync.Mutex
	lose   func(*http.Request) bool
	arrive bool
	lost   int
}

// NewGate opens a gate on loopback until the test ends.
func NewGate(t *testing.T, kubeconfig string) *Gate {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.NextProtos = []string{"http/1.1"} // HTTP/2 cannot hand a connection over
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	behind, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	g := &Gate{Kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	proxy := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(behind)
		r.Out.Header.Del("Authorization") // the transport has the way to prove who it is
	}, FlushInterval: -1}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.pass(w, r, proxy) }))
	server.TLS = &tls.Config{NextProtos: []string{"http/1.1"}} // exec and port-forward take the connection over
	server.StartTLS()
	t.Cleanup(server.Close)
	through := clientcmdapi.NewConfig()
	through.Clusters["gate"] = &clientcmdapi.Cluster{Server: server.URL,
		CertificateAuthorityData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})}
	through.Contexts["gate"] = &clientcmdapi.Context{Cluster: "gate"}
	through.CurrentContext = "gate"
	if err := clientcmd.WriteToFile(*through, g.Kubeconfig); err != nil {
		t.Fatal(err)
	}
	return g
}

// Lose loses every request that matches from now on: its answer where arrive
// is set, else the request itself.
func (g *Gate) Lose(arrive bool, matches func(*http.Request) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lose, g.arrive = matches, arrive
}

// Mend lets everything pass again, and says how many were lost.
func (g *Gate) Mend() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lose = nil
	return g.lost
}

func (g *Gate) pass(w http.ResponseWriter, r *http.Request, proxy http.Handler) {
	g.mu.Lock()
	lost := g.lose != nil && g.lose(r)
	arrive := g.arrive
	if lost {
		g.lost++
	}
	g.mu.Unlock()
	if !lost {
		proxy.ServeHTTP(w, r)
		return
	}
	if arrive {
		proxy.ServeHTTP(httptest.NewRecorder(), r.WithContext(context.WithoutCancel(r.Context())))
	}
	panic(http.ErrAbortHandler) // the connection ends without an answer
}

// IsWrite matches a request that changes that resource, and no dry run.
func IsWrite(method, resource string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return r.Method == method && strings.Contains(r.URL.Path, "/"+resource+"/") && r.URL.Query().Get("dryRun") == ""
	}
}
