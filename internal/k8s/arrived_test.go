package k8s

import (
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
)

// brokenPod is a pod of the store that is not ready.
func brokenPod() *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "store-0", UID: "pod-1"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "redis"}}}}
}

func hashed(t *testing.T, object any) (base, want string) {
	t.Helper()
	base, err := fingerprint(object)
	if err != nil {
		t.Fatal(err)
	}
	if want, err = contentHash(object); err != nil {
		t.Fatal(err)
	}
	return base, want
}

// TestArrived: what the cluster shows of a write of which nobody knows.
func TestArrived(t *testing.T) {
	target := evidence.Target{Namespace: "ns", Workload: "store", Container: "redis", Config: "conf", ConfigKey: "redis.conf"}
	conf := func(text string) *corev1.ConfigMap {
		m := confOf(text)
		m.Namespace, m.UID = "ns", "map-1"
		return m
	}
	was, want := conf("maxmemory 1gb\n"), conf("maxmemory 2gb\n")
	base, _ := hashed(t, was)
	after, wanted := hashed(t, want)
	edit := incident.Write{Verb: incident.Update, Object: incident.Object{Kind: kindConfigMap, Name: "conf"}, Base: base, Want: wanted,
		Changes: []runbook.Change{{Kind: changeConfig, Args: json.RawMessage(`{"set":{"maxmemory":"2gb"}}`)}}}

	secret := func(version, at string) *corev1.Secret {
		s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "pass", UID: "secret-1", ResourceVersion: version}}
		if at != "" {
			s.Annotations = map[string]string{rotatedAt: at}
		}
		return s
	}
	rotate := incident.Write{Verb: incident.Update, Object: incident.Object{Kind: kindSecret, Name: "pass"}, Base: "secret-1/7", Want: "at-nine",
		Changes: []runbook.Change{newChange(changePassword, passwordArgs{"at-nine"})}}

	ending, other := brokenPod(), brokenPod()
	ending.DeletionTimestamp, ending.Finalizers = &metav1.Time{Time: time.Now()}, []string{"kubelet"}
	other.UID = "pod-2"
	end := incident.Write{Verb: incident.Delete, Object: incident.Object{Kind: "Pod", Name: "store-0"}, Base: "pod-1"}
	claim := incident.Write{Verb: incident.Create, Object: incident.Object{Kind: kindClaim, Name: "claim"}}

	for name, test := range map[string]struct {
		write   incident.Write
		there   []runtime.Object
		arrived bool
		after   string
		refused string
	}{
		"an edit has not":               {write: edit, there: []runtime.Object{was}},
		"an edit has":                   {write: edit, there: []runtime.Object{want}, arrived: true, after: after},
		"something else was written":    {write: edit, there: []runtime.Object{conf("port 1\n")}, refused: "neither as it was nor as the plan would have it"},
		"a new password has not":        {write: rotate, there: []runtime.Object{secret("7", "at-eight")}},
		"a new password has":            {write: rotate, there: []runtime.Object{secret("9", "at-nine")}, arrived: true, after: "secret-1/9"},
		"a Secret edited by hand":       {write: rotate, there: []runtime.Object{secret("9", "")}, refused: "neither as it was"},
		"a pod is still there":          {write: end, there: []runtime.Object{brokenPod()}},
		"a pod is about to end":         {write: end, there: []runtime.Object{ending}, arrived: true},
		"a pod is gone":                 {write: end, arrived: true},
		"another pod has its name":      {write: end, there: []runtime.Object{other}, arrived: true},
		"a claim was not made":          {write: claim},
		"a claim was made":              {write: claim, there: []runtime.Object{&corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "claim"}}}, arrived: true},
		"the object of an edit is gone": {write: edit, refused: "There is no ConfigMap conf"},
	} {
		t.Run(name, func(t *testing.T) {
			c := &Cluster{Clients: fake.NewSimpleClientset(test.there...), Now: time.Now}
			arrived, after, err := c.Arrived(t.Context(), target, test.write)
			if arrived != test.arrived || after != test.after {
				t.Errorf("arrived %t, after %q", arrived, after)
			}
			var refusal *incident.Refusal
			if errors.As(err, &refusal) != (test.refused != "") || refusal != nil && !strings.Contains(refusal.Says, test.refused) || refusal == nil && err != nil {
				t.Errorf("got %v, want %q", err, test.refused)
			}
		})
	}
}

