package checks_test

import (
	"strings"
	"testing"
	"time"

	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/evidence"
)

var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// broken is a store that crashes, as far as each check can see it.
func broken() evidence.Evidence {
	return evidence.Evidence{At: at, Target: evidence.Target{Namespace: "ns", Workload: "store", Container: "redis", Service: "store", Port: 6379, App: "app"},
		Workload: evidence.Workload{Exists: true, Kind: "Deployment", Name: "store", Replicas: 1,
			Managers:   []evidence.Manager{{Name: "helm", At: at.Add(-time.Hour)}, {Name: "kubectl-edit", At: at.Add(-40 * time.Second)}, {Name: "controller", Sub: "status", At: at}},
			Containers: []evidence.Container{{Name: "redis", Memory: 64 << 20}}},
		Config: evidence.Config{Exists: true, Name: "conf", Memory: 256 << 20},
		Pods: []evidence.Pod{{Name: "store-1", Phase: "Running", Labels: map[string]string{"app": "store"}, Containers: []evidence.Container{{Name: "redis", State: "waiting", Reason: "CrashLoopBackOff", Restarts: 6, Memory: 64 << 20,
			LastExit: evidence.Exit{Happened: true, Reason: "Error", Code: 1, FinishedAt: at.Add(-5 * time.Second)}}}}},
		Logs:      []evidence.Log{{Pod: "store-1", Container: "redis", Failing: true, Lines: []string{"starting", "Bad file format reading the append only file"}}},
		Service:   evidence.Service{Exists: true, Name: "store", Selector: map[string]string{"app": "other"}},
		Endpoints: []evidence.Endpoint{{Address: "10.0.0.1", Ports: []int64{6379}}},
		Usage:     []evidence.Usage{{Pod: "store-1", Container: "redis", Memory: 63 << 20}},
		Reach:     []evidence.Reach{{From: "app", Error: "connection refused"}},
		Redis:     []evidence.Redis{{Pod: "store-1", Stage: "dial", Error: "connection refused"}},
		Claims:    []evidence.Claim{{Name: "data", Exists: true, Phase: "Pending", Class: "gone"}},
		App:       evidence.App{Name: "app", Said: []string{"redis: connection refused"}},
	}
}

func TestEachCheckSaysWhatIsWrong(t *testing.T) {
	want := map[string][]string{
		"pods":      {"1 pod, 0 ready, 6 restarts, CrashLoopBackOff", "last exit: Error, code 1, 5 s ago", "Workload written by kubectl-edit, 40 s ago"},
		"logs":      {"Bad file format reading the append only file"},
		"endpoints": {"its selector matches none of the 1 pod", "0 of 1 address ready"},
		"usage":     {"98 % of its limit of 64Mi", "maxmemory is 256Mi and the container's limit 64Mi"},
		"reach":     {"the application cannot connect to store:6379", "it does not answer"},
		"volumes":   {"there is no StorageClass gone"},
	}
	for _, check := range checks.All() {
		reading := check.Read(broken())
		if reading.Status() != checks.Fail {
			t.Errorf("%s: %s, want fail", check.Name, reading.Status())
		}
		said := reading.Summary + "\n" + reading.Raw
		for _, finding := range reading.Findings {
			said += "\n" + finding.Summary + "\n" + strings.Join(finding.Proof, "\n")
		}
		for _, sentence := range want[check.Name] {
			if !strings.Contains(said, sentence) {
				t.Errorf("%s does not say %q:\n%s", check.Name, sentence, said)
			}
		}
	}
}

// TestHowLongItRan: what could not be started has the epoch as its start, or none.
func TestHowLongItRan(t *testing.T) {
	for started, want := range map[time.Time]string{at.Add(-8 * time.Second): "5 s ago, after 3s", time.Unix(0, 0): "5 s ago, and never ran", {}: "5 s ago, and never ran"} {
		e := broken()
		e.Pods[0].Containers[0].LastExit.StartedAt = started
		said := ""
		for _, finding := range checks.Named()["pods"].Read(e).Findings {
			said += strings.Join(finding.Proof, "\n") + "\n"
		}
		if !strings.Contains(said, want+"\n") {
			t.Errorf("started at %s: want %q in\n%s", started, want, said)
		}
	}
}

func TestWhatIsNotKnownIsNeverWell(t *testing.T) {
	for _, check := range checks.All() {
		e := evidence.Evidence{At: at, Target: evidence.Target{Workload: "store"}, Unknown: map[string]string{}}
		for _, field := range check.Fields {
			e.Unknown[field] = "the API server refused"
		}
		reading := check.Read(e)
		if reading.Status() != checks.Unknown || !strings.Contains(reading.Summary, "the API server refused") {
			t.Errorf("%s: %s, %q", check.Name, reading.Status(), reading.Summary)
		}
	}
}

// TestWhatMayHideTheCauseIsTold: a source that could not be read stands in its
// step where what it says would matter.
func TestWhatMayHideTheCauseIsTold(t *testing.T) {
	for _, test := range []struct {
		check, field string
		well         bool // the store is
		told         bool
	}{
		{"pods", "revisions", false, true},
		{"pods", "nodes", false, true},
		{"pods", "nodes", true, false},
		{"pods", "exporters", true, true},
		{"pods", "exporters", false, false},
		{"volumes", "classes", false, true},
		{"volumes", "classes", true, false},
	} {
		e := broken()
		if test.well {
			e.Pods[0].Ready, e.Claims[0].Phase = true, "Bound"
		}
		e.Unknown = map[string]string{test.field: "the bot may not list them"}
		told := false
		for _, finding := range checks.Named()[test.check].Read(e).Findings {
			told = told || finding.Severity == checks.Unknown && finding.Summary == "the bot may not list them"
		}
		if told != test.told {
			t.Errorf("%s without %s, well %t: told %t", test.check, test.field, test.well, told)
		}
	}
}
