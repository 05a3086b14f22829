// Package alerts holds the way from a broken store to its incident and back,
// with a real Prometheus, Alertmanager and exporter: nobody types a command.
package alerts

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/page"
	"redis-session-bot/lab/faults"
	"redis-session-bot/lab/live"
	"redis-session-bot/lab/monitoring"
	"redis-session-bot/lab/workload"
	"redis-session-bot/runbooks"
)

const token = "live-alerts-token"

// TestAnAlertOpensTheIncidentAndItsEndClosesIt: the store breaks, and the
// alert opens the incident with its verdict. Nobody mends it in time, so people
// are paged. It is fixed through Slack; the alert ends, the bot looks itself and
// closes, the page is over, and the report tells of all of it.
func TestAnAlertOpensTheIncidentAndItsEndClosesIt(t *testing.T) {
	p := live.Admit(t, "alerts", workload.Deployment, "")
	address, err := monitoring.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	watch, err := monitoring.Start(t.Context(), monitoring.Options{Repo: "../../..", Workload: workload.Options{Kubeconfig: p.Admin, Namespace: p.Namespace},
		Webhook: "http://" + address + "/alerts", Token: token, For: 8 * time.Second, Out: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := watch.Close(); err != nil {
			t.Error(err)
		}
	})
	paged := receive(t)
	r := p.ServeWith(fmt.Sprintf(`runbook: %q
alerts: {listen: %q, channel: inc-redis}
prometheus: {url: %q, hours: 10m}
pagers: [{name: duty, type: webhook, url: %q, key_env: PAGE_KEY}]
escalation: {remind: 0s, levels: [{who: "@sre-oncall", pagers: [duty]}]}
`, hurried(t), address, watch.Prometheus, paged.url), "ALERTS_TOKEN="+token, "PAGE_KEY="+pageKey)
	if len(r.Messages("U_RESPONDER", "")) != 0 {
		t.Fatal("the bot speaks before anything is wrong")
	}
	if err := faults.Break(t.Context(), faults.Options{Kubeconfig: p.Admin, Namespace: p.Namespace}, "config-error"); err != nil {
		t.Fatal(err)
	}
	before := p.Objects()
	r.Appears("U_RESPONDER", 90*time.Second)
	for _, want := range []string{"RedisSessionStoreDown fires since", "Walked by Alertmanager"} {
		r.Until("the channel reads "+want, 60*time.Second, func() bool { return strings.Contains(r.Seen(false), want) })
	}
	r.Until("the cause is named", 60*time.Second, func() bool {
		if again := r.Find("Run all again"); again != nil && strings.Contains(r.Seen(false), "No cause found") {
			r.Click("U_RESPONDER", *again, false) // the alert came while the pod was being made
		}
		return strings.Contains(r.Seen(false), "Configuration error — certain")
	})
	if diff := cmp.Diff(before, p.Objects()); diff != "" {
		t.Errorf("the alert has changed something (-before +after):\n%s", diff)
	}
	r.Until("the thread has the picture of what Prometheus kept", 60*time.Second, func() bool {
		return strings.Contains(r.Seen(true), "Keys and memory") && strings.Contains(r.Transcript("U_RESPONDER"), "keys-and-memory.png")
	})
	r.Until("the page arrives", 60*time.Second, func() bool { return slices.Equal(paged.events(), []string{"page"}) })
	if told := paged.last(); !strings.HasPrefix(told.Verdict, "Configuration error") || told.Who != "@sre-oncall" || told.Impact == "" || told.Thread == "" {
		t.Errorf("the page tells %+v", told)
	}
	r.Press("U_RESPONDER", "Plan:")
	r.Press("U_APPROVER", "Apply")
	r.Until("the alert has ended, and the bot closes what is well", 180*time.Second, func() bool {
		return strings.Contains(r.Seen(false), "The alert is quiet, and the store is well.")
	})
	for _, want := range []string{"closed now", "RedisSessionStoreDown resolved at", "Verified"} {
		if !strings.Contains(r.Seen(false), want) {
			t.Errorf("the channel does not read %q:\n%s", want, r.Seen(false))
		}
	}
	if n := len(r.Messages("U_RESPONDER", "")); n != 1 {
		t.Errorf("the channel has %d messages, not the one of the incident", n)
	}
	r.Until("the receiver is told that it is over", 30*time.Second, func() bool { return slices.Equal(paged.events(), []string{"page", "resolve"}) })
	r.Command("U_RESPONDER", "report INC-1")
	r.Until("the report is posted", 30*time.Second, func() bool { return strings.Contains(r.Transcript("U_RESPONDER"), "INC-1-report.md") })
}

// hurried is the runbook with a page after 20 seconds.
func hurried(t *testing.T) string {
	t.Helper()
	source := strings.Replace(string(runbooks.Default), "escalateAfter: 30m", "escalateAfter: 20s", 1)
	if source == string(runbooks.Default) {
		t.Fatal("the runbook has no delay")
	}
	file := filepath.Join(t.TempDir(), "hurried.md")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// receiver is the HTTP end of a pager. It takes what is signed.
type receiver struct {
	url string

	mu  sync.Mutex
	all []page.Notice
}

const pageKey = "live-page-key"

func receive(t *testing.T) *receiver {
	r := &receiver{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.Method == http.MethodHead {
			return // the bot looks at its start whether somebody is there
		}
		body, err := io.ReadAll(request.Body)
		var notice page.Notice
		if err == nil {
			err = json.Unmarshal(body, &notice)
		}
		if signed := page.Sign(pageKey, request.Header.Get(page.HeaderTimestamp), body); err != nil || request.Header.Get(page.HeaderSignature) != signed {
			t.Errorf("a page that is no page: %v, %s", err, body)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.all = append(r.all, notice)
	}))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

func (r *receiver) events() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, notice := range r.all {
		all = append(all, notice.Event)
	}
	return all
}

func (r *receiver) last() page.Notice {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all[len(r.all)-1]
}
