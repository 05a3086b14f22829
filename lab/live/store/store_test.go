// Package store holds the changes of the running server and of its password
// against a real Redis on a real Kubernetes: what a plan promises is there
// afterwards, and nothing secret is in it.
package store

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	metrics "k8s.io/metrics/pkg/client/clientset/versioned"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/k8s"
	"redis-session-bot/internal/redis"
	"redis-session-bot/internal/runbook"
	"redis-session-bot/lab/faults"
	"redis-session-bot/lab/live"
	"redis-session-bot/lab/workload"
)

// count is how many sessions a test keeps: the application adds a few by itself.
const count = 3000

// store is one copy, and the part of the bot that changes it.
type store struct {
	*live.Patient
	cluster *k8s.Cluster
	target  evidence.Target
	told    []string // everything that would be stored or shown
}

func admit(t *testing.T, name, shape, password string) *store {
	t.Helper()
	p := live.Admit(t, "reds-"+name, shape, password)
	config, err := clientcmd.BuildConfigFromFlags("", p.Admin)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	return &store{Patient: p,
		cluster: &k8s.Cluster{Clients: kubernetes.NewForConfigOrDie(config), Metrics: metrics.NewForConfigOrDie(config), REST: config,
			Prober: redis.Prober{Now: time.Now}, Now: time.Now},
		target: evidence.Target{Namespace: p.Namespace, Workload: workload.Redis, Container: workload.RedisContainer, Service: "redis-session",
			Port: 6379, Config: workload.RedisConfig, ConfigKey: workload.RedisConfigKey, Secret: workload.Secrets,
			SecretKey: workload.PasswordKey, App: workload.Agent}}
}

// redis asks the running server in its pod.
func (s *store) redis(words ...string) string {
	s.T.Helper()
	pod, found, err := s.Copy.Store(s.T.Context())
	if err != nil || !found {
		s.T.Fatalf("no store: %v", err)
	}
	out, err := s.Copy.Exec(s.T.Context(), pod.Pod.Name, append([]string{"redis-cli"}, words...)...)
	if err != nil {
		s.T.Fatal(err)
	}
	return strings.TrimSpace(out)
}

func (s *store) keys() int {
	s.T.Helper()
	n, err := strconv.Atoi(s.redis("EVAL", "return #redis.call('KEYS', 'kept:*')", "0"))
	if err != nil {
		s.T.Fatal(err)
	}
	return n
}

// fill keeps sessions that no one but the test counts.
func (s *store) fill() {
	s.T.Helper()
	s.redis("EVAL", "for i = 1, tonumber(ARGV[1]) do redis.call('SET', 'kept:' .. i, 'x', 'EX', 3600) end return 1", "0", strconv.Itoa(count))
}

func change(kind, args string) runbook.Change {
	return runbook.Change{Kind: kind, Args: json.RawMessage(args)}
}

func (s *store) prepare(changes ...runbook.Change) incident.Prepared {
	s.T.Helper()
	prepared, err := s.cluster.Prepare(s.T.Context(), incident.Wanted{Target: s.target, Changes: changes, Name: "inc-1-1", Progress: func(says string) { s.told = append(s.told, says) }})
	if err != nil {
		s.T.Fatalf("prepare: %v", err)
	}
	for _, write := range prepared.Writes {
		if write.DryRun != incident.DryRunAccepted {
			s.T.Fatalf("%s: %s", write.Title, write.DryRun)
		}
	}
	s.told = append(s.told, fmt.Sprintf("%+v", prepared))
	return prepared
}

// carryOut sends the writes as the engine does.
func (s *store) carryOut(prepared incident.Prepared) {
	s.T.Helper()
	for _, write := range prepared.Writes {
		after, err := s.cluster.Apply(s.T.Context(), s.target, write, incident.Actor{ID: "U1"})
		if err != nil {
			s.T.Fatalf("%s: %v", write.Title, err)
		}
		says, err := s.cluster.Settle(s.T.Context(), s.target, write, func(says string) { s.told = append(s.told, says) })
		if err != nil {
			s.T.Fatalf("%s: %v", write.Title, err)
		}
		s.told = append(append(s.told, after), says...)
	}
}

