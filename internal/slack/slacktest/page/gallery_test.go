package page_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/slack/slacktest/browser"
)

// update is read by the golden tests: go test ./internal/slack/slacktest/page -update
var update = flag.Bool("update", false, "write the golden files anew")

// pictures keeps the screenshots of the tests: go test … -pictures DIR
var pictures = flag.String("pictures", "", "a folder to keep the tests' screenshots in")

// shared is the one browser of all tests: starting one takes longer than most
// of them. It is nil until a test asks for it; the tests run one after the other.
var shared *browser.Browser

func TestMain(m *testing.M) {
	code := m.Run()
	if shared != nil {
		if err := shared.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "close the browser:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// start gives the browser to a test, which fails with every problem that its
// pages have. It is to be called after the server was started, so that the
// page is left before the server goes.
func start(t *testing.T) *browser.Browser {
	t.Helper()
	if shared == nil {
		var err error
		if shared, err = browser.Start(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	b := shared
	b.Scale = 1
	before := len(b.Problems())
	t.Cleanup(func() {
		for _, problem := range b.Problems()[before:] {
			t.Errorf("the page had a problem: %s", problem)
		}
		if err := b.Open("about:blank", 800, 600); err != nil {
			t.Errorf("leave the page: %v", err)
		}
	})
	return b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// picture takes a screenshot, which must be a picture of some size.
func picture(t *testing.T, b *browser.Browser, name string) {
	t.Helper()
	folder := *pictures
	if folder == "" {
		folder = t.TempDir()
	}
	path := filepath.Join(folder, name+".png")
	must(t, b.Screenshot(path))
	info, err := os.Stat(path)
	must(t, err)
	if info.Size() < 10_000 {
		t.Errorf("%s has %d bytes: nothing is drawn on it", name, info.Size())
	}
}

func TestGallery(t *testing.T) {
	d, b := newDouble(t), start(t)
	must(t, b.Open(d.URL+"/?user=U_RESPONDER&channel=C_INC&theme=light", 1280, 3200))
	must(t, b.WaitText("You may diagnose, not apply"))
	drawn, err := b.Text(".messages")
	must(t, err)
	golden := filepath.Join("testdata", "gallery.golden")
	lines := strings.Split(drawn, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " \t")
	}
	drawn = strings.Join(lines, "\n") + "\n"
	if *update {
		must(t, os.WriteFile(golden, []byte(drawn), 0o644))
	}
	want, err := os.ReadFile(golden)
	must(t, err)
	if diff := cmp.Diff(string(want), drawn); diff != "" {
		t.Errorf("the gallery is drawn otherwise (-want +got); -update accepts it:\n%s", diff)
	}
	picture(t, b, "gallery-light")

	must(t, b.Open(d.URL+"/?user=U_RESPONDER&channel=C_INC&theme=dark", 1280, 3200))
	must(t, b.WaitText("You may diagnose, not apply"))
	picture(t, b, "gallery-dark")

	must(t, b.Open(d.URL+"/?user=U_RESPONDER&channel=C_INC&thread=1732331400.000100&theme=light", 1440, 900))
	must(t, b.WaitText("2 replies"))
	picture(t, b, "thread")

	must(t, b.Open(d.URL+"/?user=U_RESPONDER&channel=C_INC&theme=dark", 390, 844))
	must(t, b.WaitText("You may diagnose, not apply"))
	picture(t, b, "phone")
}
