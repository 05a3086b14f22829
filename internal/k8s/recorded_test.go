package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/redact"
	"redis-session-bot/internal/runbook"
)

var recordedTarget = evidence.Target{Namespace: "ns", Workload: "redis-session", Container: "redis", Config: "conf", ConfigKey: "redis.conf", Secret: "secrets", SecretKey: "password"}

func recordedBundle() evidence.Bundle {
	labels := map[string]string{"app": "redis-session"}
	return evidence.Bundle{
		Meta: evidence.Meta{Namespace: "ns", Workload: "redis-session"},
		Deployments: &appsv1.DeploymentList{Items: []appsv1.Deployment{{ObjectMeta: metav1.ObjectMeta{Name: "redis-session", Namespace: "ns", UID: "u1", Generation: 3},
			Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels},
				Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "redis", Image: "redis:7"}}}}}}}},
		ConfigMaps: &corev1.ConfigMapList{Items: []corev1.ConfigMap{{ObjectMeta: metav1.ObjectMeta{Name: "conf", Namespace: "ns"},
			Data: map[string]string{"redis.conf": "port 6379\nfoo bar\nappendonly yes\n"}}}},
		Pods:    &corev1.PodList{Items: []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Name: "redis-session-1", Namespace: "ns", Labels: labels}}}},
		Logs:    []evidence.RawLog{{Pod: "redis-session-1", Container: "redis", Text: "x"}},
		Missing: map[string]string{evidence.FileNodes: "the bundle has no nodes.json", evidence.FileServices: "the bundle has no services.json"},
	}
}

