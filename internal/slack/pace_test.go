package slack

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestDialsArePausedMoreAndMore(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	p := newPacer(nil, func() time.Time { return now })
	var pauses []time.Duration
	for range 12 {
		pause := p.delay()
		pauses = append(pauses, pause)
		now = now.Add(pause)
	}
	if pauses[0] != 0 || pauses[1] != 0 {
		t.Errorf("the first dials wait: %v", pauses[:2])
	}
	want := firstPause
	for i, pause := range pauses[quickDials:] {
		if pause < want || pause > want+want/4+1 {
			t.Errorf("pause %d is %v, want %v and at most a quarter more", i, pause, want)
		}
		want = min(2*want, longPause)
	}
	now = now.Add(stableAfter + time.Second)
	if pause := p.delay(); pause != 0 {
		t.Errorf("after a stable minute it waits %v", pause)
	}
}

func TestALimitedCallIsSentAgainWhenItMay(t *testing.T) {
	var calls atomic.Int32
	var early atomic.Bool
	var limited atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != "user=U1" {
			t.Errorf("body %q, %v", body, err)
		}
		if calls.Add(1) == 1 {
			limited.Store(time.Now().UnixNano())
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		early.Store(time.Since(time.Unix(0, limited.Load())) < time.Second)
	}))
	defer server.Close()
	client := &http.Client{Transport: newPacer(http.DefaultTransport, time.Now)}
	post := func(ctx context.Context, method string) int {
		t.Helper()
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/api/"+method, strings.NewReader("user=U1"))
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		if err := response.Body.Close(); err != nil {
			t.Fatal(err)
		}
		return response.StatusCode
	}
	if status := post(t.Context(), "users.info"); status != http.StatusOK || early.Load() || calls.Load() != 2 {
		t.Errorf("status %d after %d calls, early: %t", status, calls.Load(), early.Load())
	}

	// A caller without the time for it gets the answer, and one that draws anew does, too.
	calls.Store(0)
	short, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if status := post(short, "usergroups.list"); status != http.StatusTooManyRequests {
		t.Errorf("status %d, want 429", status)
	}
	calls.Store(0)
	if status := post(t.Context(), "chat.update"); status != http.StatusTooManyRequests {
		t.Errorf("status %d, want 429", status)
	}
}

func TestTheMemoryIsBounded(t *testing.T) {
	now := time.Unix(0, 0)
	m := newMemory(func() time.Time { return now })
	m.capacity = 3
	if !m.first("a") || m.first("a") || !m.first("") || !m.first("") {
		t.Error("a comes for the first time once, and nothing always does")
	}
	for _, id := range []string{"b", "c", "d"} {
		m.first(id)
	}
	if m.first("a") {
		t.Error("a is forgotten with the generation still there")
	}
	for range 2 {
		now = now.Add(remembered + time.Second)
		m.first("x")
	}
	if !m.first("b") || len(m.young)+len(m.old) > 2*m.capacity {
		t.Error("what is old is kept for ever")
	}
}
