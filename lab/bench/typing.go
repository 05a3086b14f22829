package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// typed are the lines of the runbook's diagnosis as a responder types them.
//
//go:embed typed.sh
var typed string

// The aims.
const (
	aimFaster  = 5.0 // times
	aimSlowest = 1.5 // times the slowest single step
)

// steps are the steps of a diagnosis, each a check of its name.
var steps = []string{"pods", "logs", "endpoints", "usage", "reach", "volumes"}

// typing times a whole diagnosis against the typed lines, and against its own
// slowest step, near to the API server and far from it.
func (b *bench) typing(ctx context.Context) error {
	for _, delay := range []time.Duration{0, 50 * time.Millisecond} {
		note("a diagnosis and the typed lines, with %d ms more for a round trip", delay.Milliseconds())
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		kubeconfig, err := b.far(ctx, delay)
		if err != nil {
			return err
		}
		where := fmt.Sprintf("%d ms added to each round trip", delay.Milliseconds())
		if err := b.againstHands(ctx, kubeconfig, where, delay > 0); err != nil {
			return err
		}
		if err := b.againstSteps(ctx, kubeconfig, where); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) whole(ctx context.Context, kubeconfig string, more ...string) (time.Duration, error) {
	return median(rounds, func() (time.Duration, error) {
		result, err := b.diagnose(ctx, kubeconfig, b.namespace(), more...)
		return result.took, err
	})
}

func (b *bench) againstHands(ctx context.Context, kubeconfig, where string, aimed bool) error {
	bot, err := b.whole(ctx, kubeconfig)
	if err != nil {
		return err
	}
	if _, err := b.typeLines(ctx, kubeconfig); err != nil { // fills kubectl's cache of the API, as a responder's is
		return err
	}
	hands, err := median(rounds, func() (time.Duration, error) { return b.typeLines(ctx, kubeconfig) })
	if err != nil {
		return err
	}
	ratio := hands.Seconds() / bot.Seconds()
	one := row{what: "whole diagnosis; the typed kubectl lines", with: where,
		result: fmt.Sprintf("%s; %s: %.1f times faster", seconds(bot), seconds(hands), ratio)}
	if aimed {
		one.aim, one.held = fmt.Sprintf("%g times", aimFaster), ratio >= aimFaster
	}
	b.table.add(one)
	return nil
}

// typeLines runs the typed lines, one after another. Nobody thinks between them.
func (b *bench) typeLines(ctx context.Context, kubeconfig string) (time.Duration, error) {
	var total time.Duration
	for line := range strings.Lines(typed) {
		result, err := process(ctx, b.folder, []string{"KUBECONFIG=" + kubeconfig, "HOME=" + b.folder, "NS=" + b.namespace(),
			"PATH=" + filepath.Dir(b.kubectl) + ":" + os.Getenv("PATH")}, "sh", "-c", line)
		if err != nil {
			return 0, err
		}
		if strings.Contains(string(result.out), "refused - did you specify the right host") || strings.Contains(string(result.out), "kubectl: not found") {
			return 0, fmt.Errorf("%s: %s", line, result.out)
		}
		total += result.took
	}
	return total, nil
}

// againstSteps holds the whole diagnosis against each step alone.
func (b *bench) againstSteps(ctx context.Context, kubeconfig, where string) error {
	whole, err := b.whole(ctx, kubeconfig)
	if err != nil {
		return err
	}
	var slowest string
	var longest time.Duration
	for _, step := range steps {
		file := filepath.Join(b.folder, step+".md")
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(oneStep, "STEP", step)), 0o600); err != nil {
			return fmt.Errorf("write a runbook: %w", err)
		}
		took, err := b.whole(ctx, kubeconfig, "--runbook", file)
		if err != nil {
			return err
		}
		note("step %s: %s", step, seconds(took))
		if took > longest {
			slowest, longest = step, took
		}
	}
	ratio := whole.Seconds() / longest.Seconds()
	b.table.add(row{what: "whole diagnosis; its slowest step alone (" + slowest + ")", with: where,
		result: fmt.Sprintf("%s; %s: %.2f times", seconds(whole), seconds(longest), ratio),
		aim:    fmt.Sprintf("%g times", aimSlowest), held: ratio <= aimSlowest})
	return nil
}

// oneStep is a runbook of one step for the store of the lab.
const oneStep = `---
alert: RedisSessionStoreDown
command: redis-session
severity: critical
target:
  namespace: bench
  workload: redis-session
  container: redis
  service: redis-session
  port: 6379
  config: redis-session-config
  configKey: redis.conf
  secret: langgraph-agent-secrets
  secretKey: redis-password
  app: langgraph-agent
---
# One step

## Diagnosis

### STEP

` + "```yaml\nid: STEP\ncheck: STEP\n```" + `

## Scenarios

### Healthy

` + "```yaml\nid: healthy\nok: true\nsigns:\n  - when: at > timestamp('2000-01-01T00:00:00Z')\n    says: the step was run\n    weight: strong\n```" + `
`

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