// TestArrivedWithoutAnAPIServer: it cannot be told, in a sentence.
func TestArrivedWithoutAnAPIServer(t *testing.T) {
	clients := fake.NewSimpleClientset()
	clients.PrependReactor("get", "*", gone)
	_, _, err := (&Cluster{Clients: clients, Now: time.Now}).Arrived(t.Context(), evidence.Target{Namespace: "ns"}, incident.Write{Verb: incident.Delete, Object: incident.Object{Kind: "Pod", Name: "store-0"}})
	var refusal *incident.Refusal
	if !errors.As(err, &refusal) || !strings.HasPrefix(refusal.Says, "The cluster could not be read: ") || !strings.HasSuffix(refusal.Says, ".") {
		t.Errorf("got %v", err)
	}
}

// gone is the answer of an API server that is not there.
func gone(clienttesting.Action) (bool, runtime.Object, error) {
	return true, nil, &url.Error{Op: "Get", URL: "https://api", Err: io.ErrUnexpectedEOF}
}

// TestAPodThatServesIsNotDeleted: it has become ready between the plan and the click.
func TestAPodThatServesIsNotDeleted(t *testing.T) {
	pod := brokenPod()
	write := incident.Write{Verb: incident.Delete, Object: incident.Object{Kind: "Pod", Name: "store-0"}, Base: "pod-1"}
	target := evidence.Target{Namespace: "ns", Workload: "store", Container: "redis"}
	c := &Cluster{Clients: fake.NewSimpleClientset(pod), Now: time.Now}
	if err := c.Unchanged(t.Context(), target, []incident.Write{write}); err != nil {
		t.Errorf("while it is broken: %v", err)
	}
	ready := pod.DeepCopy()
	ready.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	c.Clients = fake.NewSimpleClientset(ready)
	var drift *incident.Drift
	if err := c.Unchanged(t.Context(), target, []incident.Write{write}); !errors.As(err, &drift) || !strings.Contains(drift.Says, "store-0 has become ready since") {
		t.Errorf("once it is ready: %v", err)
	}
}

