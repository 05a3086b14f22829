package changes

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"redis-session-bot/lab/faults"
	"redis-session-bot/lab/workload"
)

// row is one kind of change.
type row struct {
	kind  string
	once  func(w *ward)        // makes the store one that the change is for
	ready func(w *ward)        // the same, before each plan; nil: it is so already
	args  func(w *ward) string // as the runbook has them, in YAML's flow style
	lacks grant                // a permission that it cannot do without
	drift func(w *ward)        // somebody else changes what it is about
	heal  func(w *ward)        // and takes that back; nil where ready does
	names func(w *ward) string // what the bot says of that, with the object's name
	state func(w *ward) any    // what the change is about, as it is now
	// counts is how INFO commandstats names the command that it sends; "" for none.
	counts string
	stays  bool // it cannot be undone
}

// wards are the stores, each with the rows that do not disturb each other.
func wards() []struct {
	name, shape string
	rows        []row
} {
	return []struct {
		name, shape string
		rows        []row
	}{
		{"objects", workload.Deployment, []row{editConfig(), setConfig(), setSelector(), setReplicas(), restart(), deletePods(), rotatePassword()}},
		{"server", workload.Deployment, []row{keepData(), spareSnapshot(), promote(), replicate(), killScript()}},
		{"template", workload.Deployment, []row{setResources(), setProbe(), dropContainer()}},
		{"revisions", workload.Deployment, []row{rollBack(), replaceVolume()}},
		{"repair", workload.StatefulSet, []row{repairAOF()}},
		{"aside", workload.StatefulSet, []row{setDataAside()}},
		{"restore", workload.StatefulSet, []row{restoreBackup()}},
	}
}

func always(text string) func(*ward) string { return func(*ward) string { return text } }

// objects is all that a plan can change in the API server.
func objects(w *ward) any { return w.Objects() }

// editedBy is how the bot names somebody's edit.
func editedBy(object string) func(*ward) string { return always(object + " was edited by " + somebody) }

func editConfig() row {
	const note = "# somebody's note\n"
	return row{kind: "edit-redis-config", args: always(`{set: {maxmemory: 300mb}}`), lacks: grant{"update", "configmaps", workload.RedisConfig}, state: objects,
		drift: func(w *ward) {
			w.must(w.Copy.EditConfig(w.T.Context(), somebody, func(text string) string { return text + note }))
		},
		heal: func(w *ward) {
			w.must(w.Copy.EditConfig(w.T.Context(), somebody, func(text string) string { return strings.TrimSuffix(text, note) }))
		},
		names: editedBy(workload.RedisConfig)}
}

func setConfig() row {
	return row{kind: "set-config", args: always(`{key: session_ttl, value: 45m}`), lacks: grant{"update", "configmaps", workload.AgentConfig}, state: objects,
		drift: func(w *ward) { w.editAgentConfig(func(data map[string]string) { data["note"] = "mine" }) },
		heal:  func(w *ward) { w.editAgentConfig(func(data map[string]string) { delete(data, "note") }) },
		names: editedBy(workload.AgentConfig)}
}

func setSelector() row {
	label := func(spec *corev1.ServiceSpec) { spec.Selector["app.kubernetes.io/name"] = "mine" }
	return row{kind: "set-selector", args: always(`{port: 6379, targetPort: "6379"}`), lacks: grant{"update", "services", workload.Redis}, state: objects,
		drift: func(w *ward) { w.must(w.Copy.EditService(w.T.Context(), somebody, label)) },
		heal: func(w *ward) {
			w.must(w.Copy.EditService(w.T.Context(), somebody, func(spec *corev1.ServiceSpec) { delete(spec.Selector, "app.kubernetes.io/name") }))
		},
		names: editedBy(workload.Redis)}
}

func setReplicas() row {
	return ofWorkload(workload.Agent, row{kind: "set-replicas", args: always(`{workload: ` + workload.Agent + `, replicas: 3}`), state: objects})
}

func restart() row {
	return ofWorkload(workload.Agent, row{kind: "restart", args: always(`{workload: ` + workload.Agent + `}`), state: objects})
}

func setResources() row {
	return ofWorkload(workload.Redis, row{kind: "set-resources", args: always(`{container: redis, limits: {memory: 400Mi}}`), state: objects})
}

func setProbe() row {
	return ofWorkload(workload.Redis, row{kind: "set-probe", args: always(`{container: redis, probe: liveness, periodSeconds: 11}`), state: objects})
}

func dropContainer() row {
	const cache = "cache"
	return ofWorkload(workload.Redis, row{kind: "drop-container", args: always(`{container: ` + cache + `}`), state: objects, once: func(w *ward) {
		w.must(w.Copy.EditTemplate(w.T.Context(), somebody, "a container beside it", func(pod *corev1.PodTemplateSpec) {
			pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: cache, Image: pod.Spec.Containers[0].Image, ImagePullPolicy: corev1.PullIfNotPresent,
				Command: []string{"sh", "-c", "trap 'exit 0' TERM; sleep 3600 & wait"}})
		}))
		w.well()
	}})
}

