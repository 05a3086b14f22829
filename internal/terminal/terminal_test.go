package terminal_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"redis-session-bot/internal/audit"
	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/preflight"
	"redis-session-bot/internal/terminal"
)

func TestDrawLetsNoControlCharacterThrough(t *testing.T) {
	var out strings.Builder
	hostile := "line\x1b]0;title\x07\x1b[2Jgone\u202e\r\n"
	terminal.Terminal{Out: &out}.Draw(commands.View{Parts: []commands.Part{
		commands.Heading{Text: hostile},
		commands.Paragraph{Text: commands.Text{{Kind: commands.Strong, Text: hostile}}},
		commands.Note{Text: commands.Text{{Text: hostile}}},
		commands.Code{Text: hostile},
	}})
	for _, r := range out.String() {
		if r < 0x20 && r != '\n' || r == 0x7f || r == 0x202e {
			t.Fatalf("control character %q in %q", r, out.String())
		}
	}
	if !strings.Contains(out.String(), "line]0;title[2Jgone") {
		t.Errorf("the text itself is lost: %q", out.String())
	}
}

func TestDrawColoursDiffsOnlyWhenAsked(t *testing.T) {
	view := commands.View{Parts: []commands.Part{commands.Code{Text: "-old\n+new\n same", Diff: true}}}
	var plain, coloured strings.Builder
	terminal.Terminal{Out: &plain}.Draw(view)
	terminal.Terminal{Out: &coloured, Colour: true}.Draw(view)
	if want := "    -old\n    +new\n     same\n"; plain.String() != want {
		t.Errorf("plain: %q, want %q", plain.String(), want)
	}
	if !strings.Contains(coloured.String(), "\x1b[32m+new\x1b[0m") || !strings.Contains(coloured.String(), "\x1b[31m-old\x1b[0m") {
		t.Errorf("coloured: %q", coloured.String())
	}
}

func TestAskReadsOneLine(t *testing.T) {
	var out strings.Builder
	in := strings.NewReader(" yes \r\nundo\nlast")
	for _, want := range []string{"yes", "undo", "last"} {
		if got, err := (terminal.Terminal{Out: &out}).Ask(t.Context(), in, "Go on? "); err != nil || got != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	if _, err := (terminal.Terminal{Out: &out}).Ask(t.Context(), in, "Go on? "); err == nil {
		t.Error("the end of the input is an answer")
	}
}

func TestAskEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	in, never := io.Pipe()
	defer never.Close()
	if _, err := (terminal.Terminal{Out: io.Discard}).Ask(ctx, in, "Go on? "); err == nil {
		t.Error("an interrupted question is answered")
	}
}

func TestAuditJSON(t *testing.T) {
	var out strings.Builder
	report := audit.Report{Target: evidence.Target{Namespace: "ns", Workload: "store"}, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Points: []audit.Point{
		{ID: audit.PointBudget, Title: "Disruption budget", Status: checks.Fail, Says: "0 of <2>", Do: "Create one."}}}
	if err := terminal.AuditJSON(&out, report); err != nil {
		t.Fatal(err)
	}
	want := `{
  "target": "ns/store",
  "at": "2026-01-02T03:04:05Z",
  "ok": false,
  "points": [
    {
      "id": "budget",
      "title": "Disruption budget",
      "status": "fail",
      "says": "0 of <2>",
      "do": "Create one.",
      "proof": []
    }
  ]
}
`
	if out.String() != want {
		t.Errorf("got %s", out.String())
	}
}

func TestCheckJSON(t *testing.T) {
	var out strings.Builder
	report := preflight.Report{At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Findings: []preflight.Finding{
		{About: "Slack", What: "scope <a>", Status: preflight.Wrong, Says: "it is missing", Mend: "add it & install"}}}
	if err := terminal.CheckJSON(&out, report); err != nil {
		t.Fatal(err)
	}
	want := `{
  "at": "2026-01-02T03:04:05Z",
  "ok": false,
  "findings": [
    {
      "about": "Slack",
      "what": "scope <a>",
      "status": "wrong",
      "says": "it is missing",
      "mend": "add it & install",
      "minor": false
    }
  ]
}
`
	if out.String() != want {
		t.Errorf("got %s", out.String())
	}
}
