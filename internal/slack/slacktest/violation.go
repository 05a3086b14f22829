package slacktest

import (
	"fmt"
	"time"
)

// Violation is one breach of Slack's rules by the app.
type Violation struct {
	At     time.Time `json:"at"`
	Kind   string    `json:"kind"`
	Detail string    `json:"detail"`
}

// The kinds of violations.
const (
	AckMissing     = "ack_missing"        // no acknowledgement in time
	AckLate        = "ack_late"           // one that came, after its time
	AckTooLarge    = "ack_too_large"      // 20,480 bytes or more
	AckUnknown     = "ack_unknown"        // for an envelope that was never sent
	AckBad         = "ack_bad"            // no JSON, or an answer that Slack does not take there
	PayloadRefused = "payload_refused"    // a call's arguments, blocks or text
	RateIgnored    = "rate_limit_ignored" // a call before Retry-After is over
	RedialTooFast  = "redial_too_fast"    // connections opened faster than sane
	MethodUnknown  = "unknown_method"
	TokenMisplaced = "token_misplaced" // in the query, in the wrong place, or of the wrong kind
	ScopeMissing   = "missing_scope"
	ThreadMisused  = "thread_ts_is_reply" // a reply's ts used as a thread
	UploadWrong    = "upload_wrong"       // bytes that are not those announced
	ReplyMisused   = "response_url_misused"
)

// breach records a violation. The caller holds w.mu.
func (w *Workspace) breach(kind, format string, args ...any) {
	w.violations = append(w.violations, Violation{At: w.now().UTC(), Kind: kind, Detail: fmt.Sprintf(format, args...)})
}

// Violations are the app's breaches since the start, oldest first.
func (w *Workspace) Violations() []Violation {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Violation{}, w.violations...)
}