// TestARecordShowsItsFix: the diff is that of the recorded objects, and nobody
// claims that an API server has accepted it.
func TestARecordShowsItsFix(t *testing.T) {
	bundle := recordedBundle()
	r := Recorded{Bundle: bundle, Now: time.Now}
	prepared, err := r.Prepare(t.Context(), incident.Wanted{Target: recordedTarget, Changes: []runbook.Change{
		{Kind: "edit-redis-config", Args: json.RawMessage(`{"drop":[{"line":2,"directive":"foo"}]}`)},
		{Kind: "restart", Args: json.RawMessage(`{}`)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(prepared.Writes) != 2 || !strings.Contains(prepared.Writes[0].Diff, "-foo bar") && !strings.Contains(prepared.Writes[0].Diff, "-    foo bar") {
		t.Fatalf("%+v", prepared.Writes)
	}
	for _, write := range prepared.Writes {
		if write.DryRun != incident.DryRunNotAsked {
			t.Errorf("%s: %q", write.Title, write.DryRun)
		}
	}
	if got := bundle.ConfigMaps.Items[0].Data["redis.conf"]; !strings.Contains(got, "foo bar") {
		t.Errorf("the record was changed: %q", got)
	}
}

// TestAPlanOfTheAppliedFile: the whole plan shows what comes back, and no
// password of either version.
func TestAPlanOfTheAppliedFile(t *testing.T) {
	bundle := recordedBundle()
	conf := &bundle.ConfigMaps.Items[0]
	conf.Data["redis.conf"] = "port 6379\nrequirepass hunter2\nfoo bar\n"
	conf.Annotations = map[string]string{lastApplied: `{"data":{"redis.conf":"port 6379\nrequirepass hunter2\nappendonly yes\n"}}`}
	r := Recorded{Bundle: bundle, Now: time.Now}
	prepared, err := r.Prepare(t.Context(), incident.Wanted{Target: recordedTarget, Changes: []runbook.Change{
		{Kind: "edit-redis-config", Args: json.RawMessage(`{"applied":true}`)},
		{Kind: "restart", Args: json.RawMessage(`{}`)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(prepared.Writes) != 2 || !strings.Contains(prepared.Writes[0].Diff, "foo bar") || !strings.Contains(prepared.Writes[0].Diff, "appendonly yes") || len(prepared.Writes[0].Undo) != 1 {
		t.Errorf("%+v", prepared.Writes)
	}
	said, err := json.Marshal(prepared)
	if err != nil || strings.Contains(string(said), "hunter2") {
		t.Errorf("%s, %v", said, err)
	}
}

// TestAPlanDropsALineOfAPassword: the directive's name beside another word is no
// secret; the line itself is one, and in no part of the plan.
func TestAPlanDropsALineOfAPassword(t *testing.T) {
	bundle := recordedBundle()
	bundle.ConfigMaps.Items[0].Data["redis.conf"] = "port 6379\nrequirepass hunter2\nrequirepass hunter3 extra\n"
	r := Recorded{Bundle: bundle, Now: time.Now}
	prepared, err := r.Prepare(t.Context(), incident.Wanted{Target: recordedTarget, Changes: []runbook.Change{
		{Kind: "edit-redis-config", Args: json.RawMessage(`{"drop":[{"line":3,"directive":"requirepass"}]}`)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	said, err := json.Marshal(prepared)
	if err != nil || strings.Contains(string(said), "hunter") || len(prepared.Writes) != 1 {
		t.Errorf("%s, %v", said, err)
	}
}

func TestWhatAChangeMustNotCarry(t *testing.T) {
	redactor := &objectRedactor{redact.New("hunter2")}
	for args, secret := range map[string]bool{
		`{"drop":[{"line":2,"directive":"requirepass"}]}`:        false,
		`{"drop":[{"directive":"requirepass","line":"2"}]}`:      false,
		`{"content":"port 6379\nrequirepass x\n"}`:               true,
		`{"set":{"requirepass":"x"}}`:                            true,
		`{"set":{"hz":"hunter2"}}`:                               true,
		`{"command":["redis-server","--requirepass","x"]}`:       true,
		`{"command":["redis-server","--requirepass","$(PASS)"]}`: false,
		`{"command":["redis-server","/conf/redis.conf"],"n":1}`:  false,
	} {
		err := noSecretIn(redactor, incident.Write{Undo: []runbook.Change{{Kind: "a", Args: json.RawMessage(args)}}})
		if (err != nil) != secret {
			t.Errorf("%s: %v", args, err)
		}
	}
}

// TestARecordIsNeverWritten: each way to write is refused in a sentence.
func TestARecordIsNeverWritten(t *testing.T) {
	r := Recorded{Bundle: recordedBundle(), Now: time.Now}
	_, applied := r.Apply(t.Context(), recordedTarget, incident.Write{}, incident.Actor{})
	_, settled := r.Settle(t.Context(), recordedTarget, incident.Write{}, nil)
	_, _, arrived := r.Arrived(t.Context(), recordedTarget, incident.Write{})
	for name, err := range map[string]error{"apply": applied, "unchanged": r.Unchanged(t.Context(), recordedTarget, nil),
		"settle": settled, "arrived": arrived} {
		var refusal *incident.Refusal
		if !errors.As(err, &refusal) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (Recorded{Now: time.Now}).Prepare(t.Context(), incident.Wanted{Target: recordedTarget}); err == nil || !strings.Contains(err.Error(), "deployments.json") {
		t.Errorf("a bundle without a workload: %v", err)
	}
}

// TestARecordIsWalkedStepByStep: a check gives what it would have read, no more.
func TestARecordIsWalkedStepByStep(t *testing.T) {
	look := Recorded{Bundle: recordedBundle()}.Look(recordedTarget)
	pods, err := look.Check(context.Background(), CheckPods)
	if err != nil || pods.Logs != nil || pods.Pods == nil || pods.Missing[evidence.FileNodes] == "" || pods.Missing[evidence.FileServices] != "" {
		t.Errorf("pods: %+v, %v", pods, err)
	}
	logs, err := look.Check(context.Background(), CheckLogs)
	if err != nil || len(logs.Logs) != 1 || logs.ConfigMaps != nil {
		t.Errorf("logs: %+v, %v", logs, err)
	}
	if _, err := look.Check(context.Background(), "tea"); err == nil {
		t.Error("there is a check tea")
	}
}
