package slacktest

import (
	"fmt"
	"math"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// perMinute are the calls a minute of each tier, per method and workspace. "t5" stands in the reference for methods with
// a tier of their own; several hundred a minute are told of all of them.
var perMinute = map[string]int{"t1": 1, "t2": 20, "t3": 50, "t4": 100, "t5": 300}

// quota is one token bucket, and the gate that a 429 closes until Retry-After is over.
type quota struct {
	bucket    *rate.Limiter
	refusedAt time.Time
	until     time.Time
}

// admit spends a call of a method. It answers how long to wait when there is none left. The caller holds w.mu.
func (w *Workspace) admit(name string, m method, args arguments) time.Duration {
	if w.opts.Limits.NoRates {
		return 0
	}
	tier := perMinute[m.Tier]
	wait := w.take(name, rate.Limit(float64(tier)/60), tier, true)
	if wait == 0 && name == "chat.postMessage" {
		channel := args.text("channel")
		if r := w.room(channel); r != nil {
			channel = r.ID // one channel, by whichever name
		}
		wait = w.take(name+" in "+channel, rate.Every(w.opts.Limits.PostEvery), w.opts.Limits.PostBurst, true)
	}
	return wait
}

// take spends one token of a bucket, or closes the bucket's gate for whole seconds. Without spend only the gate counts.
func (w *Workspace) take(key string, limit rate.Limit, burst int, spend bool) time.Duration {
	now := w.now()
	q := w.quotas[key]
	if q == nil {
		q = &quota{bucket: rate.NewLimiter(limit, burst)}
		w.quotas[key] = q
	}
	if left := q.until.Sub(now); left > 0 {
		if now.Sub(q.refusedAt) > w.opts.Limits.RetryGrace {
			w.breach(RateIgnored, "%s was called %s before its Retry-After was over", strings.TrimPrefix(key, faultOf), left.Round(time.Millisecond))
		}
		return left
	}
	if !spend || q.bucket.AllowN(now, 1) {
		return 0
	}
	r := q.bucket.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	r.CancelAt(now)
	q.close(now, wait)
	return wait
}

func (q *quota) close(now time.Time, wait time.Duration) {
	q.refusedAt, q.until = now, now.Add(time.Duration(wholeSeconds(wait))*time.Second)
}

// wholeSeconds is a wait as Retry-After tells it: an integer, never too short.
func wholeSeconds(d time.Duration) int {
	return max(1, int(math.Ceil(d.Seconds())))
}

func tooMany(wait time.Duration) *refusal {
	return &refusal{code: "ratelimited", status: 429, retryAfter: wholeSeconds(wait), detail: fmt.Sprintf("retry after %s", wait)}
}