// kept fails unless the store still has what the test has written.
func (s *store) kept(prepared incident.Prepared) {
	s.T.Helper()
	if prepared.Holds.Now < count || prepared.Holds.After < count || len(prepared.Cautions) > 0 {
		s.T.Errorf("it promises %+v, cautions %q", prepared.Holds, prepared.Cautions)
	}
	if got := s.keys(); got != count {
		s.T.Errorf("%d of %d sessions are there", got, count)
	}
}

const (
	appendOnlyYes = `{"set":{"appendonly":"yes"}}`
	appendOnlyNo  = `{"set":{"appendonly":"no"}}`
	restart       = `{}`
)

// TestAppendOnlyIsSwitchedWithoutLoss: off with save points, and on again, which
// by the file alone would bring the store back empty.
func TestAppendOnlyIsSwitchedWithoutLoss(t *testing.T) {
	for _, shape := range workload.Shapes() {
		if testing.Short() && shape != workload.StatefulSet {
			continue
		}
		t.Run(shape, func(t *testing.T) {
			t.Parallel()
			s := admit(t, "switch-"+shape[:4], shape, "")
			s.fill()

			off := s.prepare(change("edit-redis-config", appendOnlyNo), change("restart", restart))
			if off.Writes[0].Verb == incident.Command {
				t.Errorf("it has save points, and is told to save first: %s", off.Writes[0].Title)
			}
			s.carryOut(off)
			s.kept(off)
			if info := s.redis("INFO", "persistence"); !strings.Contains(info, "aof_enabled:0") {
				t.Fatalf("the append-only file is on:\n%s", info)
			}

			on := s.prepare(change("edit-redis-config", appendOnlyYes), change("restart", restart))
			if first := on.Writes[0]; first.Verb != incident.Command || first.Await != incident.Saved {
				t.Fatalf("the safe order is not taken: %+v", on.Writes)
			}
			s.carryOut(on)
			s.kept(on)
			if info := s.redis("INFO", "persistence"); !strings.Contains(info, "aof_enabled:1") {
				t.Errorf("the append-only file is off:\n%s", info)
			}
		})
	}
}

// TestWithoutSavePointsASnapshotComesFirst: nothing would save it when it stops.
func TestWithoutSavePointsASnapshotComesFirst(t *testing.T) {
	t.Parallel()
	s := admit(t, "snapshot", workload.Deployment, "")
	s.fill()
	s.redis("CONFIG", "SET", "save", "")
	prepared := s.prepare(change("edit-redis-config", appendOnlyNo), change("restart", restart))
	if first := prepared.Writes[0]; first.Verb != incident.Command || first.Await != incident.Saved {
		t.Fatalf("no snapshot comes first: %+v", prepared.Writes)
	}
	s.carryOut(prepared)
	s.kept(prepared)
}

// TestWhatIsLostIsSaidFirst: the folder of the data is moved off the volume.
func TestWhatIsLostIsSaidFirst(t *testing.T) {
	t.Parallel()
	s := admit(t, "lost", workload.Deployment, "")
	s.fill()
	prepared := s.prepare(change("edit-redis-config", `{"set":{"dir":"/tmp"}}`), change("restart", restart))
	if !prepared.Holds.Empties() || len(prepared.Cautions) == 0 || !strings.HasPrefix(prepared.Cautions[0], "The store comes back empty: 3,0") {
		t.Errorf("%+v, cautions %q", prepared.Holds, prepared.Cautions)
	}
}

