package telemetry

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// readyWithin bounds all the questions of one look at /readyz.
const readyWithin = 5 * time.Second

// Condition is one thing that must hold for the bot to be ready.
type Condition struct {
	Name string
	// Holds is nil, or an error whose text is fit for everybody who reaches the address.
	Holds func(ctx context.Context) error
}

// Healthy answers that the process serves at all.
func Healthy() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n")) // whoever asked has gone
	})
}

// Ready answers 200 when every condition holds, else 503, with each by name.
func Ready(conditions []Condition) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
		defer cancel()
		var mu sync.Mutex
		var all sync.WaitGroup
		answers, code := map[string]string{}, http.StatusOK
		for _, condition := range conditions {
			all.Go(func() {
				err := condition.Holds(ctx)
				mu.Lock()
				defer mu.Unlock()
				answers[condition.Name] = "ok"
				if err != nil {
					answers[condition.Name], code = err.Error(), http.StatusServiceUnavailable
				}
			})
		}
		all.Wait()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(answers) // whoever asked has gone
	})
}
