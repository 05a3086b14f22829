package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/config"
)

// load reads a configuration file of that content.
func load(t *testing.T, content string) (config.Config, error) {
	t.Helper()
	for _, name := range []string{"SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_API_URL", "ALERTS_TOKEN", "PROMETHEUS_TOKEN"} {
		if os.Getenv(name) != "" {
			t.Setenv(name, "")
		}
	}
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.Load(file)
}

func TestBadSettingsAreRefusedByName(t *testing.T) {
	tests := map[string]struct{ content, want string }{
		"unknown key":            {"slak: {}\nslack: {chanels: [a]}", "slack.chanels is not a setting; did you mean slack.channels?"},
		"unknown target key":     {"targets: [{name: a, namespce: b}]", "targets[0].namespce is not a setting; did you mean namespace?"},
		"a target without name":  {"targets: [{namespace: b}]", "targets[0]: it has no name"},
		"a target twice":         {"targets: [{name: a}, {name: a}]", `targets[1]: the name "a" stands twice`},
		"targets no list":        {"targets: {name: a}", "targets: a list is needed"},
		"a token in the file":    {"slack: {bot_token: xoxb-1}", "slack.bot_token: tokens do not belong in this file"},
		"no duration":            {"limits: {step: soon}", "time: invalid duration"},
		"a duration of nothing":  {"limits: {verify: 0s}", "limits.verify: 0s is not a time"},
		"no level":               {"log: {level: loud}", `log.level: "loud" is not a level`},
		"an address no address":  {"slack: {api_url: slack.com}", `slack.api_url: "slack.com" is not an address`},
		"a role no ID":           {"roles: {approvers: [bob]}", `roles.approvers: "bob" is neither a user ID`},
		"no YAML":                {"slack: [", "config.yaml"},
		"no such rule":           {"approvals: {second_person: maybe}", `approvals.second_person: "maybe" is not known`},
		"night without a zone":   {"approvals: {break_glass: {from: '22:00', to: '07:00'}}", "approvals.break_glass: zone is missing"},
		"night on the moon":      {"approvals: {break_glass: {from: '22:00', to: '07:00', zone: Moon}}", `approvals.break_glass: "Moon" is no time zone`},
		"night that never ends":  {"approvals: {break_glass: {from: '22:00', to: late, zone: UTC}}", `approvals.break_glass: "late" is no time of day`},
		"a night of nothing":     {"approvals: {break_glass: {from: '22:00', to: '22:00', zone: UTC}}", "approvals.break_glass: from and to are the same time"},
		"a port alone":           {"http: {listen: '8080'}", `http.listen: "8080" is not an address`},
		"a key of a pager":       {"pagers: [{name: a, type: pagerduty, routing_key: R0}]", "pagers[0].routing_key: keys do not belong in this file"},
		"unknown pager key":      {"pagers: [{name: a, type: slack, chanel: b}]", "pagers[0].chanel is not a setting; did you mean channel?"},
		"unknown level key":      {"escalation: {levels: [{pager: a}]}", "escalation.levels[0].pager is not a setting; did you mean pagers?"},
		"levels no list":         {"escalation: {levels: {pagers: [a]}}", "escalation.levels: a list is needed"},
		"a type of pager":        {"pagers: [{name: a, type: fax}]", `pagers[0].type: "fax" is not known`},
		"a pager without key":    {"pagers: [{name: a, type: pagerduty}]", "pagers[0].key_env: there is no key"},
		"a pager without name":   {"pagers: [{type: slack, channel: a}]", "pagers[0]: it has no name"},
		"a drill on no target":   {"targets: [{name: a}]\ndrills: [a, b]", `drills: there is no target "b"`},
		"a pager twice":          {"pagers: [{name: a, type: slack, channel: a}, {name: a, type: slack, channel: a}]", `pagers[1]: the name "a" stands twice`},
		"a page nowhere":         {"pagers: [{name: a, type: slack}]", "pagers[0].channel: name the channel"},
		"a webhook nowhere":      {"pagers: [{name: a, type: webhook}]", "pagers[0].url: a webhook needs its address"},
		"a webhook no address":   {"pagers: [{name: a, type: webhook, url: hooks}]", "pagers[0].url: it is not an address"},
		"a level for nobody":     {"escalation: {levels: [{who: a}]}", "escalation.levels[0].pagers: name at least one pager"},
		"a level of nobody":      {"escalation: {levels: [{pagers: [b]}]}", `escalation.levels[0].pagers: there is no pager "b"; list it`},
		"a level misspelt":       {"pagers: [{name: duty, type: slack, channel: a}]\nescalation: {levels: [{pagers: [duti]}]}", `there is no pager "duti"; did you mean duty?`},
		"levels in disorder":     {"escalation: {levels: [{after: 1h}, {after: 1m}]}", "escalation.levels[1].after: 1m0s is before the level above"},
		"a repeat too soon":      {"escalation: {levels: [{repeat: 1s}]}", "escalation.levels[0].repeat: repeat after a minute or more"},
		"a reminder afterwards":  {"escalation: {remind: -1m}", "escalation.remind: -1m0s is not a time"},
		"a response of none":     {"incident_response: {pagers: [b]}", `incident_response.pagers: there is no pager "b"`},
		"a response at no level": {"incident_response: {level: 1}", "incident_response.level: there is no level 1"},
		"no such way":            {"alerts: {diagnose: maybe}", `alerts.diagnose: "maybe" is not known`},
		"a time before now":      {"alerts: {reopen_within: -1m}", "alerts.reopen_within: -1m0s is not a time"},
		"no address of alerts":   {"alerts: {listen: '9097'}", `alerts.listen: "9097" is no address`},
		"a webhook for anybody":  {"alerts: {listen: ':9097', channel: a}", "alerts.token_file: the webhook needs a token"},
		"alerts to nowhere":      {"alerts: {listen: ':9097'}", "alerts.channel: name the channel"},
		"alerts of no label":     {"alerts: {targets: [{label: a, target: default}]}", "alerts.targets[0]: name a label"},
		"alerts of no target":    {"alerts: {targets: [{label: a, value: b, target: c}]}", `alerts.targets[0]: there is no target "c"`},
		"unknown key of alerts":  {"alerts: {targets: [{lable: a}]}", "alerts.targets[0].lable is not a setting; did you mean label?"},
		"Prometheus nowhere":     {"prometheus: {url: 'prometheus:9090'}", "prometheus.url: this is no address"},
		"no hours of Prometheus": {"prometheus: {hours: 0s}", "prometheus.hours: 0s is not a time"},
		"a store nowhere":        {"store: {path: ''}", "store.path: name the file"},
		"a store of a kind":      {"store: {kind: redis}", `store.kind: "redis" is not known`},
		"kept for a moment":      {"store: {keep: 5m}", "store.keep: 5m0s is no time"},
		"kept for no time":       {"store: {keep: a year}", "time: invalid duration"},
		"fewer than none":        {"store: {keep_count: -1}", "store.keep_count: -1 is no number"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, test.content)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("want %q, got %v", test.want, err)
			}
		})
	}
	if _, err := config.Load(filepath.Join(t.TempDir(), "none.yaml")); err == nil || !strings.Contains(err.Error(), "none.yaml") {
		t.Errorf("a named file that is not there: %v", err)
	}
}

