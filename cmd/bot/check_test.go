package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"redis-session-bot/internal/page/pagetest"
	"redis-session-bot/internal/preflight"
	"redis-session-bot/internal/slack/slacktest"
)

// place is everything that a bot needs, in one machine.
type place struct {
	t         *testing.T
	workspace *slacktest.Workspace
	duty      *pagetest.End
	config    string
	denied    string // "get pods/log": what the bot may not do
}

// newPlace has a runbook of a queue, which is no Redis: nothing but the API server
// has to answer.
func newPlace(t *testing.T, like slacktest.Options) *place {
	t.Helper()
	workspace, err := slacktest.Start(t.Context(), like)
	if err != nil {
		t.Fatal(err)
	}
	p := &place{t: t, workspace: workspace, duty: pagetest.PagerDuty(routingKey), config: filepath.Join(t.TempDir(), "config.yaml")}
	t.Cleanup(p.duty.Close)
	t.Cleanup(func() {
		if err := workspace.Close(); err != nil {
			t.Error(err)
		}
	})
	server := httptest.NewServer(http.HandlerFunc(p.api))
	t.Cleanup(server.Close)
	written, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	ready, folder := workspace.Ready(), filepath.Dir(p.config)
	for name, content := range map[string]string{
		"queue.md":   string(append(example.FindSubmatch(written)[1], '\n')),
		"kubeconfig": fmt.Sprintf("apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: %q}}]\ncontexts: [{name: a, context: {cluster: a}}]\ncurrent-context: a\n", server.URL),
		"config.yaml": fmt.Sprintf(`
runbook: %[1]s/queue.md
kubeconfig: %[1]s/kubeconfig
slack: {api_url: %[2]q, channels: [inc-redis]}
roles: {responders: [U_RESPONDER], approvers: ["@sre-oncall"]}
store: {path: %[1]s/incidents.db}
pagers:
  - {name: duty, type: pagerduty, key_env: CHECK_ROUTING_KEY, url: %[3]q}
  - {name: channel, type: slack, channel: sre-escalations, mention: "@sre-oncall"}
`, folder, ready.API, p.duty.URL),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("SLACK_BOT_TOKEN", ready.BotToken)
	t.Setenv("SLACK_APP_TOKEN", ready.AppToken)
	t.Setenv("CHECK_ROUTING_KEY", routingKey)
	return p
}

// api is an API server that knows no object.
func (p *place) api(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if !strings.HasSuffix(r.URL.Path, "/selfsubjectaccessreviews") {
		fmt.Fprint(w, `{}`)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // whoever asked has gone
	}
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil) // it is not always JSON
	review, ok := object.(*authorizationv1.SelfSubjectAccessReview)
	if err != nil || !ok {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	review.SetGroupVersionKind(authorizationv1.SchemeGroupVersion.WithKind("SelfSubjectAccessReview"))
	asked := review.Spec.ResourceAttributes
	review.Status.Allowed = strings.TrimSuffix(asked.Verb+" "+asked.Resource+"/"+asked.Subresource, "/") != p.denied
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(review) // whoever asked may have gone
}

// checks runs bot check and gives its exit code and what it says.
func (p *place) checks() (int, preflight.Report, string) {
	p.t.Helper()
	var out, errs bytes.Buffer
	cmd := root()
	cmd.SetArgs([]string{"check", "--config", p.config, "-o", "json"})
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	code := report(cmd.ExecuteContext(p.t.Context()))
	var r preflight.Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		p.t.Fatalf("exit %d, %v: %s%s", code, err, out.String(), errs.String())
	}
	return code, r, out.String()
}

