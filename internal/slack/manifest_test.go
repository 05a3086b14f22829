package slack_test

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"

	"redis-session-bot/internal/slack"
)

// patterns are Go's. Those that look ahead, which Go's do not, are of domains: a
// manifest with one would be refused.
func patterns(text string) (jsonschema.Regexp, error) {
	if strings.Contains(text, "(?!") {
		return nothing(text), nil
	}
	return regexp.Compile(text)
}

// nothing is a pattern that nothing matches.
type nothing string

func (n nothing) MatchString(string) bool { return false }
func (n nothing) String() string          { return string(n) }

// TestManifest: Slack's own schema takes it, and it asks for the scopes of the
// table and for nothing else, each with its reason.
func TestManifest(t *testing.T) {
	file, err := os.Open("testdata/app-manifest.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	document, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseRegexpEngine(patterns)
	if err := compiler.AddResource("manifest.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	commands := []slack.Command{{Name: "redis-session", Description: "Redis session store down", UsageHint: "diagnose"}, {Name: "queue", Description: "Queue"}}
	for _, uses := range []slack.Uses{{}, {Groups: true}, {Private: true}, {Private: true, Groups: true}} {
		written, err := slack.Manifest(commands, uses)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := yaml.YAMLToJSON(written)
		if err != nil {
			t.Fatalf("%v in\n%s", err, written)
		}
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(instance); err != nil {
			t.Errorf("%+v: %v in\n%s", uses, err, written)
		}
		var read struct {
			Features struct {
				SlashCommands []struct{ Command string } `json:"slash_commands"`
			}
			OAuth struct {
				Scopes map[string][]string
			} `json:"oauth_config"`
			Settings struct {
				Events        map[string][]string `json:"event_subscriptions"`
				Interactivity map[string]bool
				SocketMode    bool `json:"socket_mode_enabled"`
			}
		}
		if err := yaml.UnmarshalStrict(written, &map[string]any{}); err != nil {
			t.Error(err)
		}
		if err := yaml.Unmarshal(written, &read); err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, one := range slack.Scopes(uses) {
			want = append(want, one.Name)
			if line := fmt.Sprintf("- %s # %s\n", one.Name, one.Why); !strings.Contains(string(written), line) {
				t.Errorf("no %q in\n%s", line, written)
			}
		}
		if diff := cmp.Diff(map[string][]string{"bot": want}, read.OAuth.Scopes); diff != "" {
			t.Errorf("scopes (-want +got):\n%s", diff)
		}
		if len(read.Features.SlashCommands) != 2 || read.Features.SlashCommands[0].Command != "/redis-session" {
			t.Errorf("commands: %+v", read.Features.SlashCommands)
		}
		if !read.Settings.SocketMode || !read.Settings.Interactivity["is_enabled"] || !cmp.Equal(read.Settings.Events["bot_events"], []string{"app_mention"}) {
			t.Errorf("settings: %+v", read.Settings)
		}
		if hint := strings.Contains(string(written), "--private adds groups:read and groups:history"); hint == uses.Private {
			t.Errorf("private %t, and the hint is there: %t", uses.Private, hint)
		}
	}
}
