package chart

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"redis-session-bot/internal/config"
	"redis-session-bot/internal/evidence"
)

// secretFolder is where the chart mounts the Secret with the tokens.
const secretFolder = "/etc/redis-session-bot/secret/"

// configuration writes the rendered config.yaml beside the files of a Secret, as a
// pod has them, and gives its path.
func configuration(t *testing.T, values map[string]any) string {
	t.Helper()
	folder := t.TempDir()
	for _, key := range []string{"slack-bot-token", "slack-app-token", "alerts-token", "pagerduty-routing-key"} {
		if err := os.WriteFile(filepath.Join(folder, key), []byte(fmt.Sprintf("%-32s", key)[:32]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "pagerduty-routing-key"), []byte(strings.Repeat("r", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, one := range of[*corev1.ConfigMap](objects(t, values)) {
		text, there := one.Data["config.yaml"]
		if !there {
			continue
		}
		path := filepath.Join(folder, "config.yaml")
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, secretFolder, folder+"/")), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Fatal("there is no config.yaml")
	return ""
}

// TestTheBotTakesItsConfiguration: what is rendered loads, and says what the values
// say and what the pod has.
func TestTheBotTakesItsConfiguration(t *testing.T) {
	each(t, func(t *testing.T, values map[string]any) {
		c, err := config.Load(configuration(t, values))
		if err != nil {
			t.Fatal(err)
		}
		if strings.TrimSpace(c.Slack.BotToken) != "slack-bot-token" || strings.TrimSpace(c.Slack.AppToken) != "slack-app-token" || c.HTTP.Listen != ":8080" {
			t.Errorf("%+v %+v", c.Slack, c.HTTP)
		}
		switch name := t.Name(); {
		case strings.HasSuffix(name, "defaults"):
			if len(c.Targets) != 0 || c.Store.Kind != config.StoreFile || c.Store.Path != "/var/lib/redis-session-bot/incidents.db" {
				t.Errorf("%+v", c)
			}
		case strings.HasSuffix(name, "statefulset"):
			want := evidence.Target{Name: "shop", Namespace: "shop-sessions", Workload: "session-cache", Container: "valkey", Service: "session-cache", Port: 6380,
				Config: "session-cache-conf", ConfigKey: "valkey.conf", Secret: "session-cache-auth", SecretKey: "password", App: "storefront", AppConfig: "storefront-settings", Backup: "session-cache-backup"}
			if len(c.Targets) != 1 || c.Targets[0] != want || c.Store.KeepCount != 1000000 || c.Alerts.Listen != ":9097" {
				t.Errorf("%+v", c)
			}
		case strings.HasSuffix(name, "replicas"):
			if len(c.Targets) != 2 || c.Store.Kind != config.StoreKubernetes || c.Store.Namespace != "redis-session-incidents" || c.Store.Keep != 0 || len(c.Escalation.Levels) != 2 {
				t.Errorf("%+v", c)
			}
		}
	})
	c, err := config.Load(configuration(t, parse(t, "config: {store: {kind: kubernetes}}\nkubeconfig: {secret: fleet}\nrunbook: {configMap: mine}\nrbac: {create: false}")))
	if err != nil || c.Store.Namespace != namespace || c.Kubeconfig != "/etc/redis-session-bot/kubeconfig/kubeconfig" || c.Runbook != "/etc/redis-session-bot/runbook/runbook.md" {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestAnotherConfigurationIsAnotherPod: so that it is read.
func TestAnotherConfigurationIsAnotherPod(t *testing.T) {
	annotations := func(text string) map[string]string {
		return only[*appsv1.Deployment](t, objects(t, parse(t, text))).Spec.Template.Annotations
	}
	own := "runbook: {content: '# %s'}\nrbac: {create: false}\nconfig: {targets: [{name: a, namespace: a}]}"
	for name, two := range map[string][2]string{"config": {"{}", "config: {log: {level: debug}}"}, "runbook": {fmt.Sprintf(own, "a"), fmt.Sprintf(own, "b")}} {
		if maps.Equal(annotations(two[0]), annotations(two[1])) {
			t.Errorf("another %s keeps the pod", name)
		}
	}
	if !maps.Equal(annotations("{}"), annotations("replicas: 0")) {
		t.Error("the same configuration does not keep the pod")
	}
}

// schemaNode is what of a JSON schema says which keys there are.
type schemaNode struct {
	Properties map[string]schemaNode
	Additional any `json:"additionalProperties"`
	Items      *schemaNode
}

// TestTheSchemaKnowsEverySetting of the bot's configuration, those that the chart
// decides excepted, and nothing else.
func TestTheSchemaKnowsEverySetting(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(chartFolder, "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema schemaNode
	if err := json.Unmarshal(content, &schema); err != nil {
		t.Fatal(err)
	}
	node := schema.Properties["config"]
	node.Properties["runbook"], node.Properties["kubeconfig"] = schemaNode{}, schemaNode{}
	same(t, "config", node, reflect.TypeFor[config.Config]())
}

func same(t *testing.T, path string, node schemaNode, of reflect.Type) {
	t.Helper()
	known := map[string]reflect.Type{}
	for i := range of.NumField() {
		field := of.Field(i)
		name := field.Tag.Get("mapstructure")
		if name == "" { // of a target, which config.yaml writes with underscores
			name = map[string]string{"ConfigKey": "config_key", "SecretKey": "secret_key", "AppConfig": "app_config"}[field.Name]
			if name == "" {
				name = strings.ToLower(field.Name)
			}
		}
		if name != "-" {
			known[name] = field.Type
		}
	}
	if got, want := slices.Sorted(maps.Keys(node.Properties)), slices.Sorted(maps.Keys(known)); !slices.Equal(got, want) {
		t.Errorf("%s: the schema has %q, and the bot %q", path, got, want)
	}
	if node.Additional != false {
		t.Errorf("%s: other keys are let through", path)
	}
	for name, kind := range known {
		next := node.Properties[name]
		switch {
		case kind.Kind() == reflect.Struct:
			same(t, path+"."+name, next, kind)
		case kind.Kind() == reflect.Slice && kind.Elem().Kind() == reflect.Struct:
			if next.Items == nil {
				t.Errorf("%s.%s: the schema knows no list", path, name)
				continue
			}
			same(t, path+"."+name, *next.Items, kind.Elem())
		}
	}
}
