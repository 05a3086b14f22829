package preflight

import (
	"fmt"
	"net/http"
	"time"
)

// tolerated is how far two clocks may be apart: deadlines are in minutes, and
// receivers of a signed page refuse what is some minutes old.
const tolerated = 10 * time.Second

// Clock holds this clock against the Date header of an answer that was asked for
// and came at these times. whose is who answered: "Slack", "the API server".
func Clock(about, whose string, sent, got time.Time, header string) Finding {
	f := Finding{About: about, What: "clock", Status: OK}
	date, err := http.ParseTime(header)
	if err != nil {
		f.Status, f.Says, f.Mend = Unknown, whose+" did not say what time it is", "look whether a proxy takes the Date header out of its answers"
		return f
	}
	skew := Skew(sent, got, date).Round(time.Second)
	switch {
	case skew < 0:
		f.Says = fmt.Sprintf("%s behind %s's", -skew, whose)
	case skew > 0:
		f.Says = fmt.Sprintf("%s ahead of %s's", skew, whose)
	default:
		f.Says = fmt.Sprintf("as %s's, within a second", whose)
	}
	if skew.Abs() > tolerated {
		f.Status, f.Mend = Wrong, "set this machine's clock by NTP (timedatectl set-ntp true); where only one answer differs, that one's"
	}
	return f
}

// Skew is how far this clock is ahead of one that said its date, in whole
// seconds, somewhere between sent and got; less than 0 where it is behind.
func Skew(sent, got, date time.Time) time.Duration {
	if ahead := sent.Sub(date.Add(time.Second)); ahead > 0 {
		return ahead
	}
	if behind := got.Sub(date); behind < 0 {
		return behind
	}
	return 0
}