// TestStandings: what the running server shows of each command.
func TestStandings(t *testing.T) {
	follows := func(host string) evidence.Redis {
		return evidence.Redis{Info: map[string]string{"role": "slave", "master_host": host, "master_port": "6379"}}
	}
	master := evidence.Redis{Info: map[string]string{"role": "master"}}
	silent := evidence.Redis{Error: "connection refused", Info: map[string]string{}}
	saved := func(at, writing, appendOnly string) evidence.Redis {
		return evidence.Redis{Info: map[string]string{"rdb_last_save_time": at, "rdb_bgsave_in_progress": writing, "aof_enabled": appendOnly}}
	}
	for name, test := range map[string]struct {
		kind, args string
		asked      evidence.Redis
		there      bool
		changed    string
		refused    bool
	}{
		"promote: still a replica":           {kind: changePromote, args: `{"of":"old:6379"}`, asked: follows("old")},
		"promote: a master":                  {kind: changePromote, args: `{"of":"old:6379"}`, asked: master, there: true, changed: "store-0 is a master now"},
		"promote: somebody else's replica":   {kind: changePromote, args: `{"of":"old:6379"}`, asked: follows("new"), changed: "store-0 follows new:6379 now"},
		"promote: it does not say":           {kind: changePromote, args: `{"of":"old:6379"}`, asked: silent, refused: true},
		"replicate: still a master":          {kind: changeReplicate, args: `{"host":"old","port":"6379"}`, asked: master},
		"replicate: it follows":              {kind: changeReplicate, args: `{"host":"old","port":"6379"}`, asked: follows("old"), there: true, changed: "store-0 follows old:6379 now"},
		"replicate: it follows another":      {kind: changeReplicate, args: `{"host":"old","port":"6379"}`, asked: follows("new"), changed: "store-0 follows new:6379 now"},
		"replicate: it follows the one left": {kind: changeReplicate, args: `{"host":"old","port":"6379","was":"new:6379"}`, asked: follows("new")},
		"append-only: off":                   {kind: changeKeep, args: `{"with":"append-only"}`, asked: saved("7", "0", "0")},
		"append-only: on":                    {kind: changeKeep, args: `{"with":"append-only"}`, asked: saved("7", "0", "1"), there: true, changed: "the append-only file of store-0 is on already"},
		"snapshot: none since":               {kind: changeKeep, args: `{"with":"snapshot","saved":"7"}`, asked: saved("7", "0", "1")},
		"snapshot: being written":            {kind: changeKeep, args: `{"with":"snapshot","saved":"7"}`, asked: saved("7", "1", "1"), there: true},
		"snapshot: written":                  {kind: changeKeep, args: `{"with":"snapshot","saved":"7"}`, asked: saved("9", "0", "1"), there: true},
		"snapshot: it does not say":          {kind: changeKeep, args: `{"with":"snapshot","saved":"7"}`, asked: silent, refused: true},
		"script: it runs":                    {kind: changeKillScript, args: `{}`, asked: evidence.Redis{Error: "BUSY Redis is busy running a script."}},
		"script: it has ended":               {kind: changeKillScript, args: `{}`, asked: saved("7", "0", "1"), there: true, changed: "no script holds store-0 up any more"},
		"script: it does not say":            {kind: changeKillScript, args: `{}`, asked: silent, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := changes()[test.kind].stands("store-0", test.asked, json.RawMessage(test.args))
			if isRefusal(err) != test.refused || got.there != test.there || got.changed != test.changed {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// TestEveryCommandHasAPrecondition: a change that has no object of its own is
// either work in a pod of its own, or says where the server stands.
func TestEveryCommandHasAPrecondition(t *testing.T) {
	commands := map[string]bool{changeKeep: true, changePromote: true, changeReplicate: true, changeKillScript: true}
	for kind, change := range changes() {
		if commands[kind] != (change.stands != nil) {
			t.Errorf("%s: it says where the server stands: %t", kind, change.stands != nil)
		}
	}
}

// TestTheUndoOfAReplication makes the server what it was.
func TestTheUndoOfAReplication(t *testing.T) {
	for was, want := range map[string]string{"": "promote {}", "new:6380": `replicate {"host":"new","port":"6380"}`} {
		undo := replicateArgs{Host: "old", Port: "6379", Was: was}.undo()
		if got := undo.Kind + " " + string(undo.Args); got != want {
			t.Errorf("after %q: %s, want %s", was, got, want)
		}
	}
}

// TestAnAPIServerThatIsGoneIsWaitedFor: it says nothing about what was set going.
func TestAnAPIServerThatIsGoneIsWaitedFor(t *testing.T) {
	var said []string
	asked := 0
	c := &Cluster{Clients: fake.NewSimpleClientset(), Now: time.Now}
	err := c.wait(t.Context(), &objectRedactor{}, func(says string) { said = append(said, says) }, func() (bool, string, error) {
		if asked++; asked == 1 {
			_, _, err := gone(nil)
			return false, "", err
		}
		return true, "it is well", nil
	})
	if err != nil || asked != 2 || strings.Join(said, "; ") != unanswering+"; it is well" {
		t.Errorf("%v after %d looks: %q", err, asked, said)
	}
	err = c.wait(t.Context(), &objectRedactor{}, func(string) {}, func() (bool, string, error) { return false, "", refuse("The pod crashes.") })
	if !isRefusal(err) {
		t.Errorf("what cannot become true is waited for: %v", err)
	}
}

// TestAWorkingPodIsRemovedAllTheSame although the first request for it is lost.
func TestAWorkingPodIsRemovedAllTheSame(t *testing.T) {
	pod := brokenPod()
	clients := fake.NewSimpleClientset(pod)
	lost := 0
	clients.PrependReactor("delete", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if lost++; lost == 1 {
			return gone(action)
		}
		return false, nil, nil
	})
	if err := (&Cluster{Clients: clients, Now: time.Now}).removeWork(t.Context(), evidence.Target{Namespace: "ns"}, pod); err != nil || lost != 2 {
		t.Errorf("%v after %d requests", err, lost)
	}
}
