package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"redis-session-bot/internal/telemetry"
)

// TestWhatIsAnswered: the three paths, and nothing else.
func TestWhatIsAnswered(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	down := telemetry.Condition{Name: "slack", Holds: func(context.Context) error { return errors.New("connecting") }}
	stop := answerHTTP(t.Context(), listener, routes(telemetry.New("v1", time.Now), []telemetry.Condition{down}), slog.New(slog.DiscardHandler))
	address := "http://" + listener.Addr().String()
	for _, test := range []struct {
		method, path string
		code         int
		has          string
	}{
		{"GET", "/healthz", 200, "ok"},
		{"GET", "/readyz", 503, `"slack":"connecting"`},
		{"GET", "/metrics", 200, "redis_session_bot_build_info"},
		{"POST", "/metrics", 405, ""},
		{"GET", "/", 404, ""},
	} {
		request, err := http.NewRequestWithContext(t.Context(), test.method, address+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != test.code || !strings.Contains(string(body), test.has) {
			t.Errorf("%s %s: %d %s", test.method, test.path, response.StatusCode, body)
		}
	}
	stop()
	if _, err := http.Get(address + "/healthz"); err == nil {
		t.Error("it still answers")
	}
}
