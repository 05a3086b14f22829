package slack_test

import (
	"testing"

	"redis-session-bot/internal/slack/slacktest"
)

func TestARequestCarriesTheZoneOfWhoeverAsks(t *testing.T) {
	users := slacktest.DefaultUsers()
	users[0].TZ, users[1].TZ = "Europe/Berlin", "Nowhere/Atall"
	o := open(t, slacktest.Options{Users: users})
	o.run()
	for n, test := range []struct{ user, want string }{{"U_RESPONDER", "Europe/Berlin"}, {"U_APPROVER", ""}, {"U_SECOND", "Etc/UTC"}} {
		o.command(test.user, "C_INC", "status")
		o.until("the request of "+test.user, func() bool { return len(o.handler.requests()) > n })
		got := ""
		if zone := o.handler.requests()[n].Zone; zone != nil {
			got = zone.String()
		}
		if got != test.want {
			t.Errorf("%s: zone %q, not %q", test.user, got, test.want)
		}
	}
}
