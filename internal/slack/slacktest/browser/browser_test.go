package browser_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"redis-session-bot/internal/slack/slacktest/browser"
)

func serve(t *testing.T, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "<!doctype html><title>t</title><link rel=icon href=data:,>%s", body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func start(t *testing.T) *browser.Browser {
	t.Helper()
	b, err := browser.Start(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestPerson(t *testing.T) {
	url := serve(t, `<input id=name><button aria-label="Say it" onclick="setTimeout(() => out.textContent = 'Hello  '+document.getElementById('name').value, 100)">x</button>
		<button disabled>Later</button><p id=out></p><script>setTimeout(() => document.querySelector('[disabled]').disabled = false, 200)</script>`)
	b := start(t)
	b.Scale = 2
	must(t, b.Open(url, 400, 300))
	must(t, b.Type("#name", "Ada\tis 20% \"ß\" ✓"))
	must(t, b.ClickName("Say it"))
	must(t, b.WaitText("Hello Ada"))
	must(t, b.ClickName("Later")) // waits until it can be pressed
	path := filepath.Join(t.TempDir(), "page.png")
	must(t, b.Screenshot(path))
	data, err := os.ReadFile(path)
	must(t, err)
	picture, err := png.Decode(bytes.NewReader(data))
	must(t, err)
	if size := picture.Bounds().Size(); size.X != 800 || size.Y != 600 {
		t.Errorf("the picture has %v pixels, not 800 × 600", size)
	}
	if problems := b.Problems(); len(problems) != 0 {
		t.Errorf("problems: %q", problems)
	}
}

func TestPatience(t *testing.T) {
	b := start(t)
	must(t, b.Open(serve(t, `<p>only this</p>`), 400, 300))
	b.Patience = 200 * time.Millisecond
	for name, err := range map[string]error{
		"text": b.WaitText("that"), "name": b.ClickName("that"), "field": b.Type("#that", "x"),
	} {
		if !errors.Is(err, browser.ErrNotThere) {
			t.Errorf("%s: %v, not %v", name, err, browser.ErrNotThere)
			continue
		}
		if !strings.Contains(err.Error(), "only this") {
			t.Errorf("%s: the error does not say what the page shows: %v", name, err)
		}
	}
}

func TestProblems(t *testing.T) {
	b := start(t)
	must(t, b.Open(serve(t, `<p>x</p><script>setTimeout(() => { throw new Error("broken here") })</script>`), 400, 300))
	deadline := time.Now().Add(30 * time.Second)
	for len(b.Problems()) == 0 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	if problems := strings.Join(b.Problems(), "\n"); !strings.Contains(problems, "broken here") {
		t.Errorf("the exception is not among the problems: %q", problems)
	}
}

func TestNoTraffic(t *testing.T) {
	b := start(t)
	b.Patience = 5 * time.Second
	if err := b.Open("http://192.0.2.1/", 400, 300); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an address outside of loopback was dialed: %v", err)
	}
}

// The browser's processes inherit TMPDIR, and its profile stands there: both are found by it.
func TestCloseLeavesNothing(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	b := start(t)
	must(t, b.Open(serve(t, `<p>x</p>`), 400, 300))
	if len(processesIn(t, folder)) == 0 {
		t.Fatal("no process of the browser was found while it runs: the search is wrong")
	}
	must(t, b.Close())
	deadline := time.Now().Add(30 * time.Second)
	for len(processesIn(t, folder)) > 0 && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	if left := processesIn(t, folder); len(left) > 0 {
		t.Errorf("processes are left: %q", left)
	}
	entries, err := os.ReadDir(folder)
	must(t, err)
	for _, entry := range entries {
		t.Errorf("%s is left in the temporary folder", entry.Name())
	}
}

func TestMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := browser.Start(context.Background())
	if !errors.Is(err, browser.ErrMissing) {
		t.Errorf("got %v, not %v", err, browser.ErrMissing)
	}
}

func processesIn(t *testing.T, folder string) []string {
	t.Helper()
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	must(t, err)
	var found []string
	for _, path := range environments {
		environment, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(environment, []byte("TMPDIR="+folder)) {
			continue // gone meanwhile, or not ours
		}
		if filepath.Dir(path) == fmt.Sprintf("/proc/%d", os.Getpid()) {
			continue
		}
		line, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		found = append(found, string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
	}
	return found
}