func TestTheShippedFileShowsTheDefaults(t *testing.T) {
	shipped, err := config.Load("../../config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defaults, err := load(t, "{}")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*config.Config{&defaults, &shipped} { // each is beside its own file
		c.Store.Path = filepath.Base(c.Store.Path)
	}
	if diff := cmp.Diff(defaults, shipped); diff != "" {
		t.Errorf("defaults (-) and config.yaml (+) differ:\n%s", diff)
	}
}

func TestTheEnvironmentOverrides(t *testing.T) {
	t.Setenv("REDIS_SESSION_BOT_SLACK_CHANNELS", "inc-redis,inc-other")
	t.Setenv("REDIS_SESSION_BOT_LIMITS_STEP", "7s")
	c, err := load(t, "slack: {channels: [x]}\ntargets: [{name: a, config_key: k, secretKey: s}]")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Slack.Channels, []string{"inc-redis", "inc-other"}) || c.Limits.Step != 7*time.Second {
		t.Errorf("%+v", c)
	}
	if c.Targets[0].ConfigKey != "k" || c.Targets[0].SecretKey != "s" {
		t.Errorf("target: %+v", c.Targets[0])
	}
}

func TestTimesMayBeDays(t *testing.T) {
	for written, want := range map[string]time.Duration{"7d": 168 * time.Hour, "36h": 36 * time.Hour, "0": 0, "'0'": 0} {
		c, err := load(t, "store: {keep: "+written+"}")
		if err != nil || c.Store.Keep != want {
			t.Errorf("%s: %s, %v", written, c.Store.Keep, err)
		}
	}
	t.Setenv("REDIS_SESSION_BOT_STORE_KEEP", "3d")
	if c, err := load(t, "{}"); err != nil || c.Store.Keep != 72*time.Hour {
		t.Errorf("from the environment: %s, %v", c.Store.Keep, err)
	}
}

func TestTokensComeFromTheEnvironmentOrFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("xoxb-from-a-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := load(t, "slack: {bot_token_file: "+file+"}")
	if err != nil || c.Slack.BotToken != "xoxb-from-a-file" {
		t.Errorf("%q, %v", c.Slack.BotToken, err)
	}
	t.Setenv("SLACK_APP_TOKEN", "xapp-from-env")
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte("slack: {app_token_file: /nowhere}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err = config.Load(path); err != nil || c.Slack.AppToken != "xapp-from-env" {
		t.Errorf("%q, %v", c.Slack.AppToken, err)
	}
	if _, err := load(t, "slack: {bot_token_file: /nowhere}"); err == nil || !strings.Contains(err.Error(), "SLACK_BOT_TOKEN") {
		t.Errorf("a token file that is not there: %v", err)
	}
}

func TestKeysOfPagersComeFromTheEnvironmentOrFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("https://example.com/hooks/secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TEST_ROUTING_KEY", strings.Repeat("r", 32))
	c, err := load(t, "pagers: [{name: duty, type: pagerduty, key_env: TEST_ROUTING_KEY}, {name: hook, type: webhook, url_file: "+file+", key_file: "+file+"}]\n"+
		"escalation: {levels: [{pagers: [duty, hook], repeat: 10m}, {pagers: hook, after: 15m}]}")
	if err != nil {
		t.Fatal(err)
	}
	if c.Pagers[0].Key != strings.Repeat("r", 32) || c.Pagers[1].URL != "https://example.com/hooks/secret" || c.Pagers[1].Key != c.Pagers[1].URL {
		t.Errorf("pagers: %+v", c.Pagers)
	}
	want := []config.Level{{Pagers: []string{"duty", "hook"}, Repeat: 10 * time.Minute, Times: 3}, {Pagers: []string{"hook"}, After: 15 * time.Minute}}
	if diff := cmp.Diff(want, c.Escalation.Levels); diff != "" {
		t.Error(diff)
	}
	t.Setenv("TEST_ROUTING_KEY", "too-short-canary")
	if _, err := load(t, "pagers: [{name: duty, type: pagerduty, key_env: TEST_ROUTING_KEY}]"); err == nil || !strings.Contains(err.Error(), "has 32 characters, and this one 16") || strings.Contains(err.Error(), "canary") {
		t.Errorf("%v", err)
	}
	if _, err := load(t, "pagers: [{name: duty, type: pagerduty, key_file: /nowhere}]"); err == nil || !strings.Contains(err.Error(), "the key of pager duty") {
		t.Errorf("%v", err)
	}
}
