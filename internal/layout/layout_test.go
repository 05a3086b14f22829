// Package layout holds the rule by which the packages may import each other.
package layout

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "redis-session-bot/"

// mayImport is the picture of the architecture: a package may import those in
// its row and nothing else of ours. Arrows point down only; cmd/bot may
// import all.
var mayImport = map[string][]string{
	"internal/redisconf":                {},
	"internal/redact":                   {},
	"internal/preflight":                {},
	"internal/evidence":                 {"internal/redisconf"},
	"internal/checks":                   {"internal/evidence"},
	"internal/audit":                    {"internal/checks", "internal/evidence"},
	"internal/standby":                  {"internal/evidence", "internal/redisconf"},
	"internal/runbook":                  {"internal/evidence"},
	"runbooks":                          {},
	"internal/incident":                 {"internal/runbook", "internal/checks", "internal/evidence"},
	"internal/incident/incidenttest":    {"internal/runbook", "internal/checks", "internal/evidence"},
	"internal/prometheus":               {"internal/incident", "internal/evidence"},
	"internal/alerts":                   {"internal/incident", "internal/evidence"},
	"internal/picture":                  {"internal/evidence"},
	"internal/report":                   {"internal/incident", "internal/runbook", "internal/checks", "internal/evidence"},
	"internal/commands":                 {"internal/preflight", "internal/report", "internal/picture", "internal/incident", "internal/audit", "internal/standby", "internal/runbook", "internal/checks", "internal/evidence"},
	"internal/k8s":                      {"internal/preflight", "internal/incident", "internal/audit", "internal/standby", "internal/runbook", "internal/evidence", "internal/redact", "internal/redisconf"},
	"internal/redis":                    {"internal/evidence"},
	"internal/slack":                    {"internal/preflight", "internal/commands", "internal/incident"},
	"internal/slack/slacktest":          {"internal/slack/slacktest/blockkit", "internal/slack/slacktest/page"},
	"internal/slack/slacktest/blockkit": {},
	"internal/slack/slacktest/page":     {},
	"internal/slack/slacktest/browser":  {},
	"internal/page":                     {"internal/incident", "internal/redact"},
	"internal/page/pagetest":            {},
	"internal/terminal":                 {"internal/preflight", "internal/commands", "internal/audit", "internal/incident", "internal/runbook", "internal/checks"},
	"internal/telemetry":                {"internal/commands", "internal/incident", "internal/evidence"},
	"internal/chain":                    {"internal/incident"},
	"internal/store/record":             {},
	"internal/store/memory":             {"internal/chain", "internal/incident", "internal/evidence"},
	"internal/store/bolt":               {"internal/chain", "internal/incident", "internal/evidence", "internal/store/record"},
	"internal/store/kube":               {"internal/chain", "internal/incident", "internal/evidence", "internal/store/record"},
	"internal/store/kube/kubetest":      {},
	"internal/store/storetest":          {"internal/chain", "internal/incident", "internal/evidence", "internal/runbook"},
	"internal/config":                   {"internal/evidence"},
	"internal/layout":                   {},
	"internal/chaos":                    {},
	"internal/chaos/clustertest":        {"internal/incident", "internal/incident/incidenttest", "internal/runbook", "internal/evidence", "internal/redact"},
}

func TestArrowsPointDown(t *testing.T) {
	command := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	decoder := json.NewDecoder(bytes.NewReader(out))
	seen := 0
	for {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&pkg); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("read go list: %v", err)
		}
		name := strings.TrimPrefix(pkg.ImportPath, module)
		if name == "cmd/bot" {
			continue
		}
		seen++
		allowed, known := mayImport[name]
		if !known {
			t.Errorf("%s is not in the picture: give it a row in mayImport", name)
			continue
		}
		for _, imported := range pkg.Imports {
			own, ours := strings.CutPrefix(imported, module)
			if ours && !slices.Contains(allowed, own) {
				t.Errorf("%s imports %s: that arrow is not in the picture", name, own)
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d packages were looked at", seen)
	}
}
