// Package verdicts breaks a real store in every way that the lab knows, on both
// shapes, and holds what the bot says against what was done.
package verdicts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"redis-session-bot/lab/cluster"
	"redis-session-bot/lab/faults"
	"redis-session-bot/lab/live"
	"redis-session-bot/lab/workload"
)

var record = flag.Bool("record", false, "keep what was seen: a bundle of each fault, and the table of docs/verdicts.md")

// sample is what -short tries: causes that are found in different ways, each on
// one shape.
var sample = []string{"auth-failure/app on deployment", "volume/pending on statefulset", "replication on deployment",
	"admission/quota on statefulset", "false-alarm on deployment"}

// canary is every store's password: no bundle may hold it.
const canary = "canary-verdicts-7c41ae"

// TestMain tries more stores at once than there are cores: they mostly wait.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "5"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// row is one line of the table.
type row struct {
	Fault, Shape, Scenario, Confidence, Because string
	Right                                       bool
	Took                                        time.Duration // of the diagnosis
}

// TestVerdicts: for every fault on every shape, the first diagnosis after the
// fault shows names its cause.
func TestVerdicts(t *testing.T) {
	repo, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	lab, err := cluster.Up(t.Context(), cluster.Options{Repo: repo, Images: workload.Images, Out: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	bot, err := live.Bot()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var rows []row
	tried := 0
	t.Run("of", func(t *testing.T) {
		for _, fault := range faults.Names() {
			for _, shape := range workload.Shapes() {
				if testing.Short() && !slices.Contains(sample, fault+" on "+shape) {
					continue
				}
				tried++
				t.Run(fault+" on "+shape, func(t *testing.T) {
					t.Parallel()
					one := try(t, lab.Kubeconfig, bot, fault, shape)
					mu.Lock()
					defer mu.Unlock()
					rows = append(rows, one)
				})
			}
		}
	})
	if testing.Short() && tried != len(sample) {
		t.Errorf("the sample names %d faults, %d of them exist", len(sample), tried)
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.Fault+a.Shape, b.Fault+b.Shape) })
	t.Log("\n" + strings.Join(linesOf(rows), "\n"))
	if *record {
		right := slices.DeleteFunc(rows, func(r row) bool { return !r.Right })
		lines := linesOf(right)
		if err := write(filepath.Join(repo, "docs", "verdicts.md"), lines); err != nil {
			t.Error(err)
		}
	}
}

// diagnosis is what the bot prints, as far as it is looked at here.
type diagnosis struct {
	Verdict struct {
		Scenario   string   `json:"scenario"`
		Confidence string   `json:"confidence"`
		Because    []string `json:"because"`
	} `json:"verdict"`
}

// try breaks one store and asks the bot.
func try(t *testing.T, kubeconfig, bot, fault, shape string) row {
	namespace := "verdict-" + strings.ReplaceAll(fault, "/", "-") + "-" + shape[:6]
	o := workload.Options{Kubeconfig: kubeconfig, Namespace: namespace, Shape: shape, Password: canary, Agents: live.Agents()}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		defer cancel()
		if err := workload.Down(ctx, o); err != nil {
			t.Error(err)
		}
	})
	if err := workload.Up(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if err := faults.Break(t.Context(), faults.Options{Kubeconfig: kubeconfig, Namespace: namespace}, fault); err != nil {
		t.Fatal(err)
	}
	bundle := filepath.Join(t.TempDir(), "bundle")
	start := time.Now()
	got, code, output := diagnose(t, bot, kubeconfig, "-n", namespace, "--save", bundle)
	took := time.Since(start)
	cause, _, _ := strings.Cut(fault, "/")
	one := row{Fault: fault, Shape: shape, Scenario: got.Verdict.Scenario, Confidence: got.Verdict.Confidence, Right: got.Verdict.Scenario == cause, Took: took}
	if len(got.Verdict.Because) > 0 {
		one.Because = strings.ReplaceAll(got.Verdict.Because[0], namespace, "langgraph-agent")
	}
	wantCode := 1
	if cause == "false-alarm" {
		wantCode = 0
	}
	if !one.Right || code != wantCode {
		t.Errorf("verdict %q (%s), exit %d; want %q and %d\n%s", one.Scenario, one.Confidence, code, cause, wantCode, output)
		keep := filepath.Join(os.TempDir(), "wrong-verdicts", namespace)
		if err := os.RemoveAll(keep); err == nil && os.MkdirAll(filepath.Dir(keep), 0o755) == nil {
			_ = os.CopyFS(keep, os.DirFS(bundle)) // for a look at it; the test has failed anyway
		}
	}
	again, _, _ := diagnose(t, bot, kubeconfig, "--from", bundle)
	if again.Verdict.Scenario != one.Scenario {
		t.Errorf("judged from its bundle it is %q, live it was %q", again.Verdict.Scenario, one.Scenario)
	}
	holdsNoSecret(t, bundle)
	if *record && one.Right {
		keepBundle(t, bundle, namespace, fault, shape)
	}
	return one
}

func diagnose(t *testing.T, bot, kubeconfig string, args ...string) (d diagnosis, code int, output string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), bot, append([]string{"diagnose", "-o", "json"}, args...)...)
	command.Env, command.Dir = append(os.Environ(), "KUBECONFIG="+kubeconfig), t.TempDir()
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatalf("bot diagnose: %v", err)
	}
	output = stdout.String() + stderr.String()
	if stdout.Len() > 0 {
		if err := json.Unmarshal(stdout.Bytes(), &d); err != nil {
			t.Fatalf("bot diagnose printed no JSON: %v\n%s", err, output)
		}
	}
	return d, command.ProcessState.ExitCode(), output
}

func holdsNoSecret(t *testing.T, bundle string) {
	t.Helper()
	err := filepath.WalkDir(bundle, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(canary)) {
			t.Errorf("%s holds the password", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
