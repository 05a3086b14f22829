// Package alerts holds the way from a broken store to its incident and back,
// with a real Prometheus, Alertmanager and exporter: nobody types a command.
package alerts

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/lab/faults"
	"redis-session-bot/lab/live"
	"redis-session-bot/lab/monitoring"
	"redis-session-bot/lab/workload"
)

const token = "live-alerts-token"

// TestAnAlertOpensTheIncidentAndItsEndClosesIt: the store breaks, and the
// alert opens the incident with its verdict. It is fixed through Slack; the
// alert ends, the bot looks itself and closes.
func TestAnAlertOpensTheIncidentAndItsEndClosesIt(t *testing.T) {
	p := live.Admit(t, "alerts", workload.Deployment, "")
	address, err := monitoring.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	watch, err := monitoring.Start(t.Context(), monitoring.Options{Repo: "../../..", Workload: workload.Options{Kubeconfig: p.Admin, Namespace: p.Namespace},
		Webhook: "http://" + address + "/alerts", Token: token, For: 4 * time.Second, Out: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := watch.Close(); err != nil {
			t.Error(err)
		}
	})
	r := p.ServeWith(fmt.Sprintf("alerts: {listen: %q, channel: inc-redis}\nprometheus: {url: %q, hours: 10m}\n", address, watch.Prometheus), "ALERTS_TOKEN="+token)
	if len(r.Messages("U_RESPONDER", "")) != 0 {
		t.Fatal("the bot speaks before anything is wrong")
	}
	if err := faults.Break(t.Context(), faults.Options{Kubeconfig: p.Admin, Namespace: p.Namespace}, "config-error"); err != nil {
		t.Fatal(err)
	}
	before := p.Objects()
	r.Appears("U_RESPONDER", 90*time.Second)
	for _, want := range []string{"RedisSessionStoreDown fires since", "Walked by Alertmanager", "Configuration error — certain"} {
		r.Until("the channel reads "+want, 60*time.Second, func() bool { return strings.Contains(r.Seen(false), want) })
	}
	if diff := cmp.Diff(before, p.Objects()); diff != "" {
		t.Errorf("the alert has changed something (-before +after):\n%s", diff)
	}
	r.Until("the thread has the picture of what Prometheus kept", 60*time.Second, func() bool {
		return strings.Contains(r.Seen(true), "Keys and memory") && strings.Contains(r.Transcript("U_RESPONDER"), "keys-and-memory.png")
	})
	r.Click("U_RESPONDER", r.Wait("Plan:"), false)
	r.Click("U_APPROVER", r.Wait("Apply"), false)
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
}
