// Package volumes works on the volumes of real stores: what is read of them
// before a click, what a repair keeps, and that an undo puts every byte back.
package volumes

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/k8s"
	"redis-session-bot/internal/runbook"
	"redis-session-bot/lab/faults"
	"redis-session-bot/lab/live"
	"redis-session-bot/lab/workload"
)

const canary = "canary-volumes-91d0c2"

// ward is one store with the bot's hands on it.
type ward struct {
	*live.Patient
	cluster *k8s.Cluster
	target  evidence.Target
	folder  string // of the store's volume, on this machine
	plans   int
}

func admit(t *testing.T, name, shape string) *ward {
	t.Helper()
	p := live.Admit(t, "vol-"+name+"-"+strings.ToLower(shape[:6]), shape, canary)
	config, err := clientcmd.BuildConfigFromFlags("", p.Admin)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	w := &ward{Patient: p, target: evidence.Target{Namespace: p.Namespace, Workload: workload.Redis, Container: workload.RedisContainer,
		Config: workload.RedisConfig, ConfigKey: workload.RedisConfigKey, Secret: workload.Secrets, SecretKey: workload.PasswordKey}}
	w.cluster = &k8s.Cluster{Clients: kubernetes.NewForConfigOrDie(config), REST: config, Now: time.Now}
	w.folder = p.Folder()
	return w
}

func (w *ward) doBreak(fault string) {
	w.T.Helper()
	if err := faults.Break(w.T.Context(), faults.Options{Kubeconfig: w.Admin, Namespace: w.Namespace}, fault); err != nil {
		w.T.Fatal(err)
	}
}

// prepare makes a plan; no pod of the bot's is left by it.
func (w *ward) prepare(changes ...runbook.Change) (incident.Prepared, error) {
	w.T.Helper()
	w.plans++
	prepared, err := w.cluster.Prepare(w.T.Context(), incident.Wanted{Target: w.target, Changes: changes,
		Name: "inc-7-" + strconv.Itoa(w.plans), Progress: func(says string) { w.T.Log(says) }})
	w.tidy()
	data, _ := json.Marshal(prepared)
	if strings.Contains(string(data), canary) {
		w.T.Error("the password stands in the plan")
	}
	for _, write := range prepared.Writes {
		w.T.Logf("%s: %s", write.Title, write.DryRun)
		if write.DryRun != incident.DryRunAccepted {
			w.T.Errorf("%s: %s", write.Title, write.DryRun)
		}
	}
	w.T.Logf("holds %+v\nwarnings %q\ncautions %q", prepared.Holds, prepared.Warnings, prepared.Cautions)
	return prepared, err
}

// apply sends a plan as package incident does, and returns what came of it.
func (w *ward) apply(prepared incident.Prepared, broken bool) []string {
	w.T.Helper()
	var says []string
	after := map[incident.Object]string{}
	for n, write := range prepared.Writes {
		if base, ok := after[write.Object]; ok {
			write.Base = base
		}
		now, err := w.cluster.Apply(w.T.Context(), w.target, write, incident.Actor{ID: "bot"})
		if err != nil {
			w.T.Fatalf("%s: %v", write.Title, err)
		}
		after[write.Object] = now
		if write.Verb == incident.Create {
			if _, err := w.cluster.Apply(w.T.Context(), w.target, write, incident.Actor{ID: "bot"}); err == nil {
				w.T.Errorf("%s: done a second time", write.Title)
			}
		}
		said, err := w.cluster.Settle(w.T.Context(), w.target, write, func(says string) { w.T.Log(says) })
		says = append(says, said...)
		if err != nil && !(broken && n == len(prepared.Writes)-1) {
			w.T.Fatalf("%s: %v", write.Title, err)
		}
	}
	w.tidy()
	w.T.Logf("says %q", says)
	return says
}

// undo puts back what a plan has done.
func (w *ward) undo(prepared incident.Prepared) {
	w.T.Helper()
	for i := range prepared.Writes {
		prepared.Writes[i].Status = incident.Done
	}
	back, err := w.prepare(incident.UndoOf(incident.Plan{Writes: prepared.Writes})...)
	if err != nil {
		w.T.Fatal(err)
	}
	w.apply(back, true) // it is as broken as it was
}

