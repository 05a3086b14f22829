package page_test

import (
	"encoding/json"
	"testing"
)

// An incident as the bot tells it: the page must be fit for a README.
func TestIncidentScene(t *testing.T) {
	d, b := newDouble(t), start(t)
	d.messages = map[string]json.RawMessage{"": read(t, "incident.json"), "1732330020.000100": read(t, "incident_thread.json")}
	b.Scale = 2
	for _, each := range []struct {
		name, query   string
		width, height int
	}{
		{"incident-light", "theme=light", 1280, 860},
		{"incident-dark", "theme=dark", 1280, 860},
		{"incident-thread", "theme=light&thread=1732330020.000100", 1440, 900},
		{"incident-thread-dark", "theme=dark&thread=1732330020.000100", 1440, 900},
		{"incident-narrow", "theme=light&thread=1732330020.000100", 1000, 800},
		{"incident-phone", "theme=light", 390, 844},
		{"incident-phone-thread", "theme=dark&thread=1732330020.000100", 390, 844},
	} {
		must(t, b.Open(d.URL+"/?user=U_RESPONDER&channel=C_INC&"+each.query, each.width, each.height))
		must(t, b.WaitText("Less likely: a rollout"))
		picture(t, b, each.name)
		var wide bool
		must(t, b.Eval("document.documentElement.scrollWidth > innerWidth || [...document.querySelectorAll('.scroller')].some(s => s.scrollWidth > s.clientWidth)", &wide))
		if wide {
			t.Errorf("%s: the page is wider than its window", each.name)
		}
	}
}
