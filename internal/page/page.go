// Package page tells receivers outside of the chat that somebody is needed:
// PagerDuty, Opsgenie, and any webhook.
//
// It owns their request formats and their limits, and how often a request is
// sent again. It decides nothing: whether, when and whom is package incident's.
// Keys and addresses never get into an error.
package page

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/redact"
)

// client names the bot to receivers.
const client = "redis-session-bot"

// The bounds of one request.
const (
	tryWithin  = 10 * time.Second // one try
	tries      = 4                // at the most
	firstPause = 500 * time.Millisecond
	mostPause  = 8 * time.Second
	maxAnswer  = 4 << 10
)

// Sender sends requests to one receiver. What may pass by itself is tried
// again: no answer, 429 and 5xx, after the pause that the receiver asks for.
// Any other 4xx is final.
type Sender struct {
	Now       func() time.Time
	Transport http.RoundTripper // nil: the default one
	Pause     time.Duration     // before the second try; 0: half a second. It doubles.

	mu    sync.Mutex
	until time.Time // the receiver wants nothing before
}

// post sends one JSON body until it is taken or ctx is over.
func (s *Sender) post(ctx context.Context, address string, header http.Header, body []byte, secrets ...string) error {
	words := redact.New(append(secrets, address)...)
	if until := s.heldUntil(); s.Now().Before(until) {
		return notTaken("asks for a pause until %s", until.UTC().Format("15:04:05 UTC"))
	}
	request, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, address, body)
	if err != nil {
		return notTaken("the address is none")
	}
	request.Header = header
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", client)
	heard := 0
	again := retryablehttp.Client{
		HTTPClient: &http.Client{Transport: s.Transport, Timeout: tryWithin, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		RetryMax:   tries - 1, RetryWaitMin: s.pause(), RetryWaitMax: mostPause,
		Backoff: retryablehttp.DefaultBackoff, ErrorHandler: retryablehttp.PassthroughErrorHandler,
		CheckRetry: func(ctx context.Context, response *http.Response, err error) (bool, error) {
			if response != nil {
				heard = response.StatusCode
			}
			retry, _ := retryablehttp.DefaultRetryPolicy(ctx, response, err) // it tells of a 5xx as an error, too
			return retry && s.inTime(ctx, response), nil
		},
	}
	response, err := again.Do(request)
	if response == nil {
		return unanswered(ctx, err, heard, words)
	}
	defer func() { _ = response.Body.Close() }() // the answer is read
	said, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return judge(response, said, words)
}

func (s *Sender) pause() time.Duration {
	if s.Pause > 0 {
		return s.Pause
	}
	return firstPause
}

func (s *Sender) heldUntil() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.until
}

// inTime reports whether the pause that a receiver asks for ends before ctx
// does. Where it does not, nothing is sent until it is over.
func (s *Sender) inTime(ctx context.Context, response *http.Response) bool {
	wait := retryablehttp.DefaultBackoff(0, 0, 0, response)
	deadline, bounded := ctx.Deadline()
	if wait == 0 || bounded && wait < time.Until(deadline) {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = s.Now().Add(wait)
	return false
}

// judge says whether an answer means that the receiver has taken it.
func judge(response *http.Response, said []byte, words *redact.Redactor) error {
	status := fmt.Sprintf("%d %s", response.StatusCode, http.StatusText(response.StatusCode))
	if message := messageOf(said); message != "" {
		status += ": " + words.Text(message)
	}
	switch {
	case response.StatusCode >= 200 && response.StatusCode < 300:
		return nil
	case response.StatusCode >= 500:
		return maybe(fmt.Errorf("it answers %s", status))
	}
	return notTaken("it answers %s", status)
}

// messageOf is what an answer says in words.
func messageOf(said []byte) string {
	var answer struct {
		Message string   `json:"message"`
		Errors  []string `json:"errors"`
	}
	if json.Unmarshal(said, &answer) != nil {
		return ""
	}
	message := answer.Message
	for _, one := range answer.Errors {
		message += "; " + one
	}
	return incident.Line(message, 200)
}

// unanswered says why there was no answer, without the address.
func unanswered(ctx context.Context, err error, heard int, words *redact.Redactor) error {
	var asked *url.Error
	if errors.As(err, &asked) {
		err = asked.Err
	}
	var dialed *net.OpError
	var timeout net.Error
	switch {
	case heard > 0:
		return maybe(fmt.Errorf("it answers %d %s, and its time is over", heard, http.StatusText(heard)))
	case ctx.Err() != nil, errors.As(err, &timeout) && timeout.Timeout():
		return maybe(errors.New("no answer in time"))
	case errors.As(err, &dialed) && dialed.Op == "dial":
		return notTaken("no connection: %s", words.Text(err.Error()))
	}
	return maybe(errors.New(words.Text(err.Error())))
}

// notTaken is the error of a call that the receiver certainly has not got.
func notTaken(format string, args ...any) error {
	return &incident.Refusal{Says: fmt.Sprintf(format, args...), Err: incident.ErrNotTaken}
}

// maybe is the error of a call that may have arrived.
func maybe(err error) error { return &incident.Refusal{Says: err.Error(), Err: err} }

// encode writes JSON as receivers read it: < and & as they are.
func encode(value any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, fmt.Errorf("encode a call: %w", err)
	}
	return bytes.TrimSpace(buffer.Bytes()), nil
}

// few gives the first lines of a list, each cut.
func few(lines []string, most, runes int) []string {
	var kept []string
	for _, line := range lines[:min(len(lines), most)] {
		kept = append(kept, incident.Cut(line, runes))
	}
	return kept
}

// isWeb reports whether an address may be linked to.
func isWeb(address string) bool {
	parsed, err := url.Parse(address)
	return err == nil && parsed.Host != "" && (parsed.Scheme == "https" || parsed.Scheme == "http")
}