// TestCheckNamesTheOne thing that is taken away, wherever it is, and nothing
// else. Nobody is paged, and no secret is told.
func TestCheckNamesTheOne(t *testing.T) {
	for name, test := range map[string]struct {
		workspace slacktest.Options
		spoil     func(p *place)
		want      string // what is wrong
	}{
		"nothing": {},
		"a scope": {workspace: slacktest.Options{Scopes: slices.DeleteFunc(slacktest.DefaultScopes(), func(s string) bool { return s == "files:write" })},
			want: "scope files:write"},
		"a permission":      {spoil: func(p *place) { p.denied = "get pods/log" }, want: "get pods/log"},
		"a pager's key":     {spoil: func(p *place) { p.t.Setenv("CHECK_ROUTING_KEY", strings.Repeat("0", 32)) }, want: "pager duty"},
		"a bot token":       {spoil: func(p *place) { p.t.Setenv("SLACK_BOT_TOKEN", "") }, want: "SLACK_BOT_TOKEN"},
		"the store's place": {spoil: func(p *place) { p.replace("/incidents.db", "/queue.md/incidents.db") }, want: "store "},
		"an API server":     {spoil: func(p *place) { p.replace("/kubeconfig", "/queue.md") }, want: "API server"},
		"a pager's channel": {spoil: func(p *place) { p.replace("channel: sre-escalations", "channel: general") }, want: "channel #general"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, test.workspace)
			if test.spoil != nil {
				test.spoil(p)
			}
			code, report, text := p.checks()
			wrong := report.With(preflight.Wrong)
			switch {
			case test.want == "" && (code != 0 || len(wrong) > 0):
				t.Errorf("exit %d: %s", code, text)
			case test.want != "" && (code != exitProblem || len(wrong) != 1 || !strings.HasPrefix(wrong[0].What, test.want) || wrong[0].Mend == ""):
				t.Errorf("exit %d, wrong is %+v, want %q", code, wrong, test.want)
			}
			ready := p.workspace.Ready()
			for _, secret := range []string{ready.BotToken, ready.AppToken, routingKey} {
				if strings.Contains(text, secret) {
					t.Errorf("a secret is told: %s", text)
				}
			}
			if told := p.duty.Told(); len(told) > 0 {
				t.Errorf("somebody was paged: %+v", told)
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(p.config), "incidents.db")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a store was made: %v", err)
			}
		})
	}
}

// replace edits the configuration.
func (p *place) replace(old, with string) {
	p.t.Helper()
	content, err := os.ReadFile(p.config)
	if err != nil {
		p.t.Fatal(err)
	}
	changed := strings.ReplaceAll(string(content), old, with)
	if changed == string(content) {
		p.t.Fatalf("there is no %q", old)
	}
	if err := os.WriteFile(p.config, []byte(changed), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// TestCheckAsText: a line for each thing, with the mend below what is wrong.
func TestCheckAsText(t *testing.T) {
	p := newPlace(t, slacktest.Options{NoSocketMode: true})
	code, text := bot(t, "check", "--config", p.config)
	for _, want := range []string{"✘ Socket Mode: Slack opens no connection for SLACK_APP_TOKEN (socket_mode_not_enabled)\n   → switch Socket Mode on in the app's settings\n",
		"✔ scope commands: to be asked by a slash command\n", "? interactivity: Slack does not tell a bot", "✔ pager duty: ", "1 to mend."} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if code != exitProblem {
		t.Errorf("exit %d", code)
	}
}

func TestCheckExit(t *testing.T) {
	outside := preflight.Finding{Status: preflight.Unknown, Minor: true}
	for want, findings := range map[int][]preflight.Finding{0: {{Status: preflight.OK}, outside}, exitProblem: {{Status: preflight.Wrong}, {Status: preflight.Unknown}}, exitNoCluster: {{Status: preflight.Unknown}}} {
		if got := report(checkExit(preflight.Report{Findings: findings})); got != want {
			t.Errorf("exit %d, want %d", got, want)
		}
	}
}

// TestWhatIsWrongIsLogged, with its mend; what cannot be told is not.
func TestWhatIsWrongIsLogged(t *testing.T) {
	var out bytes.Buffer
	logFindings(slog.New(slog.NewTextHandler(&out, nil)), []preflight.Finding{{About: "store", What: "store a", Status: preflight.Wrong, Says: "full", Mend: "make room"},
		{What: "clock", Status: preflight.Unknown, Says: "no answer"}, {What: "interactivity", Status: preflight.Unknown, Minor: true}, {What: "scope commands", Status: preflight.OK}})
	for _, want := range []string{`level=WARN msg="check: store a" about=store says=full mend="make room"`, `level=INFO msg="check: clock is not known"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Count(out.String(), "\n") != 2 {
		t.Errorf("logged:\n%s", out.String())
	}
}
