package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const deployedManifest = "../../deploy/slack-app.yaml"

// TestManifestIsDeployed holds deploy/slack-app.yaml: it is what bot manifest
// prints for a configuration of nothing but defaults.
func TestManifestIsDeployed(t *testing.T) {
	path, err := filepath.Abs(deployedManifest)
	if err != nil {
		t.Fatal(err)
	}
	code, printed := bot(t, "manifest")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, printed)
	}
	if *update {
		if err := os.WriteFile(path, []byte(printed), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: go test ./cmd/bot -run TestManifest -update", err)
	}
	if diff := cmp.Diff(printed, string(written)); diff != "" {
		t.Errorf("deploy/slack-app.yaml is stale: go test ./cmd/bot -run TestManifest -update\n-want +got:\n%s", diff)
	}
}

// TestManifestIsTheLeast: what no configured name needs is left out, and private
// channels are asked for.
func TestManifestIsTheLeast(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte("roles:\n  responders: [U1]\n  approvers: [U2]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, printed := bot(t, "manifest", "--config", file)
	if code != 0 || strings.Contains(printed, "- usergroups:read") || strings.Contains(printed, "- groups:read") || !strings.Contains(printed, "command: /redis-session") {
		t.Errorf("exit %d:\n%s", code, printed)
	}
	if code, printed := bot(t, "manifest", "--config", file, "--private"); code != 0 || !strings.Contains(printed, "- groups:history #") {
		t.Errorf("exit %d:\n%s", code, printed)
	}
}
