package verdicts

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/lab/workload"
)

// maxKeptLog is how much of one log is kept, in bytes, from its beginning.
const maxKeptLog = 24 << 10

// keepBundle keeps a bundle as test data: small, and in the runbook's namespace.
func keepBundle(t *testing.T, dir, namespace, fault, shape string) {
	t.Helper()
	kept := filepath.Join("..", "..", "..", "runbooks", "testdata", "bundles", strings.ReplaceAll(fault, "/", "-")+"-"+shape)
	if err := os.RemoveAll(kept); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if filepath.Ext(path) == ".json" {
			if data, err = prunedJSON(data, slices.Contains(writers, filepath.Base(path))); err != nil {
				return err
			}
		} else if len(data) > maxKeptLog {
			data = data[:maxKeptLog]
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		to := filepath.Join(kept, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, []byte(strings.ReplaceAll(string(data), namespace, workload.DefaultNamespace)), 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// writers are the files whose objects tell who wrote them.
var writers = []string{evidence.FileDeployments, evidence.FileStatefulSets, evidence.FileConfigMaps, evidence.FileSecrets}

// prunedJSON leaves out which fields each manager wrote, or the managers whole:
// nothing is read from them, and they are half of every object.
func prunedJSON(data []byte, managers bool) ([]byte, error) {
	var content any
	if err := json.Unmarshal(data, &content); err != nil {
		return nil, err
	}
	prune(content, managers)
	pruned, err := json.MarshalIndent(content, "", " ")
	return append(pruned, '\n'), err
}

func prune(node any, managers bool) {
	switch n := node.(type) {
	case []any:
		for _, child := range n {
			prune(child, managers)
		}
	case map[string]any:
		delete(n, "fieldsV1")
		if !managers {
			delete(n, "managedFields")
		}
		for _, child := range n {
			prune(child, managers)
		}
	}
}
