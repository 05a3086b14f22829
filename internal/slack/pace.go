package slack

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// pacer slows the calls of apps.connections.open down: slack-go dials again
// without any pause whenever a connection ends, thousands of times a second
// when Slack ends each at once. Every dial begins with that call.
type pacer struct {
	next http.RoundTripper
	now  func() time.Time

	mu    sync.Mutex
	last  time.Time     // when a dial was let through
	pause time.Duration // before the next one
	quick int           // dials that may still follow at once
}

const (
	firstPause  = time.Second
	longPause   = time.Minute
	quickDials  = 2
	stableAfter = time.Minute
)

func newPacer(next http.RoundTripper, now func() time.Time) *pacer {
	return &pacer{next: next, now: now, quick: quickDials}
}

// RoundTrip lets everything but a dial through at once.
func (p *pacer) RoundTrip(request *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(request.URL.Path, "apps.connections.open") {
		return p.next.RoundTrip(request)
	}
	if err := p.wait(request.Context()); err != nil {
		return nil, err
	}
	return p.next.RoundTrip(request)
}

// wait holds a dial back for as long as it should.
func (p *pacer) wait(ctx context.Context) error {
	timer := time.NewTimer(p.delay())
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// delay decides how long a dial waits: not at all for the first ones and
// after a stable minute, then a growing pause with some chance in it.
func (p *pacer) delay() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if p.last.IsZero() || now.Sub(p.last) > stableAfter {
		p.quick, p.pause = quickDials, 0
	}
	p.last = now
	if p.quick > 0 {
		p.quick--
		return 0
	}
	p.pause = min(max(2*p.pause, firstPause), longPause)
	wait := p.pause + time.Duration(rand.Int64N(int64(p.pause/4)+1))
	p.last = now.Add(wait)
	return wait
}
