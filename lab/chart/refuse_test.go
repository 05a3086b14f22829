package chart

import (
	"strings"
	"testing"
)

// TestWhatIsRefused: with a sentence that says where.
func TestWhatIsRefused(t *testing.T) {
	for name, test := range map[string]struct{ values, want string }{
		"two replicas on a file":        {"replicas: 2", "replicas: 2 replicas cannot share one file. Keep the incidents in the cluster (config.store.kind: kubernetes)"},
		"a key that is none":            {"replica: 2", "additional properties 'replica' not allowed"},
		"a setting that is none":        {"config: {slack: {chanels: [a]}}", "additional properties 'chanels' not allowed"},
		"a target's key that is none":   {"config: {targets: [{name: a, configMap: b}]}", "additional properties 'configMap' not allowed"},
		"a token":                       {"config: {slack: {bot_token: xoxb-1}}", "additional properties 'bot_token' not allowed"},
		"a pager's key":                 {"config: {pagers: [{name: a, type: pagerduty, key: b}]}", "additional properties 'key' not allowed"},
		"a runbook that is not mounted": {"config: {runbook: /tmp/a.md}", "additional properties 'runbook' not allowed"},
		"a file beside the volume":      {"config: {store: {path: /tmp/incidents.db}}", "'/var/lib/redis-session-bot/incidents.db'"},
		"no probes":                     {"config: {http: {listen: ''}}", "at '/config/http/listen'"},
		"probes from nowhere":           {"config: {http: {listen: '127.0.0.1:8080'}}", "at '/config/http/listen'"},
		"a webhook for anybody":         {"config: {alerts: {listen: ':9097', channel: a}}", "at '/config/alerts/token_file'"},
		"no time":                       {"config: {limits: {step: soon}}", "at '/config/limits/step'"},
		"nobody of Slack":               {"config: {roles: {approvers: [sre]}}", "at '/config/roles/approvers/0'"},
		"one port for two":              {"config: {alerts: {listen: ':8080', channel: a, token_file: b}}", "alerts.listen and http.listen are the same port"},
		"two runbooks":                  {"runbook: {content: a, configMap: b}", "content and configMap are both set"},
		"rules of another runbook":      {"runbook: {content: a}", "Run bot rbac --runbook FILE"},
		"a runbook of no namespace":     {"runbook: {content: a}\nrbac: {rules: [{apiGroups: [''], resources: [pods], verbs: [list]}]}", "name the targets and the namespace of each"},
		"no Secret":                     {"secret: {name: ''}", "at '/secret/name'"},
		"no digest":                     {"image: {digest: 'sha256:1'}", "at '/image/digest'"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := render(parse(t, test.values)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("want %q, got %v", test.want, err)
			}
		})
	}
}

// TestNotesSayTheNextStep of each shape.
func TestNotesSayTheNextStep(t *testing.T) {
	for name, test := range map[string]struct {
		values map[string]any
		has    []string
		hasNot []string
	}{
		"defaults": {nil, []string{"answers in no channel", "Nobody may use it yet", "Secret redis-session-bot in ops", "slack-bot-token, slack-app-token.", "/bot check", "/redis-session diagnose", "in one of its channels", "a file on a volume"}, []string{"Alertmanager"}},
		"replicas": {valuesOf(t, "replicas-values.yaml"), []string{"#inc-redis", "ConfigMaps of redis-session-incidents", "alerts-token", "http://redis-session-bot.ops:9097/alerts"}, []string{"Nobody", "no channel"}},
		"far": {parse(t, "rbac: {create: false}\nkubeconfig: {secret: fleet}\nconfig: {roles: {responders: ['@a']}, targets: [{name: eu, context: eu-1}]}"),
			[]string{"Nobody may apply a plan yet", "bot rbac --service-account ops/redis-session-bot", "apply there what bot rbac eu prints, for the account of context eu-1"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			rendered, err := render(test.values)
			if err != nil {
				t.Fatal(err)
			}
			notes := rendered["redis-session-bot/templates/NOTES.txt"]
			for _, text := range test.has {
				if !strings.Contains(notes, text) {
					t.Errorf("no %q in\n%s", text, notes)
				}
			}
			for _, text := range test.hasNot {
				if strings.Contains(notes, text) {
					t.Errorf("%q is in\n%s", text, notes)
				}
			}
		})
	}
}
