package live

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Gate stands between the bot and the real API server and can lose a request,
// or its answer, as a network does. It keeps what has changed something.
type Gate struct {
	Kubeconfig string // leads through the gate

	mu      sync.Mutex
	lose    func(*http.Request) bool
	arrive  bool
	falls   bool          // what comes after a loss is lost, too
	held    chan struct{} // closed when a request is held; nil: it is cut off at once
	lost    int
	changed []string
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
	}, FlushInterval: -1, ModifyResponse: g.keep}
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
	g.set(arrive, false, nil, matches)
}

// Fall loses the first request that matches, as Lose does, and from then on
// everything: the API server is gone until Mend.
func (g *Gate) Fall(arrive bool, matches func(*http.Request) bool) { g.set(arrive, true, nil, matches) }

// Down loses everything from now on.
func (g *Gate) Down() { g.Lose(false, func(*http.Request) bool { return true }) }

// Hold lets the requests that match arrive, and keeps the client waiting for the
// answer until it goes away. The channel is closed once one waits.
func (g *Gate) Hold(matches func(*http.Request) bool) <-chan struct{} {
	held := make(chan struct{})
	g.set(true, false, held, matches)
	return held
}

func (g *Gate) set(arrive, falls bool, held chan struct{}, matches func(*http.Request) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lose, g.arrive, g.falls, g.held = matches, arrive, falls, held
}

// Mend lets everything pass again, and says how many requests were lost that
// would have changed something.
func (g *Gate) Mend() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	lost := g.lost
	g.lose, g.lost = nil, 0
	return lost
}

// Changed gives what has changed something in the cluster since it was asked
// last, in order: "PUT configmaps/name", "POST pods/name".
func (g *Gate) Changed() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	changed := g.changed
	g.changed = nil
	return changed
}

// keep remembers what has changed something. What was created has its name in
// the answer alone.
func (g *Gate) keep(response *http.Response) error {
	what := Change(response.Request)
	if what == "" || response.StatusCode >= 300 {
		return nil
	}
	if response.Request.Method == http.MethodPost {
		body, err := io.ReadAll(response.Body)
		if err != nil {
			return err
		}
		response.Body = io.NopCloser(bytes.NewReader(body))
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil) // JSON or protobuf
		if err != nil {
			return err
		}
		made, err := meta.Accessor(object)
		if err != nil {
			return err
		}
		what += "/" + made.GetName()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.changed = append(g.changed, what)
	return nil
}

func (g *Gate) pass(w http.ResponseWriter, r *http.Request, proxy http.Handler) {
	g.mu.Lock()
	lost := g.lose != nil && g.lose(r)
	arrive, held := g.arrive, g.held
	if lost && Change(r) != "" {
		g.lost++
	}
	if lost && g.falls {
		g.lose, g.arrive, g.falls = func(*http.Request) bool { return true }, false, false
	}
	if lost {
		g.held = nil // the next one is cut off
	}
	g.mu.Unlock()
	if !lost {
		proxy.ServeHTTP(w, r)
		return
	}
	if arrive {
		proxy.ServeHTTP(httptest.NewRecorder(), r.WithContext(context.WithoutCancel(r.Context())))
	}
	if held != nil {
		close(held)
		<-r.Context().Done()
	}
	panic(http.ErrAbortHandler) // the connection ends without an answer
}

// Change says what a request changes: its method, and the resource with the name
// of the object; "" for one that changes nothing, such as a dry run, a stream, or
// a question about a permission. An Event changes nothing that anybody runs.
func Change(r *http.Request) string {
	if r.Method == http.MethodGet || r.URL.Query().Get("dryRun") != "" {
		return ""
	}
	_, path, _ := strings.Cut(r.URL.Path, "/namespaces/")
	words := strings.Split(path, "/")
	if len(words) < 2 || len(words) > 3 || words[1] == "events" {
		return ""
	}
	return r.Method + " " + strings.Join(words[1:], "/")
}

// IsWrite matches a request that changes that resource, and no dry run.
func IsWrite(method, resource string) func(*http.Request) bool {
	return func(r *http.Request) bool { return strings.HasPrefix(Change(r), method+" "+resource+"/") }
}
