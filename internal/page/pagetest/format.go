package pagetest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// object is a JSON object that is being held against a format.
type object struct {
	is    map[string]any
	wrong *[]string
	where string
}

func parse(body []byte, wrong *[]string) object {
	o := object{is: map[string]any{}, wrong: wrong}
	if !utf8.Valid(body) {
		o.complain("it is no UTF-8")
	}
	if err := json.Unmarshal(body, &o.is); err != nil {
		o.complain("it is no JSON object: %v", err)
	}
	return o
}

func (o object) complain(format string, args ...any) {
	*o.wrong = append(*o.wrong, o.where+fmt.Sprintf(format, args...))
}

// only refuses keys that the format does not have.
func (o object) only(keys ...string) {
	for key := range o.is {
		if !slices.Contains(keys, key) {
			o.complain("%q is no key", key)
		}
	}
}

// text is a string of at most so many characters; most < 0 lets it be missing.
func (o object) text(key string, most int) string {
	value, there := o.is[key]
	text, ok := value.(string)
	switch limit := max(most, -most); {
	case !there && most < 0:
	case !ok || text == "":
		o.complain("%q must be a text", key)
	case utf8.RuneCountInString(text) > limit:
		o.complain("%q has more than %d characters", key, limit)
	}
	return text
}

func (o object) oneOf(key string, values ...string) string {
	text, _ := o.is[key].(string)
	if !slices.Contains(values, text) {
		o.complain("%q is %q, not one of %s", key, text, strings.Join(values, ", "))
	}
	return text
}

func (o object) in(key string) object {
	is, ok := o.is[key].(map[string]any)
	if !ok {
		o.complain("%q must be an object", key)
	}
	return object{is, o.wrong, o.where + key + "."}
}

func (o object) each(key string) []object {
	list, ok := o.is[key].([]any)
	if _, there := o.is[key]; there && !ok {
		o.complain("%q must be a list", key)
	}
	var all []object
	for n, item := range list {
		is, ok := item.(map[string]any)
		if !ok {
			o.complain("%q must hold objects", key)
		}
		all = append(all, object{is, o.wrong, fmt.Sprintf("%s%s[%d].", o.where, key, n)})
	}
	return all
}

func (o object) address(key string) {
	if parsed, err := url.Parse(o.text(key, 10_000)); err != nil || parsed.Scheme != "https" && parsed.Scheme != "http" || parsed.Host == "" {
		o.complain("%q is no address", key)
	}
}

func (o object) moment(key string) {
	if _, err := time.Parse(time.RFC3339, o.text(key, 100)); err != nil {
		o.complain("%q is no time: %v", key, err)
	}
}

// maxEvent is the largest event that PagerDuty takes.
const maxEvent = 512 << 10

// PagerDuty is the Events API v2, for one integration. Its URL is that of the
// enqueue call. The format is of
// https://developer.pagerduty.com/docs/events-api-v2/trigger-events/ and of
// https://github.com/PagerDuty/api-schema (reference/events-v2).
func PagerDuty(routingKey string) *End {
	e := start(http.StatusAccepted, func(r *http.Request, body []byte) (Told, []string) {
		var wrong []string
		o := parse(body, &wrong)
		if r.URL.Path != "/v2/enqueue" || len(body) > maxEvent {
			o.complain("%s, %d bytes", r.URL.Path, len(body))
		}
		o.only("routing_key", "event_action", "dedup_key", "client", "client_url", "links", "images", "payload")
		if key := o.text("routing_key", 32); len(key) != 32 {
			o.complain("Length of 'routing_key' is incorrect (should be 32 characters)")
		} else if key != routingKey {
			o.complain("the routing key is not known")
		}
		told := Told{Act: o.oneOf("event_action", "trigger", "acknowledge", "resolve"), Key: o.text("dedup_key", 255), Body: o.is}
		if told.Act == "trigger" {
			told.Text = pagerDutyPayload(o)
		}
		return told, wrong
	})
	e.URL += "/v2/enqueue"
	return e
}

