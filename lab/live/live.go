// Package live is what the live tests share: a copy of the workload on a real
// cluster, the bot's binary, and a Slack with the bot in it that is driven over
// HTTP as people do.
//
// It owns no test and no expectation but one: the bot has broken no rule of
// Slack's when a test ends.
package live

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"redis-session-bot/lab/cluster"
	"redis-session-bot/lab/workload"
)

// Bench is what all tests share: the cluster and the bot's binary.
type Bench struct{ Kubeconfig, Bot string }

// Open brings the cluster and builds the bot, once for all tests.
var Open = sync.OnceValues(func() (Bench, error) {
	repo, err := repoRoot()
	if err != nil {
		return Bench{}, err
	}
	lab, err := cluster.Up(context.Background(), cluster.Options{Repo: repo, Images: workload.Images})
	if err != nil {
		return Bench{}, err
	}
	bot, err := Bot()
	return Bench{lab.Kubeconfig, bot}, err
})

// Patient is one copy of the workload in a namespace of its own.
type Patient struct {
	Bench
	T         *testing.T
	Namespace string
	Copy      *workload.Copy
	Admin     string // kubeconfig of the cluster's administrator; Kubeconfig is the bot's

	options   workload.Options
	installed *Chart // where the bot runs; nil: beside the cluster
}

// Admit installs a healthy copy that is gone again when the test ends.
func Admit(t *testing.T, namespace, shape, password string) *Patient {
	t.Helper()
	b, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	p := &Patient{Bench: b, T: t, Namespace: namespace, Admin: b.Kubeconfig,
		options: workload.Options{Kubeconfig: b.Kubeconfig, Namespace: namespace, Shape: shape, Password: password, Agents: Agents()}}
	if err := workload.Up(t.Context(), p.options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := workload.Down(context.Background(), p.options); err != nil {
			t.Error(err)
		}
	})
	if p.Copy, err = workload.Open(p.options); err != nil {
		t.Fatal(err)
	}
	p.asAccount()
	return p
}

// Agents is how many pods the application has: in a short run one less, since every
// pod that starts costs time.
func Agents() int32 {
	if testing.Short() {
		return 1
	}
	return workload.DefaultAgents
}

// Diagnosis is what `bot diagnose -o json` prints, as far as tests look.
type Diagnosis struct {
	Healthy bool `json:"healthy"`
	Steps   []struct {
		ID     string `json:"id"`
		Status string `json:"status"`
	} `json:"steps"`
	Verdict struct {
		Scenario   string   `json:"scenario"`
		Confidence string   `json:"confidence"`
		Because    []string `json:"because"`
	} `json:"verdict"`
}

// Diagnose runs the bot in a terminal and returns its exit code.
func (p *Patient) Diagnose(args ...string) (d Diagnosis, code int, output string) {
	p.T.Helper()
	args = append([]string{"diagnose", "-o", "json", "-n", p.Namespace}, args...)
	command := exec.CommandContext(p.T.Context(), p.Bot, args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+p.Kubeconfig)
	command.Dir = p.T.TempDir()
	if p.installed != nil {
		command = p.shell(p.T.Context(), command.Dir, p.installed.Run(strings.Join(args, " ")))
	}
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		p.T.Fatalf("bot diagnose: %v", err)
	}
	output = stdout.String() + stderr.String()
	if stdout.Len() > 0 {
		if err := json.Unmarshal(stdout.Bytes(), &d); err != nil {
			p.T.Fatalf("bot diagnose printed no JSON: %v\n%s", err, output)
		}
	}
	return d, command.ProcessState.ExitCode(), output
}

// Becomes waits until the bot's verdict is that scenario.
func (p *Patient) Becomes(scenario string, limit time.Duration) {
	p.T.Helper()
	deadline := time.Now().Add(limit)
	for {
		d, code, output := p.Diagnose()
		if d.Verdict.Scenario == scenario {
			return
		}
		if time.Now().After(deadline) {
			p.T.Fatalf("not within %s: %s. It is %q, exit %d\n%s", limit, scenario, d.Verdict.Scenario, code, output)
		}
		time.Sleep(2 * time.Second) // people look again
	}
}

// repoRoot is the folder of the bot's module.
func repoRoot() (string, error) {
	output, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "redis-session-bot").Output()
	if err != nil {
		return "", fmt.Errorf("find the bot's module: %w", err)
	}
	return strings.TrimSpace(string(output)), nil
}
