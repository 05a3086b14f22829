package telemetry_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"sigs.k8s.io/yaml"

	"redis-session-bot/internal/telemetry"
)

// exported are the metrics of a bot that has done everything once, as a query may
// name them, with their labels.
func exported(t *testing.T) map[string][]string {
	t.Helper()
	m := telemetry.New("v1", clock())
	doEverything(t, m)
	m.Incidents(list{})
	m.Slack(func() bool { return true })
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(scrape(t, m.Metrics())))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string][]string{"up": nil} // Prometheus' own
	for name, family := range families {
		names := []string{name}
		if family.Metric[0].Histogram != nil {
			names = []string{name + "_bucket", name + "_count", name + "_sum"}
		}
		for _, name := range names {
			known[name] = nil
			for _, label := range family.Metric[0].Label {
				known[name] = append(known[name], label.GetName())
			}
		}
	}
	return known
}

// What a query is made of, beside the metrics.
var (
	stringLiteral = regexp.MustCompile(`"[^"]*"`)
	selector      = regexp.MustCompile(`([a-zA-Z_:][a-zA-Z0-9_:]*)\{([^}]*)\}`)
	grouping      = regexp.MustCompile(`\bby \(([^)]*)\)`)
	span          = regexp.MustCompile(`\[[^\]]*\]|\boffset \w+`)
	labelName     = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)\s*(?:=~|!~|!=|=)`)
	identifier    = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)

	words = []string{"absent", "sum", "max", "min", "count", "topk", "rate", "increase", "changes", "histogram_quantile", "vector", "time", "or", "unless"}
	// labels that Prometheus adds, and that of a histogram's buckets
	added = []string{"job", "instance", "le"}
)

// TestMetricsThatAreAskedForExist: every metric and every label of the alert rules
// and of the dashboard is one that the bot exports.
func TestMetricsThatAreAskedForExist(t *testing.T) {
	known := exported(t)
	queries := append(ruleQueries(t, "../../deploy/alerts/bot.rules.yaml"), dashboardQueries(t, "../../deploy/grafana/redis-session-bot.json")...)
	if len(queries) < 30 {
		t.Fatalf("only %d queries were found", len(queries))
	}
	asked := map[string]bool{}
	for _, query := range queries {
		wrong, metrics := judge(known, query)
		for _, says := range wrong {
			t.Errorf("%s: %s", says, query)
		}
		for _, metric := range metrics {
			asked[metric] = true
		}
	}
	for metric := range known {
		whole := strings.TrimSuffix(strings.TrimSuffix(metric, "_sum"), "_count")
		if strings.HasPrefix(metric, "redis_session_bot_") && whole == metric && !asked[metric] {
			t.Errorf("nobody looks at %s", metric)
		}
	}
	for query, want := range map[string]string{
		"redis_session_bot_commands":                             "redis_session_bot_commands is no metric",
		`redis_session_bot_commands_total{command="a"}`:          "redis_session_bot_commands_total has no label command",
		"sum by (verb) (redis_session_bot_changes_total)":        "nothing here has a label verb",
		"quantile_over_time(0.5, redis_session_bot_pages_total)": "quantile_over_time is no metric",
	} {
		if wrong, _ := judge(known, query); !slices.Contains(wrong, want) {
			t.Errorf("%s: %q, want %q", query, wrong, want)
		}
	}
}

// judge says what of a query does not exist, and which metrics it names.
func judge(known map[string][]string, query string) (wrong, metrics []string) {
	rest := stringLiteral.ReplaceAllString(query, `""`)
	has := slices.Clone(added)
	for _, match := range selector.FindAllStringSubmatch(rest, -1) {
		for _, label := range labelName.FindAllStringSubmatch(match[2], -1) {
			if !slices.Contains(known[match[1]], label[1]) && !slices.Contains(added, label[1]) {
				wrong = append(wrong, match[1]+" has no label "+label[1])
			}
		}
	}
	rest = selector.ReplaceAllString(rest, "$1")
	groups := grouping.FindAllStringSubmatch(rest, -1)
	rest = span.ReplaceAllString(grouping.ReplaceAllString(rest, ""), "")
	for _, name := range identifier.FindAllString(rest, -1) {
		if labels, there := known[name]; there {
			metrics = append(metrics, name)
			has = append(has, labels...)
		} else if !slices.Contains(words, name) {
			wrong = append(wrong, name+" is no metric")
		}
	}
	for _, group := range groups {
		for label := range strings.SplitSeq(group[1], ",") {
			if label = strings.TrimSpace(label); !slices.Contains(has, label) {
				wrong = append(wrong, "nothing here has a label "+label)
			}
		}
	}
	return wrong, metrics
}

func ruleQueries(t *testing.T, path string) (queries []string) {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []struct{ Expr string }
		}
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			queries = append(queries, rule.Expr)
		}
	}
	return queries
}

func dashboardQueries(t *testing.T, path string) (queries []string) {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			ID      int
			Title   string
			Type    string
			Targets []struct{ Expr string }
		}
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &dashboard); err != nil {
		t.Fatal(err)
	}
	ids := map[int]bool{}
	for _, panel := range dashboard.Panels {
		if ids[panel.ID] || panel.Title == "" || (len(panel.Targets) == 0) != (panel.Type == "row") {
			t.Errorf("panel %d %q shows nothing, or its number stands twice", panel.ID, panel.Title)
		}
		ids[panel.ID] = true
		for _, target := range panel.Targets {
			queries = append(queries, target.Expr)
		}
	}
	return queries
}
