package slacktest_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"redis-session-bot/internal/slack/slacktest"
)

// short are Slack's waits, cut down for tests that wait for them.
func short() slacktest.Limits {
	return slacktest.Limits{
		AckWithin: 300 * time.Millisecond, RedeliverAfter: 400 * time.Millisecond, PingEvery: 50 * time.Millisecond,
		WarnAhead: 200 * time.Millisecond, DialEvery: time.Minute,
	}
}

// frame is what comes over a bare connection.
type frame struct {
	Type           string          `json:"type"`
	Reason         string          `json:"reason"`
	EnvelopeID     string          `json:"envelope_id"`
	NumConnections int             `json:"num_connections"`
	Takes          bool            `json:"accepts_response_payload"`
	RetryAttempt   int             `json:"retry_attempt"`
	RetryReason    string          `json:"retry_reason"`
	Payload        json.RawMessage `json:"payload"`
}

// wire is a bare Socket Mode connection, for what no client would do.
type wire struct {
	*websocket.Conn
	t *testing.T
}

func address(t *testing.T, w *slacktest.Workspace) string {
	t.Helper()
	out, _ := send(t, w, "apps.connections.open", "", "", w.Ready().AppToken)
	address, ok := out["url"].(string)
	if !ok {
		t.Fatalf("apps.connections.open: %v", out)
	}
	return address
}

func connect(t *testing.T, w *slacktest.Workspace) *wire {
	t.Helper()
	conn, resp, err := websocket.DefaultDialer.DialContext(t.Context(), address(t, w), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	t.Cleanup(func() { conn.Close() })
	return &wire{conn, t}
}

func (w *wire) read() frame {
	w.t.Helper()
	if err := w.SetReadDeadline(time.Now().Add(patience)); err != nil {
		w.t.Fatal(err)
	}
	var f frame
	if err := w.ReadJSON(&f); err != nil {
		w.t.Fatal(err)
	}
	return f
}

func (w *wire) ack(id string, payload any) {
	w.t.Helper()
	if err := w.WriteJSON(M{"envelope_id": id, "payload": payload}); err != nil {
		w.t.Fatal(err)
	}
}

// command types a slash command, and hands over the answer when it comes.
func command(t *testing.T, w *slacktest.Workspace) <-chan slacktest.Result {
	t.Helper()
	out := make(chan slacktest.Result, 1)
	go func() {
		out <- w.Command(slacktest.TypedCommand{User: "U_MEMBER", Channel: "C_INC", Command: "/redis-session", Text: "status"})
	}()
	return out
}

func TestAcknowledgements(t *testing.T) {
	for name, c := range map[string]struct {
		payload any
		want    string // error
		breach  string
		shows   string // text that the channel then shows to the user
		public  bool
	}{
		"empty":               {},
		"an empty object":     {payload: M{}},
		"text":                {payload: M{"text": "working"}, shows: "working"},
		"text for all":        {payload: M{"text": "working", "response_type": "in_channel"}, shows: "working", public: true},
		"blocks that are bad": {payload: M{"blocks": []M{{"type": "section"}}}, want: "dispatch_unknown_error", breach: slacktest.AckBad},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, slacktest.Options{})
			app := connect(t, w)
			app.read()
			result := command(t, w)
			f := app.read()
			if f.Type != "slash_commands" || !f.Takes {
				t.Errorf("envelope: %+v", f)
			}
			app.ack(f.EnvelopeID, c.payload)
			if got := <-result; got.Error != c.want || got.OK != (c.want == "") {
				t.Errorf("got %+v, want the error %q", got, c.want)
			}
			if c.breach != "" {
				violated(t, w, c.breach)
			} else {
				noViolations(t, w)
			}
			for user, sees := range map[string]bool{"U_MEMBER": c.shows != "", "U_SECOND": c.public} {
				messages, err := w.Messages(user, "C_INC", "")
				if err != nil || (len(messages) == 1) != sees {
					t.Errorf("%s sees %v, %v", user, messages, err)
				}
				if len(messages) == 1 && messages[0]["text"] != c.shows {
					t.Errorf("%s sees %v", user, messages)
				}
			}
		})
	}
}

