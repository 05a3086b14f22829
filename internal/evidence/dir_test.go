package evidence_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
)

// folder writes files into a new folder.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestABundleComesBack(t *testing.T) {
	saved := evidence.Bundle{
		Meta:       evidence.Meta{Namespace: "ns", Workload: "store"},
		Pods:       &corev1.PodList{Items: []corev1.Pod{{TypeMeta: metav1.TypeMeta{Kind: "Pod"}, ObjectMeta: metav1.ObjectMeta{Name: "store-0"}}}},
		Logs:       []evidence.RawLog{{Pod: "store-0", Container: "redis", Text: "one\n"}, {Pod: "store-0", Container: "redis", Previous: true, Text: "two\n"}},
		Probes:     &evidence.Probes{Reach: []evidence.Reach{{From: "app", OK: true}}, Redis: []evidence.Redis{{Pod: "store-0", OK: true, Keys: 3}}},
		Alerts:     &[]evidence.Alert{{Name: "StoreDown", Firing: true, Since: time.Unix(1767322800, 0).UTC(), Labels: map[string]string{"job": "store"}}},
		Prometheus: &evidence.Prometheus{Keys: []evidence.Sample{{At: time.UnixMilli(1767322800500).UTC(), Value: 12403}}},
		Missing:    map[string]string{evidence.FileNodes: "nodes are forbidden for the bot"},
	}
	dir := filepath.Join(t.TempDir(), "bundle")
	if err := evidence.Save(saved, dir); err != nil {
		t.Fatal(err)
	}
	got, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(saved.Logs, got.Logs); diff != "" {
		t.Errorf("logs:\n%s", diff)
	}
	if got.Pods.Items[0].Name != "store-0" || got.Meta.Workload != "store" || !cmp.Equal(saved.Probes, got.Probes) ||
		!cmp.Equal(saved.Alerts, got.Alerts) || !cmp.Equal(saved.Prometheus, got.Prometheus) {
		t.Errorf("%+v", got)
	}
	if got.Missing[evidence.FileNodes] != "nodes are forbidden for the bot" || got.Missing[evidence.FileClaims] == "" || got.Nodes != nil {
		t.Errorf("missing: %q", got.Missing)
	}
	if err := evidence.Save(saved, dir); err == nil {
		t.Error("a folder that holds something was written into")
	}
}

func TestAHostileBundleIsAnErrorAndNoCrash(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)
	tests := map[string]struct {
		files map[string]string
		want  string
	}{
		"nothing":           {map[string]string{"notes.txt": "x"}, "holds no file of a bundle"},
		"broken JSON":       {map[string]string{"pods.json": "{"}, "pods.json"},
		"an empty file":     {map[string]string{"pods.json": ""}, "pods.json is empty"},
		"another kind":      {map[string]string{"pods.json": `{"kind":"List","items":[{"kind":"Secret"}]}`}, "item 1 is a Secret, not a Pod"},
		"no list":           {map[string]string{"pods.json": `{"kind":"Pod"}`}, "not a List of Pod"},
		"deep JSON":         {map[string]string{"pods.json": deep}, "pods.json"},
		"wrong types":       {map[string]string{"pods.json": `{"kind":"List","items":[{"kind":"Pod","spec":7}]}`}, "pods.json"},
		"a probe of wrongs": {map[string]string{"probes.json": `{"redis":"no"}`}, "probes.json"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := evidence.Open(folder(t, test.files)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("want %q, got %.200v", test.want, err)
			}
		})
	}
}

func TestALogOfAGigabyteIsReadAtBothEnds(t *testing.T) {
	dir := folder(t, map[string]string{"logs/store-0/redis.log": "the first line\n"})
	log, err := os.OpenFile(filepath.Join(dir, "logs/store-0/redis.log"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if _, err := log.WriteAt([]byte("the last line\n"), 1<<30); err != nil { // sparse: it takes no room
		t.Fatal(err)
	}
	b, err := evidence.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	text := b.Logs[0].Text
	if len(text) > 1<<20 || !b.Logs[0].Truncated || !strings.HasPrefix(text, "the first line") || !strings.HasSuffix(text, "the last line\n") {
		t.Errorf("%d bytes, truncated %t", len(text), b.Logs[0].Truncated)
	}
}

func TestABundleDoesNotReachOutside(t *testing.T) {
	outside := folder(t, map[string]string{"secret": "outside"})
	dir := folder(t, map[string]string{"pods.json": `{"kind":"List","items":[]}`})
	if err := os.MkdirAll(filepath.Join(dir, "logs", "store-0"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "logs", "store-0", "redis.log")); err != nil {
		t.Fatal(err)
	}
	if b, err := evidence.Open(dir); err == nil {
		t.Errorf("a link out of the folder was followed: %+v", b.Logs)
	}
	escaping := evidence.Bundle{Logs: []evidence.RawLog{{Pod: "../../up", Container: "x", Text: "y"}}}
	if err := evidence.Save(escaping, filepath.Join(t.TempDir(), "b")); err == nil {
		t.Error("a pod's name led out of the folder")
	}
}

// TestAPipeIsRefused: to open one would wait for ever.
func TestAPipeIsRefused(t *testing.T) {
	for _, name := range []string{"pods.json", "logs/redis-session-0/redis.log"} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := evidence.Open(dir); err == nil || !strings.Contains(err.Error(), name+" is not a regular file") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
