package commands_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"

	"redis-session-bot/internal/audit"
	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
	"redis-session-bot/internal/standby"
)

// shelf is a store of one pod, and what the API server says to a dry run.
type shelf struct {
	tried standby.Tried
	lost  error // nobody can be asked
}

func (s *shelf) Audit(_ context.Context, target evidence.Target) (audit.Facts, error) {
	deaf := evidence.Probe{Kind: "exec", Detail: "redis-cli ping", Period: 10, Timeout: 1, Failures: 3}
	return audit.Facts{
		Seen: evidence.Evidence{At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Target: target, Unknown: map[string]string{},
			Workload: evidence.Workload{Exists: true, Name: target.Workload, Replicas: 1, Containers: []evidence.Container{{Name: "redis", Memory: 384 << 20, Readiness: deaf, Liveness: deaf}}}},
		Servers: []evidence.Server{{Pod: "redis-session-0", Keys: 12_403, Expiring: 12_403, Settings: map[string]string{"save": "", "appendfsync": "everysec"},
			Info: map[string]string{"role": "master", "aof_enabled": "1", "used_memory": "60000000", "maxmemory": "268435456", "maxmemory_policy": "allkeys-lru"}}},
		Folder:  audit.Folder{Path: "/data", Where: "the claim redis-data", Kept: true},
		Unknown: map[string]string{audit.SourceBudgets: `The bot may not list poddisruptionbudgets.policy: add to its Role {apiGroups: ["policy"], resources: [poddisruptionbudgets], verbs: [list]}.`},
	}, s.lost
}

func (s *shelf) Blueprint(_ context.Context, target evidence.Target) (standby.Store, error) {
	target.Container, target.Secret, target.SecretKey = "redis", "secrets", "redis-password"
	if target.Name == "old" {
		target.Secret = ""
	}
	return standby.Store{Target: target, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Dir: "/data", Volume: "data", Nodes: 1, Selected: []string{"app"},
		Pod: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "redis", Image: "redis:7.2",
			Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("384Mi")}}}}}},
		Claim: &corev1.PersistentVolumeClaimSpec{Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}}},
	}, s.lost
}

func (s *shelf) DryRun(context.Context, evidence.Target, []runtime.Object) (standby.Tried, error) {
	return s.tried, nil
}

// TestStores plays what people ask of a live store beside incidents.
func TestStores(t *testing.T) {
	stores := &shelf{}
	h := handler()
	h.Incidents.Roles, h.Stores, h.Log = roles{}, stores, slog.New(slog.DiscardHandler)
	h.Incidents.Runbooks["redis-session"].Audit = audit.Redis
	h.Targets = append(h.Targets, evidence.Target{Name: "old", Namespace: "attic", Workload: "redis-session"})
	accepted := standby.Tried{Accepted: []string{"Pod/a", "ConfigMap/a", "Service/a", "PodDisruptionBudget/a", "StatefulSet/a"}}
	var got strings.Builder
	for _, one := range []struct {
		about, text string
		who         incident.Actor
		tried       standby.Tried
		lost        error
	}{
		{"both are verbs", "help", ada, accepted, nil},
		{"an audit", "audit", ada, accepted, nil},
		{"who may not diagnose may not audit", "audit", incident.Actor{ID: "U_EVE"}, accepted, nil},
		{"nobody knows that target", "audit moon", ada, accepted, nil},
		{"nobody can be asked", "audit", ada, accepted, errors.New("the Kubernetes API server cannot be reached")},
		{"manifests that are accepted", "ha", ada, accepted, nil},
		{"manifests that are refused", "ha", ada, standby.Tried{Accepted: accepted.Accepted[1:], Refused: []string{"Pod/a: exceeded quota: memory"}}, nil},
		{"manifests that may not be tried", "ha", ada, standby.Tried{Missing: "The bot may not create configmaps. Add to its Role in langgraph-agent: {…}."}, nil},
		{"manifests of an earlier time", "ha", ada, standby.Tried{Accepted: accepted.Accepted[:1], There: accepted.Accepted[1:]}, nil},
		{"a store that none can be made for", "ha old", ada, accepted, nil},
	} {
		stores.tried, stores.lost = one.tried, one.lost
		reply := h.Handle(t.Context(), commands.Request{Actor: one.who, Command: "redis-session", Text: one.text})
		if reply.Post != nil && !one.tried.OK() || len(one.tried.There) > 0 {
			reply.Post.View.Parts = nil // only the summary differs
		}
		fmt.Fprintf(&got, "# about: %s\n> %s types /redis-session %s\n%s", one.about, one.who.ID, one.text, replied(reply))
	}
	file := filepath.Join("testdata", "stores.golden")
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("read the golden (write it with -update): %v", err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("golden (-), now (+):\n%s", diff)
	}
}

// TestOtherRunbooksHaveNoSuchVerbs: what is no Redis is not held against Redis' points.
func TestOtherRunbooksHaveNoSuchVerbs(t *testing.T) {
	h := handler()
	h.Incidents.Roles, h.Stores, h.Incidents.Runbooks = roles{}, &shelf{}, map[string]*runbook.Runbook{"redis-session": {}}
	said := replied(h.Handle(t.Context(), commands.Request{Actor: ada, Text: "audit"}))
	if !strings.Contains(said, `I do not know "audit"`) {
		t.Error(said)
	}
}
