package page_test

import (
	"io/fs"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"redis-session-bot/internal/slack/slacktest/page"
)

func TestHandler(t *testing.T) {
	handler := page.Handler()
	for _, each := range []struct {
		method, path string
		status       int
		kind         string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8"},
		{"GET", "/?user=U_RESPONDER", 200, "text/html; charset=utf-8"},
		{"GET", "/assets/js/main.js", 200, "text/javascript; charset=utf-8"},
		{"GET", "/assets/css/theme.css", 200, "text/css; charset=utf-8"},
		{"GET", "/assets/bot.svg", 200, "image/svg+xml"},
		{"GET", "/assets/fonts/lato-latin-400-normal.woff2", 200, "font/woff2"},
		{"GET", "/assets/js/", 404, ""},
		{"GET", "/assets/none.js", 404, ""},
		{"GET", "/user/workspace", 404, ""},
		{"POST", "/", 405, ""},
	} {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(each.method, each.path, nil))
		if answer.Code != each.status {
			t.Errorf("%s %s: status %d, not %d", each.method, each.path, answer.Code, each.status)
		}
		if kind := answer.Header().Get("Content-Type"); each.kind != "" && kind != each.kind {
			t.Errorf("%s %s: Content-Type %s, not %s", each.method, each.path, kind, each.kind)
		}
		if policy := answer.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "script-src 'self'") {
			t.Errorf("%s %s: no Content-Security-Policy keeps other scripts out: %q", each.method, each.path, policy)
		}
	}
}

// The page works offline, and text never becomes markup: no file of its own
// names another host, or a way to parse HTML.
func TestOwnFiles(t *testing.T) {
	foreign := regexp.MustCompile(`(?:src|href|import|from|url\()\s*[=(]?\s*["']?(?:https?:)?//`)
	unsafe := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function`)
	err := fs.WalkDir(os.DirFS("assets"), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(path, "vendor/") || strings.HasPrefix(path, "fonts/") {
			return err
		}
		text, err := fs.ReadFile(os.DirFS("assets"), path)
		if err != nil {
			return err
		}
		for _, found := range []string{foreign.FindString(string(text)), unsafe.FindString(string(text))} {
			if found != "" {
				t.Errorf("%s holds %q", path, found)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A message that tries to run in the page is shown as text.
func TestHostileMessage(t *testing.T) {
	const attack = `<img src=x onerror="document.title='pwned'"><svg onload="document.title='pwned'">`
	d, b := newDouble(t), start(t)
	d.messages[""] = []byte(`[{"ts":"1732330800.000100","user":"U_MEMBER","text":` + quote(attack) + `},
		{"ts":"1732330801.000100","bot_id":"B","user":"U_BOT","text":"x","username":` + quote(attack) + `,"blocks":[
		{"type":"section","block_id":"s","text":{"type":"plain_text","text":` + quote(attack) + `}},
		{"type":"markdown","text":` + quote(attack+" [x](javascript:alert(1))") + `},
		{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"link","url":"javascript:document.title='pwned'","text":"press"}]}]},
		{"type":"image","image_url":"https://example.com/x.png","alt_text":` + quote(attack) + `},
		{"type":` + quote(attack) + `},
		{"type":"actions","block_id":"a","elements":[{"type":"button","action_id":"x","url":"javascript:document.title='pwned'","text":{"type":"plain_text","text":"go"}}]}],
		"files":[{"id":"F","name":` + quote(attack) + `,"filetype":"html","mimetype":"text/html","size":9,"content":` + quote(attack) + `}]}]`)
	must(t, b.Open(d.URL+"/?channel=C_INC", 900, 900))
	must(t, b.WaitText("Not drawn here: "+attack))
	must(t, b.ClickName("go"))
	waitCall(t, d, "/user/click", 1)
	var found struct {
		Title   string
		Made    int
		Schemes []string
	}
	must(t, b.Eval(`({Title: document.title, Made: document.querySelectorAll(".messages img[onerror], .messages svg[onload], .messages script").length,
		Schemes: [...document.querySelectorAll(".messages a")].map(a => a.protocol).filter(p => p !== "http:" && p !== "https:")})`, &found))
	if found.Title != "#inc-redis · Acme" || found.Made != 0 || len(found.Schemes) != 0 {
		t.Errorf("the message became more than text: %+v", found)
	}
}

func quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