func TestNoAcknowledgement(t *testing.T) {
	w := start(t, slacktest.Options{Limits: short()})
	app := connect(t, w)
	app.read()
	result := command(t, w)
	first := app.read()
	if got := <-result; got.OK || got.Error != "operation_timeout" || got.AckMs < 300 {
		t.Errorf("got %+v", got)
	}
	violated(t, w, slacktest.AckMissing)
	for attempt := 1; attempt <= 3; attempt++ {
		again := app.read()
		if again.EnvelopeID != first.EnvelopeID || again.RetryAttempt != attempt || again.RetryReason != "timeout" || string(again.Payload) != string(first.Payload) {
			t.Errorf("redelivery %d: %+v", attempt, again)
		}
		if attempt == 3 {
			app.ack(again.EnvelopeID, nil)
		}
	}
	app.ack(first.EnvelopeID, nil) // a second acknowledgement is none the worse
	app.ack("never-sent", nil)
	violated(t, w, slacktest.AckUnknown)
	if v := w.Violations(); len(v) != 2 {
		t.Errorf("violations: %v", v)
	}
}

func TestLateAcknowledgement(t *testing.T) {
	limits := short()
	limits.RedeliverAfter = time.Minute
	w := start(t, slacktest.Options{Limits: limits})
	app := connect(t, w)
	app.read()
	result := command(t, w)
	f := app.read()
	<-result
	app.ack(f.EnvelopeID, nil)
	violated(t, w, slacktest.AckLate)
}

func TestFacts(t *testing.T) {
	t.Run("fresh envelopes", func(t *testing.T) {
		w := start(t, slacktest.Options{Limits: short(), Facts: slacktest.Facts{FreshEnvelopes: true}})
		app := connect(t, w)
		app.read()
		result := command(t, w)
		first, second := app.read(), app.read()
		if first.EnvelopeID == second.EnvelopeID || second.RetryAttempt != 1 || string(first.Payload) != string(second.Payload) {
			t.Errorf("first %+v, second %+v", first, second)
		}
		app.ack(second.EnvelopeID, nil)
		<-result
	})
	t.Run("no redelivery", func(t *testing.T) {
		w := start(t, slacktest.Options{Limits: short(), Facts: slacktest.Facts{NoRedelivery: true}})
		app := connect(t, w)
		app.read()
		<-command(t, w)
		app.read()
		result := command(t, w)
		if f := app.read(); f.RetryAttempt != 0 {
			t.Errorf("delivered again: %+v", f)
		}
		<-result
	})
	t.Run("what came while nobody was there", func(t *testing.T) {
		for _, drop := range []bool{false, true} {
			limits := short()
			limits.AckWithin = 100 * time.Millisecond
			w := start(t, slacktest.Options{Limits: limits, Facts: slacktest.Facts{DropWhileDisconnected: drop}})
			if got := <-command(t, w); got.Error != "operation_timeout" {
				t.Errorf("nobody connected: %+v", got)
			}
			app := connect(t, w)
			app.read()
			if drop {
				command(t, w)
			}
			f := app.read()
			var told struct{ Text string }
			if err := json.Unmarshal(f.Payload, &told); err != nil || told.Text != "status" {
				t.Errorf("drop %v: %+v, %v", drop, f, err)
			}
			app.ack(f.EnvelopeID, nil)
		}
	})
	t.Run("block actions", func(t *testing.T) {
		for _, takes := range []bool{false, true} {
			w := start(t, slacktest.Options{Facts: slacktest.Facts{BlockActionsTakePayload: takes}})
			app := connect(t, w)
			app.read()
			ts := button(t, w)
			done := make(chan slacktest.Result, 1)
			go func() {
				done <- w.Click(slacktest.Press{User: "U_MEMBER", Channel: "C_INC", TS: ts, ActionID: "go"})
			}()
			f := app.read()
			if f.Takes != takes {
				t.Errorf("accepts_response_payload is %v, want %v", f.Takes, takes)
			}
			app.ack(f.EnvelopeID, M{"text": "x"})
			<-done
			if takes {
				noViolations(t, w)
			} else {
				violated(t, w, slacktest.AckBad)
			}
		}
	})
}

// button posts a message with the button "go".
func button(t *testing.T, w *slacktest.Workspace) string {
	t.Helper()
	out, _ := call(t, w, "chat.postMessage", M{"channel": "C_INC", "text": "x", "blocks": []M{
		{"type": "actions", "elements": []M{{"type": "button", "action_id": "go", "value": "1", "text": M{"type": "plain_text", "text": "Go"}}}},
	}})
	ts, ok := out["ts"].(string)
	if !ok {
		t.Fatalf("post: %v", out)
	}
	return ts
}

