package clustertest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"redis-session-bot/internal/chaos/clustertest"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
)

// TestTheFakeIsACluster: with a change of what is set, and with a restart. What
// the real one does to them is held against the same suite in the lab.
func TestTheFakeIsACluster(t *testing.T) {
	for name, one := range map[string]struct {
		object incident.Object
		args   string
	}{
		"a setting": {clustertest.Settings, `{"object":"queue-settings","key":"size","value":"large"}`},
		"a restart": {clustertest.Workload, `{"object":"queue","key":"restartedAt","value":"now"}`},
	} {
		t.Run(name, func(t *testing.T) {
			clustertest.Conforms(t, func(t *testing.T) clustertest.Subject {
				fake := &clustertest.Fake{Now: time.Now, Rollout: 20 * time.Millisecond}
				return clustertest.Subject{Cluster: fake, Target: evidence.Target{Namespace: "shop", Workload: "queue"},
					Changes: []runbook.Change{{Kind: "mend", Args: []byte(one.args)}},
					Edit:    func(*testing.T) { fake.Edit(one.object, "note", "mine") },
					State:   func(*testing.T) any { return fake.State() },
					Within:  time.Minute}
			})
		})
	}
}

// TestWorkOnTheDisk: three writes, each of which takes effect once.
func TestWorkOnTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := &clustertest.Fake{Now: time.Now, Rollout: 5 * time.Second, Secret: "canary"}
		target := evidence.Target{Namespace: "shop", Workload: "queue"}
		fake.Fall(clustertest.Ill{Object: clustertest.Workload, Key: "disk", Value: "clean"})
		prepared, err := fake.Prepare(t.Context(), incident.Wanted{Target: target, Name: "inc-1-1", Progress: func(string) {},
			Changes: []runbook.Change{{Kind: "mend", Args: []byte(`{"work":"clean"}`)}}})
		if err != nil || len(prepared.Writes) != 3 {
			t.Fatalf("prepare: %+v, %v", prepared, err)
		}
		after := prepared.Writes[0].Base
		for _, write := range prepared.Writes {
			if write.Verb == incident.Update {
				write.Base = after
			}
			left, err := fake.Apply(t.Context(), target, write, incident.Actor{})
			if err != nil {
				t.Fatalf("%s: %v", write.Title, err)
			}
			if write.Verb == incident.Update {
				after = left
			}
			began := time.Now()
			if _, err := fake.Settle(t.Context(), target, write, func(string) {}); err != nil || time.Since(began) != 5*time.Second {
				t.Errorf("%s: settled after %s, %v", write.Title, time.Since(began), err)
			}
			if _, err := fake.Apply(t.Context(), target, write, incident.Actor{}); err == nil {
				t.Errorf("%s can be applied twice", write.Title)
			}
			if arrived, _, err := fake.Arrived(t.Context(), target, write); !arrived || err != nil {
				t.Errorf("%s: arrived %t, %v", write.Title, arrived, err)
			}
		}
		if got := len(fake.Effects()); got != 3 {
			t.Errorf("%d effects", got)
		}
		bundle, err := fake.Look(target).Check(t.Context(), "pods")
		if err != nil || bundle.Pods.Items[0].Status.Conditions[0].Status != "True" {
			t.Errorf("afterwards: %+v, %v", bundle.Pods, err)
		}
	})
}
