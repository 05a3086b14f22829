// Package audit holds a real store against the points of prevention, and runs
// the manifests that the bot writes for it: three Redis and three Sentinels, of
// which the master is taken away.
package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"

	"redis-session-bot/lab/live"
	"redis-session-bot/lab/workload"
)

// canary is every store's password: nothing that the bot says may hold it.
const canary = "canary-audit-7c02e1"

// run runs the bot in a terminal. Whatever it says holds no password.
func run(p *live.Patient, args ...string) (stdout, stderr string, code int) {
	p.T.Helper()
	command := exec.CommandContext(p.T.Context(), p.Bot, append(args, "-n", p.Namespace)...)
	command.Env, command.Dir = append(os.Environ(), "KUBECONFIG="+p.Kubeconfig), p.T.TempDir()
	var out, problems bytes.Buffer
	command.Stdout, command.Stderr = &out, &problems
	var ended *exec.ExitError
	if err := command.Run(); err != nil && !errors.As(err, &ended) {
		p.T.Fatalf("bot %s: %v", strings.Join(args, " "), err)
	}
	if strings.Contains(out.String()+problems.String(), canary) {
		p.T.Errorf("bot %s says the password:\n%s%s", strings.Join(args, " "), out.String(), problems.String())
	}
	return out.String(), problems.String(), command.ProcessState.ExitCode()
}

// points is what an audit says of each point: its status, and the sentences.
func points(p *live.Patient, args ...string) (status map[string]string, said string) {
	p.T.Helper()
	stdout, stderr, code := run(p, append([]string{"audit", "-o", "json"}, args...)...)
	var report struct {
		OK     bool `json:"ok"`
		Points []struct{ ID, Status, Says, Do string }
	}
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		p.T.Fatalf("bot audit prints no JSON: %v\n%s%s", err, stdout, stderr)
	}
	if want := map[bool]int{true: 0, false: 1}[report.OK]; code != want {
		p.T.Errorf("exit code %d, ok %v", code, report.OK)
	}
	status = map[string]string{}
	for _, point := range report.Points {
		status[point.ID] = point.Status
		said += point.ID + " " + point.Status + ": " + point.Says + " " + point.Do + "\n"
	}
	p.T.Log("\n" + said)
	return status, said
}

// TestAudit: a healthy store of either shape is well where it is, and a point
// turns when somebody mends it.
func TestAudit(t *testing.T) {
	t.Parallel()
	healthy := map[string]string{"budget": "fail", "replicas": "fail", "sentinel": "fail", "memory": "ok", "eviction": "ok",
		"persistence": "ok", "backups": "fail", "probes": "warn"}
	for _, shape := range workload.Shapes() {
		if testing.Short() && shape != workload.Deployment {
			continue
		}
		t.Run(shape, func(t *testing.T) {
			t.Parallel()
			p := live.Admit(t, "audit-"+strings.ToLower(shape), shape, canary)
			status, said := points(p)
			if diff := cmp.Diff(healthy, status); diff != "" {
				t.Errorf("-want +got\n%s\n%s", diff, said)
			}
			mend(t, p)
			mended := map[string]string{"budget": "ok", "replicas": "fail", "sentinel": "fail", "memory": "ok", "eviction": "ok",
				"persistence": "ok", "backups": "fail", "probes": "ok"}
			status, said = points(p)
			if diff := cmp.Diff(mended, status); diff != "" {
				t.Errorf("-want +got\n%s\n%s", diff, said)
			}
			if shape == workload.StatefulSet {
				backUp(t, p)
			} else {
				forbid(t, p)
			}
		})
	}
}

// mend gives the store a disruption budget, and a readiness probe that hears.
func mend(t *testing.T, p *live.Patient) {
	t.Helper()
	none := intstr.FromInt32(0)
	_, err := p.Copy.Clients.PolicyV1().PodDisruptionBudgets(p.Namespace).Create(t.Context(), &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "redis-session"},
		Spec:       policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &none, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": workload.Redis}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	err = p.Copy.EditTemplate(t.Context(), "a-test", "probes that hear", func(pod *corev1.PodTemplateSpec) {
		pod.Spec.Containers[0].ReadinessProbe.Exec.Command = []string{"sh", "-c", `[ "$(redis-cli ping)" = PONG ]`}
	})
	if err != nil {
		t.Fatal(err)
	}
	settled(t, p)
}

// backUp gives the store a claim with a backup on it.
func backUp(t *testing.T, p *live.Patient) {
	t.Helper()
	claims := p.Copy.Clients.CoreV1().PersistentVolumeClaims(p.Namespace)
	_, err := claims.Create(t.Context(), &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "backups"},
		Spec: corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Mi")}}}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "targets:\n  - {name: test, namespace: %s, backup: backups}\n", p.Namespace), 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, "the claim is bound, and empty", func() bool {
		_, said := points(p, "--config", config)
		return strings.Contains(said, "backups fail: 0 backups are on the claim backups")
	})
	claim, err := claims.Get(t.Context(), "backups", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	volume, err := p.Copy.Clients.CoreV1().PersistentVolumes().Get(t.Context(), claim.Spec.VolumeName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(volume.Spec.HostPath.Path, 0o755); err != nil { // the provisioner closes it to all but root
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(volume.Spec.HostPath.Path, "monday.rdb"), []byte("REDIS0009"), 0o644); err != nil {
		t.Fatal(err)
	}
	if status, said := points(p, "--config", config); status["backups"] != "ok" || !strings.Contains(said, "1 backup is on the claim backups, the newest ") {
		t.Errorf("with a backup:\n%s", said)
	}
	pods, err := p.Copy.Clients.CoreV1().Pods(p.Namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "redis-session-bot/work"})
	if err != nil || len(pods.Items) > 0 {
		t.Errorf("a pod of the bot's is left: %v", err)
	}
}

// forbid takes the right to read budgets and CronJobs away: the points are not
// known then, and say what to add.
func forbid(t *testing.T, p *live.Patient) {
	t.Helper()
	manifests := p.Grants()
	for _, object := range manifests {
		if role, ok := object.(*rbacv1.Role); ok {
			role.Rules = slices.DeleteFunc(role.Rules, func(rule rbacv1.PolicyRule) bool {
				return rule.Resources[0] == "poddisruptionbudgets" || rule.Resources[0] == "cronjobs"
			})
		}
	}
	p.Grant(manifests)
	until(t, "the points say which rule to add", func() bool {
		status, said := points(p)
		return status["budget"] == "unknown" && strings.Contains(said, "The bot may not list poddisruptionbudgets.policy. Add to its Role") &&
			status["backups"] == "unknown" && strings.Contains(said, "The bot may not list cronjobs.batch. Add to its Role")
	})
}

// until waits for what the API server takes over in its time.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), time.Second, time.Minute, true, func(context.Context) (bool, error) { return ok(), nil })
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// settled waits until the store is well again.
func settled(t *testing.T, p *live.Patient) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), time.Second, 2*time.Minute, false, func(ctx context.Context) (bool, error) {
		status, err := p.Copy.Look(ctx)
		return err == nil && status.Healthy(), err
	})
	if err != nil {
		t.Fatal(err)
	}
}