func TestOversizeAcknowledgement(t *testing.T) {
	w := start(t, slacktest.Options{})
	app := connect(t, w)
	app.read()
	command(t, w)
	f := app.read()
	app.ack(f.EnvelopeID, M{"text": strings.Repeat("x", 20480)})
	var got *websocket.CloseError
	for got == nil {
		_, _, err := app.ReadMessage()
		if err == nil {
			continue
		}
		closed, ok := err.(*websocket.CloseError)
		if !ok || closed.Code != websocket.CloseMessageTooBig {
			t.Fatalf("got %v, want the close code 1009", err)
		}
		got = closed
	}
	violated(t, w, slacktest.AckTooLarge)
}

func TestConnections(t *testing.T) {
	w := start(t, slacktest.Options{Limits: slacktest.Limits{DialBurst: 20}})
	used := address(t, w)
	conn, _, err := websocket.DefaultDialer.DialContext(t.Context(), used, nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if _, resp, err := websocket.DefaultDialer.DialContext(t.Context(), used, nil); err == nil || resp.StatusCode != 403 {
		t.Errorf("a ticket worked twice: %v", err)
	}
	var apps []*wire
	for len(apps) < 10 {
		app := connect(t, w)
		if f := app.read(); f.Type != "hello" || f.NumConnections > 11 {
			t.Fatalf("connection %d: %+v", len(apps)+1, f)
		}
		apps = append(apps, app)
	}
	until(t, "a refused eleventh connection", func() bool {
		f := connect(t, w).read()
		return f.Type == "disconnect" && f.Reason == "too_many_websockets"
	})
	// Any connection may get any payload: ten commands reach more than one of them.
	got := make(chan int, 10)
	for i, app := range apps {
		go func() {
			var f frame
			if app.ReadJSON(&f) == nil {
				_ = app.WriteJSON(M{"envelope_id": f.EnvelopeID})
				got <- i
			}
		}()
	}
	seen := map[int]bool{}
	for range 5 {
		if r := <-command(t, w); !r.OK {
			t.Fatalf("command: %+v", r)
		}
		seen[<-got] = true
	}
	if len(seen) < 2 {
		t.Errorf("all payloads went to one of ten connections")
	}
}

func TestSocketModeOff(t *testing.T) {
	w := start(t, slacktest.Options{NoSocketMode: true})
	if out, _ := send(t, w, "apps.connections.open", "", "", w.Ready().AppToken); out["ok"] != false {
		t.Errorf("got %v", out)
	}
}

func TestRedialingFast(t *testing.T) {
	limits := short()
	limits.DialBurst = 3
	w := start(t, slacktest.Options{Limits: limits})
	for range 3 {
		address(t, w)
	}
	noViolations(t, w)
	address(t, w)
	violated(t, w, slacktest.RedialTooFast)
}

func TestPings(t *testing.T) {
	w := start(t, slacktest.Options{Limits: short()})
	app := connect(t, w)
	pings := make(chan struct{}, 100)
	app.SetPingHandler(func(string) error { pings <- struct{}{}; return nil })
	pongs := make(chan struct{}, 100)
	app.SetPongHandler(func(string) error { pongs <- struct{}{}; return nil })
	if err := app.WriteControl(websocket.PingMessage, []byte("x"), time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			if _, _, err := app.ReadMessage(); err != nil {
				return
			}
		}
	}()
	for name, ch := range map[string]chan struct{}{"ping": pings, "pong": pongs} {
		select {
		case <-ch:
		case <-time.After(patience):
			t.Errorf("no %s came", name)
		}
	}
}

func TestDisconnects(t *testing.T) {
	for _, c := range []struct {
		fault  slacktest.Fault
		reason string
	}{
		{slacktest.Fault{Kind: "disconnect", Reason: "warning"}, "warning"},
		{slacktest.Fault{Kind: "disconnect", Reason: "link_disabled"}, "link_disabled"},
		{slacktest.Fault{Kind: "refresh"}, "refresh_requested"},
		{slacktest.Fault{Kind: "disconnect"}, ""},
	} {
		t.Run(c.fault.Kind+" "+c.fault.Reason, func(t *testing.T) {
			w := start(t, slacktest.Options{Limits: short()})
			app := connect(t, w)
			app.read()
			if err := w.Inject(c.fault); err != nil {
				t.Fatal(err)
			}
			if c.reason != "" {
				if f := app.read(); f.Type != "disconnect" || f.Reason != c.reason {
					t.Errorf("got %+v", f)
				}
			}
			_ = app.SetReadDeadline(time.Now().Add(patience))
			_, _, err := app.ReadMessage()
			if closed := websocket.IsCloseError(err, websocket.CloseNormalClosure); closed != (c.reason != "") {
				t.Errorf("the connection ended with %v", err)
			}
		})
	}
}

