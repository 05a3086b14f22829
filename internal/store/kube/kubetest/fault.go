package kubetest

import (
	"io"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Fault is what a real API server, or the network before it, does to a request.
type Fault int

// The faults.
const (
	None        Fault = iota
	LoseRequest       // it does not arrive, and the connection ends
	LoseAnswer        // it is carried out, and the connection ends
	Late              // the connection ends, and it is carried out a little later
	Silent            // it does not arrive, and nobody answers
	TooMany           // 429, with Retry-After
	Unavailable       // 503
	Timeout           // 504: the API server does not know itself
	Forbidden         // 403
)

// Break lets f choose the fault of each request from now on; nil for none.
func (s *Server) Break(f func(*http.Request) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

func (s *Server) fault(r *http.Request) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.faults == nil {
		return None
	}
	return s.faults(r)
}

// before does what happens instead of the request; false where it is carried out.
func (f Fault) before(w http.ResponseWriter, r *http.Request) bool {
	switch f {
	case LoseRequest:
		panic(http.ErrAbortHandler)
	case Silent:
		_, _ = io.Copy(io.Discard, r.Body) // only then it is seen that the client has left
		select {
		case <-r.Context().Done():
		case <-time.After(patience):
		}
	case TooMany:
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, "too many requests")
	case Unavailable:
		refuse(w, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "apiserver is shutting down")
	case Timeout:
		refuse(w, http.StatusGatewayTimeout, metav1.StatusReasonTimeout, "request did not complete within the allotted timeout")
	case Forbidden:
		refuse(w, http.StatusForbidden, metav1.StatusReasonForbidden, "configmaps is forbidden: User cannot do this")
	default:
		return false
	}
	return true
}