func rollBack() row {
	return ofWorkload(workload.Redis, row{kind: "roll-back", args: always(`{}`), state: objects, once: func(w *ward) {
		w.must(w.Copy.EditTemplate(w.T.Context(), somebody, "a second revision", func(pod *corev1.PodTemplateSpec) {
			pod.Spec.Containers[0].Env = append(pod.Spec.Containers[0].Env, corev1.EnvVar{Name: "REVISION", Value: "2"})
		}))
		w.well()
	}})
}

func replaceVolume() row {
	r := ofWorkload(workload.Redis, row{kind: "replace-volume", args: always(`{storageClass: standard}`), state: objects})
	r.lacks = grant{"create", "persistentvolumeclaims", ""}
	return r
}

// ofWorkload is a row about a Deployment, or about the store's StatefulSet.
func ofWorkload(name string, r row) row {
	r.lacks = grant{"update", "deployments.apps", name}
	r.drift = func(w *ward) { w.editWorkload(name, 1) }
	r.heal = func(w *ward) { w.editWorkload(name, 0) }
	r.names = editedBy(name)
	return r
}

// onVolume is a row about the store's volume.
func onVolume(r row) row {
	r = ofWorkload(workload.Redis, r)
	r.lacks = grant{"create", "pods", ""}
	return r
}

func repairAOF() row {
	return onVolume(row{kind: "repair-aof", args: always(`{}`),
		// Somebody has stopped the store that crashes: the undo leaves it so.
		once: func(w *ward) {
			w.must(faults.Break(w.T.Context(), faults.Options{Kubeconfig: w.Admin, Namespace: w.Namespace}, "corrupt-aof"))
			w.must(w.Copy.Scale(w.T.Context(), somebody, 0))
			w.until("the store has stopped", func() bool {
				pods, err := w.Copy.Pods(w.T.Context(), workload.Redis)
				return err == nil && len(pods) == 0
			})
		},
		state: func(w *ward) any { return []any{w.Objects(), w.Files()} }})
}

func setDataAside() row {
	return onVolume(row{kind: "set-data-aside", args: always(`{}`), state: kept,
		once: func(w *ward) { w.redis("SET", keptKey, "x") }})
}

func restoreBackup() row {
	return onVolume(row{kind: "restore-backup", args: always(`{from: yesterday.rdb}`), state: kept, once: func(w *ward) {
		w.redis("SET", keptKey, "x")
		w.redis("SAVE")
		store, _, err := w.Copy.Store(w.T.Context())
		w.must(err)
		_, err = w.Copy.Exec(w.T.Context(), store.Pod.Name, "cp", "/data/dump.rdb", "/data/yesterday.rdb")
		w.must(err)
		w.redis("DEL", keptKey)
	}})
}

const keptKey = "kept:by-the-test"

// kept is whether the store has the test's key.
func kept(w *ward) any { return w.redis("EXISTS", keptKey) }

func rotatePassword() row {
	return row{kind: "rotate-password", args: always(`{}`), lacks: grant{"update", "secrets", workload.Secrets}, stays: true,
		drift: func(w *ward) {
			w.must(w.Copy.EditSecret(w.T.Context(), somebody, func(data map[string][]byte) { data["note"] = []byte("mine") }))
		},
		heal: func(w *ward) {
			w.must(w.Copy.EditSecret(w.T.Context(), somebody, func(data map[string][]byte) { delete(data, "note") }))
		},
		names: editedBy(workload.Secrets),
		state: func(w *ward) any {
			secret, err := w.Copy.Clients.CoreV1().Secrets(w.Namespace).Get(w.T.Context(), workload.Secrets, metav1.GetOptions{})
			w.must(err)
			return secret.Data[workload.PasswordKey]
		}}
}

func deletePods() row {
	pod := func(w *ward) string { return fmt.Sprintf("duplicate-%d", w.duplicates) }
	get := func(w *ward) (*corev1.Pod, error) {
		return w.Copy.Clients.CoreV1().Pods(w.Namespace).Get(w.T.Context(), pod(w), metav1.GetOptions{})
	}
	return row{kind: "delete-pods", lacks: grant{"delete", "pods", ""}, stays: true,
		ready: func(w *ward) {
			w.duplicates++
			w.duplicate(pod(w))
		},
		args: func(w *ward) string {
			if w.duplicates > 0 {
				if found, err := get(w); err == nil {
					return fmt.Sprintf(`{pods: [{name: %s, uid: %s}]}`, found.Name, found.UID)
				}
			}
			return `{pods: [{name: ` + pod(w) + `}]}` // for the Role, which names none
		},
		drift: func(w *ward) {
			w.must(w.Copy.Clients.CoreV1().Pods(w.Namespace).Delete(w.T.Context(), pod(w), metav1.DeleteOptions{GracePeriodSeconds: ptr.To[int64](0)}))
		},
		names: func(w *ward) string { return "pod " + pod(w) + " is gone" },
		state: func(w *ward) any {
			found, err := get(w)
			return err == nil && found.DeletionTimestamp == nil
		}}
}