// slack-go comes back after each disconnect, and gets what came meanwhile.
func TestSlackGoReconnects(t *testing.T) {
	w := start(t, slacktest.Options{})
	a := run(t, w, acks)
	for _, f := range []slacktest.Fault{{Kind: "disconnect", Reason: "warning", Seconds: 0.1}, {Kind: "refresh"}, {Kind: "disconnect"}} {
		post(t, w, "user/fault", f)
		a.next(t, socketmode.EventTypeHello)
		if got := post(t, w, "user/command", M{"user": "U_MEMBER", "channel": "C_INC", "command": "/redis-session", "text": ""}); got["ok"] != true {
			t.Errorf("after %+v: %v", f, got)
		}
		a.next(t, socketmode.EventTypeSlashCommand)
	}
	noViolations(t, w)
}

// The storm that slack-go makes of a server that disconnects right after hello is seen.
func TestDisconnectAfterHello(t *testing.T) {
	w := start(t, slacktest.Options{Limits: slacktest.Limits{NoRates: true}})
	if err := w.Inject(slacktest.Fault{Kind: "disconnect", Reason: "refresh_requested", Count: 30}); err != nil {
		t.Fatal(err)
	}
	sm := socketmode.New(client(w))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { _ = sm.RunContext(ctx); close(done) }()
	go func() {
		for range sm.Events {
		}
	}()
	violated(t, w, slacktest.RedialTooFast)
	cancel()
	<-done
}

func TestDuplicate(t *testing.T) {
	w := start(t, slacktest.Options{})
	app := connect(t, w)
	app.read()
	if got := post(t, w, "user/fault", M{"kind": "duplicate"}); got["ok"] != true {
		t.Fatal(got)
	}
	result := command(t, w)
	first, second := app.read(), app.read()
	if first.EnvelopeID != second.EnvelopeID {
		t.Errorf("first %+v, second %+v", first, second)
	}
	app.ack(first.EnvelopeID, nil)
	app.ack(second.EnvelopeID, nil)
	if got := <-result; !got.OK {
		t.Errorf("got %+v", got)
	}
	noViolations(t, w)
}

func TestCallFaults(t *testing.T) {
	w := start(t, slacktest.Options{})
	c := client(w)
	say := func() error {
		_, _, err := c.PostMessageContext(t.Context(), "C_INC", slack.MsgOptionText("x", false))
		return err
	}
	for _, f := range []struct {
		fault M
		want  string
	}{
		{M{"kind": "error", "method": "chat.postMessage", "error": "fatal_error"}, "fatal_error"},
		{M{"kind": "error", "error": "503"}, "slack server error: 503 Service Unavailable"},
		{M{"kind": "ratelimit", "method": "chat.postMessage", "seconds": 1}, "slack rate limit exceeded, retry after 1s"},
	} {
		if got := post(t, w, "user/fault", f.fault); got["ok"] != true {
			t.Fatal(got)
		}
		if _, err := c.AuthTestContext(t.Context()); err != nil && f.fault["method"] != nil {
			t.Errorf("another method: %v", err)
		} else if err == nil || f.fault["method"] != nil {
			err = say()
			if err == nil || err.Error() != f.want {
				t.Errorf("%v: got %v", f.fault, err)
			}
		} else if err.Error() != f.want {
			t.Errorf("%v: got %v", f.fault, err)
		}
	}
	until(t, "the end of the rate limit", func() bool { return say() == nil })
	violated(t, w, slacktest.RateIgnored)
	begun := time.Now()
	post(t, w, "user/fault", M{"kind": "slow", "method": "users.info", "seconds": 0.2})
	if _, err := c.GetUserInfoContext(t.Context(), "U_MEMBER"); err != nil || time.Since(begun) < 200*time.Millisecond {
		t.Errorf("slow: %v after %s", err, time.Since(begun))
	}
	if got := post(t, w, "user/fault", M{"kind": "flood"}); got["ok"] != false || !strings.Contains(got["error"].(string), "duplicate") {
		t.Errorf("an unknown fault: %v", got)
	}
}