// tidy holds that no pod of the bot's own is left.
func (w *ward) tidy() {
	w.T.Helper()
	pods, err := w.cluster.Clients.CoreV1().Pods(w.Namespace).List(w.T.Context(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/managed-by=redis-session-bot"})
	if err != nil {
		w.T.Fatal(err)
	}
	for _, pod := range pods.Items {
		w.T.Errorf("pod %s is left", pod.Name)
	}
}

// inStore runs a shell line in the store's container.
func (w *ward) inStore(line string) string {
	w.T.Helper()
	store, found, err := w.Copy.Store(w.T.Context())
	if err != nil || !found {
		w.T.Fatalf("no store: %v", err)
	}
	out, err := w.Copy.Exec(w.T.Context(), store.Pod.Name, "sh", "-c", line)
	if err != nil {
		w.T.Fatalf("%s: %v", line, err)
	}
	return strings.TrimSpace(out)
}

// bulk counts the sessions that the fault has written before its damage.
func (w *ward) bulk() int {
	w.T.Helper()
	n, err := strconv.Atoi(w.inStore("redis-cli --scan --pattern 'session:bulk-*' | wc -l"))
	if err != nil {
		w.T.Fatal(err)
	}
	return n
}

func change(kind, args string) runbook.Change {
	return runbook.Change{Kind: kind, Args: json.RawMessage(args)}
}

// TestRepair: what was written before the damage is there after the repair,
// what is cut was announced, and the undo puts every byte back.
func TestRepair(t *testing.T) {
	t.Parallel()
	for _, shape := range workload.Shapes() {
		if testing.Short() && shape != workload.StatefulSet {
			continue
		}
		t.Run(shape, func(t *testing.T) {
			t.Parallel()
			w := admit(t, "aof", shape)
			w.doBreak("corrupt-aof")
			before, size := w.Files(), w.incremental()
			prepared, err := w.prepare(change("repair-aof", `{}`))
			if err != nil {
				t.Fatal(err)
			}
			if len(prepared.Writes) != 3 || len(prepared.Cautions) != 1 || prepared.Holds.After < 1000 {
				t.Fatalf("%d writes, holds %+v, cautions %q", len(prepared.Writes), prepared.Holds, prepared.Cautions)
			}
			w.apply(prepared, false)
			if sessions := w.bulk(); sessions != 1000 {
				t.Errorf("%d of 1000 sessions are there", sessions)
			}
			kept := w.kept()
			if announced := fmt.Sprintf("last %d bytes", size-kept); !strings.Contains(prepared.Cautions[0], announced) {
				t.Errorf("%s were cut, and %q was announced", announced, prepared.Cautions[0])
			}
			w.undo(prepared)
			if diff := cmp.Diff(before, w.Files()); diff != "" {
				t.Errorf("after the undo (-before +after):\n%s", diff)
			}
		})
	}
}

// incremental is the size of the store's newest append-only file.
func (w *ward) incremental() int64 {
	w.T.Helper()
	names, err := filepath.Glob(filepath.Join(w.folder, "appendonlydir", "*.incr.aof"))
	if err != nil || len(names) != 1 {
		w.T.Fatalf("%v, %v", names, err)
	}
	info, err := os.Stat(names[0])
	if err != nil {
		w.T.Fatal(err)
	}
	return info.Size()
}

// kept is where the damage begins in the copy that the repair has made.
func (w *ward) kept() int64 {
	w.T.Helper()
	names, err := filepath.Glob(filepath.Join(w.folder, "backup-*", "appendonlydir", "*.incr.aof"))
	if err != nil || len(names) != 1 {
		w.T.Fatalf("%v, %v", names, err)
	}
	data, err := os.ReadFile(names[0])
	if err != nil {
		w.T.Fatal(err)
	}
	return int64(strings.Index(string(data), "\x89\xff\x01\x02 a block of some other file"))
}

// TestSnapshot: a store with a damaged snapshot starts empty and goes back, or
// takes the newest backup that loads.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	for _, shape := range workload.Shapes() {
		if testing.Short() && shape != workload.Deployment {
			continue
		}
		t.Run(shape, func(t *testing.T) {
			t.Parallel()
			w := admit(t, "rdb", shape)
			w.inStore("for i in 1 2 3 4 5 6 7 8; do redis-cli -e SET session:kept-$i x >/dev/null; done; redis-cli -e SAVE && cp /data/dump.rdb /data/yesterday.rdb && head -c 100 /data/dump.rdb > /data/torn.rdb")
			w.doBreak("corrupt-rdb")
			before := w.Files()
			if _, err := w.prepare(change("restore-backup", `{"from":"torn.rdb"}`)); err == nil || !strings.Contains(err.Error(), "would not load") {
				t.Errorf("a backup that does not load: %v", err)
			}
			restored, err := w.prepare(change("restore-backup", `{"from":"newest"}`))
			if err != nil {
				t.Fatal(err)
			}
			if restored.Holds.After < 8 {
				t.Errorf("holds %+v", restored.Holds)
			}
			w.apply(restored, false)
			if kept := w.inStore("redis-cli --scan --pattern 'session:kept-*' | wc -l"); kept != "8" {
				t.Errorf("%s of 8 sessions of the backup are there", kept)
			}
			w.undo(restored)
			if diff := cmp.Diff(before, w.Files()); diff != "" {
				t.Errorf("after the undo (-before +after):\n%s", diff)
			}
			empty, err := w.prepare(change("set-data-aside", `{}`))
			if err != nil {
				t.Fatal(err)
			}
			if !empty.Holds.Empties() || len(empty.Cautions) == 0 {
				t.Errorf("it does not say that it comes back empty: %+v", empty)
			}
			w.apply(empty, false)
			if kept := w.inStore("redis-cli --scan --pattern 'session:bulk-*' | wc -l"); kept != "0" {
				t.Errorf("%s sessions in an empty store", kept)
			}
			w.undo(empty)
			if diff := cmp.Diff(before, w.Files()); diff != "" {
				t.Errorf("after the undo (-before +after):\n%s", diff)
			}
		})
	}
}