// TestARotation: both sides have the new password, and it is nowhere else.
func TestARotation(t *testing.T) {
	const canary = "canary-Old-Password-7391"
	t.Parallel()
	s := admit(t, "rotate", workload.StatefulSet, canary)
	s.fill()
	prepared := s.prepare(change("rotate-password", `{}`), change("restart", restart), change("restart", `{"workload":"`+workload.Agent+`"}`))
	var order []string
	for _, write := range prepared.Writes {
		order = append(order, write.Object.String())
	}
	want := "Secret/" + workload.Secrets + " StatefulSet/" + workload.Redis + " Deployment/" + workload.Agent
	if got := strings.Join(order, " "); got != want {
		t.Fatalf("order %s, want %s", got, want)
	}
	if first := prepared.Writes[0]; first.NoUndo == "" || len(first.Undo) > 0 || !strings.Contains(first.Diff, "new") {
		t.Errorf("the Secret's write: %+v", first)
	}
	s.carryOut(prepared)
	s.kept(prepared)

	secret, err := s.Copy.Clients.CoreV1().Secrets(s.Namespace).Get(t.Context(), workload.Secrets, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	fresh := string(secret.Data[workload.PasswordKey])
	if len(fresh) < 32 || fresh == canary {
		t.Fatalf("the new password has %d letters", len(fresh))
	}
	if d, code, output := s.Diagnose(); code != 0 || d.Verdict.Scenario != "healthy" {
		t.Errorf("after the rotation: exit %d\n%s", code, output)
	} else {
		s.told = append(s.told, output)
	}
	folder := t.TempDir()
	_, _, output := s.Diagnose("--save", folder)
	s.told = append(s.told, output)
	files := 0
	err = filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		s.told = append(s.told, string(data))
		files++
		return err
	})
	if err != nil || files == 0 {
		t.Fatalf("%d files of a bundle: %v", files, err)
	}
	store, _, err := s.Copy.Store(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	log, err := s.Copy.Log(t.Context(), store.Pod.Name, false)
	if err != nil {
		t.Fatal(err)
	}
	everything := strings.Join(append(s.told, log), "\n")
	for name, secret := range map[string]string{"old": canary, "new": fresh} {
		if strings.Contains(everything, secret) {
			t.Errorf("the %s password is told", name)
		}
	}
}

// TestAPromotion and its way back.
func TestAPromotion(t *testing.T) {
	t.Parallel()
	s := admit(t, "promote", workload.Deployment, "")
	s.fill()
	if err := faults.Break(t.Context(), faults.Options{Kubeconfig: s.Admin, Namespace: s.Namespace}, "replication"); err != nil {
		t.Fatal(err)
	}
	prepared := s.prepare(change("promote", `{}`))
	s.carryOut(prepared)
	s.kept(prepared)
	if info := s.redis("INFO", "replication"); !strings.Contains(info, "role:master") {
		t.Fatalf("it is no master:\n%s", info)
	}
	if _, err := s.cluster.Prepare(t.Context(), incident.Wanted{Target: s.target, Changes: []runbook.Change{change("promote", `{}`)}}); err == nil {
		t.Error("a master is promoted once more")
	}
	undo := s.prepare(prepared.Writes[0].Undo...)
	if len(undo.Cautions) == 0 {
		t.Error("nobody is told that a replica loses what it holds")
	}
	s.carryOut(undo)
	if info := s.redis("INFO", "replication"); !strings.Contains(info, "role:slave") || !strings.Contains(info, "redis-session-old") {
		t.Errorf("it is no replica again:\n%s", info)
	}
}

// TestAScriptIsEnded: a report that never ends.
func TestAScriptIsEnded(t *testing.T) {
	t.Parallel()
	s := admit(t, "script", workload.Deployment, "")
	if err := faults.Break(t.Context(), faults.Options{Kubeconfig: s.Admin, Namespace: s.Namespace}, "overloaded/blocked"); err != nil {
		t.Fatal(err)
	}
	s.carryOut(s.prepare(change("kill-script", `{}`)))
	if pong := s.redis("PING"); pong != "PONG" {
		t.Errorf("PING is answered by %q", pong)
	}
}

// TestOutOfMemory: what the volume holds is known before the click, and is
// there after it.
func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	s := admit(t, "memory", workload.StatefulSet, "")
	s.fill()
	if err := faults.Break(t.Context(), faults.Options{Kubeconfig: s.Admin, Namespace: s.Namespace}, "out-of-memory"); err != nil {
		t.Fatal(err)
	}
	prepared := s.prepare(change("edit-redis-config", `{"set":{"maxmemory":"1024mb"}}`),
		change("set-resources", `{"container":"redis","limits":{"memory":"1536Mi"}}`), change("restart", restart))
	if len(prepared.Holds.Says) == 0 || prepared.Holds.Empties() {
		t.Errorf("what it will hold: %+v", prepared.Holds)
	}
	t.Logf("%+v", prepared.Holds)
	s.carryOut(prepared)
	if got := s.keys(); got != count {
		t.Errorf("%d of %d sessions are there", got, count)
	}
}