func pagerDutyPayload(o object) string {
	p := o.in("payload")
	p.only("summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details")
	p.text("source", 1024)
	p.oneOf("severity", "critical", "error", "warning", "info")
	p.moment("timestamp")
	p.in("custom_details")
	if _, there := o.is["client_url"]; there {
		o.address("client_url")
	}
	for _, link := range o.each("links") {
		link.only("href", "text")
		link.address("href")
		link.text("text", 1024)
	}
	return p.text("summary", 1024)
}

// Opsgenie is the Alert API. The format is of
// https://docs.opsgenie.com/docs/alert-api.
func Opsgenie(key string) *End {
	return start(http.StatusAccepted, func(r *http.Request, body []byte) (Told, []string) {
		var wrong []string
		o := parse(body, &wrong)
		if r.Header.Get("Authorization") != "GenieKey "+key {
			o.complain("Could not authenticate")
		}
		if r.URL.Path == "/v2/alerts" {
			return Told{Act: "trigger", Key: o.text("alias", 512), Text: opsgenieAlert(o), Body: o.is}, wrong
		}
		parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v2/alerts/"), "/")
		if len(parts) != 2 || r.URL.Query().Get("identifierType") != "alias" {
			o.complain("there is no call %s", r.URL)
			return Told{}, wrong
		}
		o.only("user", "source", "note")
		o.text("user", -100)
		o.text("source", -100)
		o.text("note", -25_000)
		acts := map[string]string{"acknowledge": "acknowledge", "close": "resolve"}
		if acts[parts[1]] == "" {
			o.complain("there is no call %s", r.URL)
		}
		return Told{Act: acts[parts[1]], Key: parts[0], Body: o.is}, wrong
	})
}

func opsgenieAlert(o object) string {
	o.only("message", "alias", "description", "responders", "visibleTo", "actions", "tags", "details", "entity", "source", "priority", "user", "note")
	o.text("description", -15_000)
	o.text("entity", -512)
	o.text("source", -100)
	o.oneOf("priority", "P1", "P2", "P3", "P4", "P5")
	for _, responder := range o.each("responders") {
		responder.only("type", "id", "name", "username")
		if kind := responder.oneOf("type", "team", "user", "escalation", "schedule"); kind == "user" {
			responder.text("username", 100)
		} else {
			responder.text("name", 100)
		}
	}
	length := 0
	properties := o.in("details")
	for key := range properties.is {
		length += utf8.RuneCountInString(key) + utf8.RuneCountInString(properties.text(key, 8000))
	}
	if length > 8000 {
		properties.complain("%d characters", length)
	}
	return o.text("message", 130)
}

// Webhook checks the signature as docs/paging.md tells a receiver to, and
// refuses what is older than five minutes.
func Webhook(key string) *End {
	acts := map[string]string{"page": "trigger", "respond": "trigger", "acknowledge": "acknowledge", "resolve": "resolve"}
	return start(http.StatusOK, func(r *http.Request, body []byte) (Told, []string) {
		var wrong []string
		o := parse(body, &wrong)
		timestamp := r.Header.Get("X-Redis-Session-Bot-Timestamp")
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(timestamp + "." + string(body)))
		if !hmac.Equal([]byte(r.Header.Get("X-Redis-Session-Bot-Signature")), []byte("v1="+hex.EncodeToString(mac.Sum(nil)))) {
			o.complain("the signature is not right")
		}
		if seconds, err := strconv.ParseInt(timestamp, 10, 64); err != nil || time.Since(time.Unix(seconds, 0)).Abs() > 5*time.Minute {
			o.complain("the timestamp is %q", timestamp)
		}
		if r.Header.Get("Idempotency-Key") == "" {
			o.complain("it has no Idempotency-Key")
		}
		o.oneOf("event", "page", "respond", "acknowledge", "resolve")
		event, _ := o.is["event"].(string)
		o.moment("at")
		o.moment("since")
		return Told{Act: acts[event], Key: o.text("key", 255), Text: o.text("summary", 1024), Body: o.is}, wrong
	})
}
