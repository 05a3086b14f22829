package page

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"redis-session-bot/internal/incident"
)

// The headers of a signed request. A receiver makes Sign of its key, the
// timestamp and the body as it came, compares, and refuses what is older than
// some minutes. Idempotency-Key tells a request that is sent again.
const (
	HeaderTimestamp = "X-Redis-Session-Bot-Timestamp" // Unix seconds
	HeaderSignature = "X-Redis-Session-Bot-Signature" // v1=hex
	HeaderRequest   = "Idempotency-Key"
)

// Webhook posts a Notice to any address, signed.
type Webhook struct {
	URL    string
	Key    string // of the signature
	Sender *Sender
}

// Notice is the body of a Webhook's request.
type Notice struct {
	Event    string    `json:"event"` // page, acknowledge, resolve or respond
	Key      string    `json:"key"`   // the same for all that belongs to one incident
	Number   int       `json:"number"`
	Incident string    `json:"incident"`
	Runbook  string    `json:"runbook"`
	Target   string    `json:"target"`
	Severity string    `json:"severity"`
	Level    int       `json:"level,omitempty"`
	Who      string    `json:"who,omitempty"`
	By       string    `json:"by,omitempty"` // who asked or acknowledged; none: the clock
	At       time.Time `json:"at"`
	Since    time.Time `json:"since"`
	State    string    `json:"state"`
	Summary  string    `json:"summary"`
	Text     string    `json:"text,omitempty"`
	Impact   string    `json:"impact,omitempty"`
	Verdict  string    `json:"verdict"`
	Because  []string  `json:"because,omitempty"`
	Tried    []string  `json:"tried,omitempty"`
	Walker   string    `json:"walked_by,omitempty"`
	Thread   string    `json:"thread,omitempty"`
}

// Call implements incident.Pager.
func (w *Webhook) Call(ctx context.Context, s incident.Summons) (string, error) {
	body, err := encode(Notice{Event: string(s.Act), Key: s.Key, Number: s.Number, Incident: s.Incident, Runbook: s.Runbook, Target: s.Target.String(),
		Severity: severityOf(s.Severity), Level: s.Level, Who: s.Who, By: s.By.Name, At: s.At.UTC(), Since: s.Since.UTC(), State: s.State,
		Summary: incident.Cut(s.Summary, maxSummary), Text: incident.Cut(s.Text, 3*maxDetail), Impact: incident.Cut(s.Impact, maxDetail),
		Verdict: incident.Cut(s.Verdict, maxDetail), Because: few(s.Because, maxDetails, maxDetail), Tried: few(s.Tried, maxDetails, maxDetail), Walker: s.Walker, Thread: s.Link})
	if err != nil {
		return "", err
	}
	timestamp := strconv.FormatInt(w.Sender.Now().Unix(), 10)
	header := http.Header{}
	header.Set(HeaderTimestamp, timestamp)
	header.Set(HeaderSignature, Sign(w.Key, timestamp, body))
	header.Set(HeaderRequest, fmt.Sprintf("%s-%d", s.Key, s.Number))
	return "", w.Sender.post(ctx, w.URL, header, body, w.Key)
}

// Sign is v1= and the hex of HMAC-SHA256 over the timestamp, a dot and the body.
func Sign(key, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}