// ofServer is a row about the running server.
func ofServer(r row) row {
	r.lacks = grant{"create", "pods/portforward", ""}
	return r
}

// name is that of the store's pod.
func name(w *ward) string {
	w.T.Helper()
	store, _, err := w.Copy.Store(w.T.Context())
	w.must(err)
	return store.Pod.Name
}

func keepData() row {
	return ofServer(row{kind: "keep-data", args: always(`{with: append-only}`), counts: "config|set", stays: true,
		ready: func(w *ward) { w.redis("CONFIG", "SET", "appendonly", "no") },
		drift: func(w *ward) { w.redis("CONFIG", "SET", "appendonly", "yes") },
		names: func(w *ward) string { return "the append-only file of " + name(w) + " is on already" },
		state: func(w *ward) any { return w.redis("CONFIG", "GET", "appendonly") }})
}

func spareSnapshot() row {
	return ofServer(row{kind: "spare-snapshot", args: always(`{}`), counts: "config|set", stays: true,
		ready: func(w *ward) { w.redis("CONFIG", "SET", "save", "3600 1") },
		drift: func(w *ward) { w.redis("CONFIG", "SET", "save", "") },
		names: func(w *ward) string { return name(w) + " has no save points any more" },
		state: func(w *ward) any { return w.redis("CONFIG", "GET", "save") }})
}

// The masters that the rows name; there is none of them. The tests say SLAVEOF,
// and the bot REPLICAOF, so that Redis counts them apart.
const (
	oldMaster   = "redis-session-old"
	otherMaster = "redis-session-other"
)

func promote() row {
	return ofServer(row{kind: "promote", args: always(`{}`), counts: "replicaof",
		ready: func(w *ward) { w.redis("SLAVEOF", oldMaster, "6379") },
		drift: func(w *ward) { w.redis("SLAVEOF", otherMaster, "6379") },
		names: func(w *ward) string { return name(w) + " follows " + otherMaster + ":6379 now" },
		state: master})
}

func replicate() row {
	return ofServer(row{kind: "replicate", args: always(`{host: ` + oldMaster + `, port: "6379"}`), counts: "replicaof",
		ready: func(w *ward) { w.redis("SLAVEOF", "NO", "ONE") },
		drift: func(w *ward) { w.redis("SLAVEOF", otherMaster, "6379") },
		names: func(w *ward) string { return name(w) + " follows " + otherMaster + ":6379 now" },
		state: master})
}

// master is whom the server follows.
func master(w *ward) any {
	for line := range strings.Lines(w.redis("INFO", "replication")) {
		if host, ok := strings.CutPrefix(line, "master_host:"); ok {
			return strings.TrimSpace(host)
		}
	}
	return ""
}

func killScript() row {
	busy := func(w *ward) any { return strings.HasPrefix(w.redis("PING"), "BUSY") }
	return ofServer(row{kind: "kill-script", args: always(`{}`), counts: "script|kill", stays: true,
		once: func(w *ward) {
			w.redis("SLAVEOF", "NO", "ONE")
			w.redis("CONFIG", "SET", "busy-reply-threshold", "50")
			w.calls("script|kill")
		},
		ready: func(w *ward) {
			if busy(w) == true {
				return
			}
			pod := name(w)
			go func() { // until it is killed, which is an error for whoever has sent it
				_, _ = w.Copy.Exec(context.Background(), pod, "redis-cli", "EVAL", "while true do end", "0")
			}()
			w.until("a script holds the server up", func() bool { return busy(w) == true })
		},
		drift: func(w *ward) { w.redis("SCRIPT", "KILL") },
		names: func(w *ward) string { return "no script holds " + name(w) + " up any more" },
		state: busy})
}

// until waits for what must become true.
func (w *ward) until(what string, is func() bool) {
	w.T.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !is(); time.Sleep(100 * time.Millisecond) { // there is no event to wait for
		if time.Now().After(deadline) {
			w.T.Fatalf("not within two minutes: %s", what)
		}
	}
}

// well waits until the store and the application are.
func (w *ward) well() {
	w.T.Helper()
	w.until("all is well", func() bool {
		status, err := w.Copy.Look(w.T.Context())
		return err == nil && status.Healthy()
	})
}
