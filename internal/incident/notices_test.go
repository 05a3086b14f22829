package incident

import (
	"fmt"
	"testing"

	"redis-session-bot/internal/evidence"
)

// TestNoticesThatWaitAreJoined: those about one target are one, but for two
// pieces of news of one alert, which stay in their order.
func TestNoticesThatWaitAreJoined(t *testing.T) {
	var waiting notices
	add := func(workload, fingerprint string) {
		waiting.add(Notice{Runbook: "queue", Target: evidence.Target{Workload: workload}, Alerts: []Alert{{Fingerprint: fingerprint}}})
	}
	for _, one := range []string{"a", "b"} {
		add("queue", one)
	}
	add("other", "a")
	add("queue", "a") // later news of it
	add("queue", "c")
	var got []string
	for _, batch := range waiting.take() {
		words := batch.notice.Target.Workload
		for _, alert := range batch.notice.Alerts {
			words += " " + alert.Fingerprint
		}
		got = append(got, fmt.Sprintf("%s (%d wait)", words, len(batch.waiting)))
	}
	if want := "[queue a b (2 wait) other a (1 wait) queue a c (2 wait)]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
	if len(waiting.take()) != 0 {
		t.Error("something is left")
	}
}
