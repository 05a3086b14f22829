package slack_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/slack/slacktest"
)

// TestTwoReplicas: what one has changed is shown once, by it, and by the other one
// where it has died before.
func TestTwoReplicas(t *testing.T) {
	o := open(t, slacktest.Options{})
	o.run()
	one := o.app
	o.run()
	other := o.app
	shown := func(state incident.State) (messages int) {
		for _, message := range o.messages("U_RESPONDER", "") {
			if strings.Contains(fmt.Sprint(message), "state "+string(state)) {
				messages++
			}
		}
		return messages
	}

	o.app = one
	first := o.opened()
	other.ChangedElsewhere(first.ID)
	o.until("the one that has opened it shows it", func() bool { return shown(incident.Walking) == 1 })

	// It stores two changes more, and dies before it shows them.
	for {
		inc, err := o.incidents.Get(t.Context(), first.ID)
		if err != nil {
			t.Fatal(err)
		}
		inc.State = incident.Fixed
		if _, err = o.incidents.Update(t.Context(), inc); err == nil {
			break
		} else if !errors.Is(err, incident.ErrConflict) { // it remembers where the message is
			t.Fatal(err)
		}
	}
	second, err := o.incidents.Create(t.Context(), incident.Incident{Place: first.Place, State: incident.Stopped, Since: first.Since})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{first.ID, second.ID, first.ID} {
		other.ChangedElsewhere(id)
	}
	o.until("the other one shows both", func() bool { return shown(incident.Fixed) == 1 && shown(incident.Stopped) == 1 })
	if all := o.messages("U_RESPONDER", ""); len(all) != 2 {
		t.Errorf("%d messages for two incidents", len(all))
	}
}
