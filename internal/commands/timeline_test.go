package commands_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/incident"
)

// TestALongTimelineShowsItsEnd keeps to what fits into one message of Slack.
func TestALongTimelineShowsItsEnd(t *testing.T) {
	for name, words := range map[string]string{"long lines": strings.Repeat("a word ", 100), "what is written longer": strings.Repeat("<&>\"\\", 50), "short lines": "x"} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.say(t, "ada types /queue diagnose")
			inc, err := d.Incidents.Get(t.Context(), "INC-1")
			if err != nil {
				t.Fatal(err)
			}
			for n := range 500 {
				inc.Timeline = append(inc.Timeline, incident.Entry{At: d.Now(), Actor: ada, Text: fmt.Sprintf("%d %s", n, words)})
			}
			if _, err := d.Incidents.Store.Update(t.Context(), inc); err != nil {
				t.Fatal(err)
			}
			view := d.Handle(t.Context(), commands.Request{Actor: ada, Place: inc.Place, Text: "timeline"}).Whisper
			size, last, left := 0, "", ""
			for _, part := range view.Parts {
				switch p := part.(type) {
				case commands.Paragraph:
					data, err := json.Marshal(p.Text.String())
					if err != nil {
						t.Fatal(err)
					}
					if n := utf8.RuneCountInString(p.Text.String()); n > 2900 {
						t.Errorf("a paragraph of %d characters", n)
					}
					size += utf8.RuneCount(data)
					last = p.Text.String()
				case commands.Note:
					left += p.Text.String()
				}
			}
			if size > 7500 || size < 3000 {
				t.Errorf("%d characters of JSON", size)
			}
			if lines := strings.Split(last, "\n"); !strings.Contains(lines[len(lines)-1], "Ada  499 ") {
				t.Errorf("it does not end with its end: %s", last)
			}
			if !strings.Contains(left, "lines before that: /queue report INC-1 has all of it.") {
				t.Errorf("it does not say where the rest is: %q", left)
			}
		})
	}
}
