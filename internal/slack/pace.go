package slack

import (
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"path"
	"strconv"
	"sync"
	"time"
)

// pacer is the way to the Web API. It does what slack-go leaves out: it slows
// dialing down, and holds a method back for as long as Slack asks for.
//
// slack-go dials again without any pause whenever a connection ends,
// thousands of times a second when Slack ends each at once. Every dial begins
// with a call of apps.connections.open, so that is where it waits.
type pacer struct {
	next http.RoundTripper
	now  func() time.Time

	mu    sync.Mutex
	last  time.Time            // when a dial was let through
	pause time.Duration        // before the next one
	quick int                  // dials that may still follow at once
	held  map[string]time.Time // until when Slack wants no call of a method
}

const (
	dialMethod  = "apps.connections.open"
	firstPause  = time.Second
	longPause   = time.Minute
	quickDials  = 2
	stableAfter = time.Minute
	callWithin  = 30 * time.Second // one try; pauses do not count
	longestHold = 5 * time.Minute  // whatever Slack says
)

func newPacer(next http.RoundTripper, now func() time.Time) *pacer {
	return &pacer{next: next, now: now, quick: quickDials, held: map[string]time.Time{}}
}

// drawnAnew reports whether a method is not repeated here after a 429: what it
// would show may be old by then. Its caller draws it anew.
func drawnAnew(method string) bool { return method == "chat.postMessage" || method == "chat.update" }

// RoundTrip sends one call, after the pauses that are due. A call that was
// limited has done nothing, so it is sent again once Slack allows it.
func (p *pacer) RoundTrip(request *http.Request) (*http.Response, error) {
	method := path.Base(request.URL.Path)
	if method == dialMethod {
		if err := wait(request.Context(), p.delay()); err != nil {
			return nil, err
		}
	}
	for {
		if err := wait(request.Context(), p.hold(method)); err != nil {
			return nil, err
		}
		response, err := p.try(request)
		if err != nil || response.StatusCode != http.StatusTooManyRequests {
			return response, err
		}
		p.limit(method, retryAfter(response))
		again, ok := replay(request)
		if !ok || drawnAnew(method) {
			return response, nil
		}
		if deadline, set := request.Context().Deadline(); set && p.now().Add(p.hold(method)).After(deadline) {
			return response, nil
		}
		if err := response.Body.Close(); err != nil {
			return nil, err
		}
		request = again
	}
}

// replay is the same request once more; false when its body is used up.
func replay(request *http.Request) (*http.Request, bool) {
	again := request.Clone(request.Context())
	if request.Body == nil || request.Body == http.NoBody {
		return again, true
	}
	if request.GetBody == nil {
		return nil, false
	}
	body, err := request.GetBody()
	if err != nil {
		return nil, false
	}
	again.Body = body
	return again, true
}

// try sends a request once, within its own time: the client's would count
// the pauses, too.
func (p *pacer) try(request *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(request.Context(), callWithin)
	response, err := p.next.RoundTrip(request.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	response.Body = body{response.Body, cancel}
	return response, nil
}

// body ends the time of a call when its answer has been read.
type body struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b body) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// retryAfter is the pause that Slack asks for; a second when it names none.
func retryAfter(response *http.Response) time.Duration {
	seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
	if err != nil || seconds < 1 {
		seconds = 1
	}
	return min(time.Duration(seconds)*time.Second, longestHold)
}

func (p *pacer) limit(method string, pause time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[method] = p.now().Add(pause)
}

// hold is how long no call of a method may be sent.
func (p *pacer) hold(method string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	until, held := p.held[method]
	if !held {
		return 0
	}
	left := until.Sub(p.now())
	if left <= 0 {
		delete(p.held, method)
	}
	return left
}

// wait waits; it ends early, with an error, when ctx does.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
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
	due := p.pause + time.Duration(rand.Int64N(int64(p.pause/4)+1))
	p.last = now.Add(due)
	return due
}
