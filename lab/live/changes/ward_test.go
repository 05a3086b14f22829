package changes

import (
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	metrics "k8s.io/metrics/pkg/client/clientset/versioned"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/k8s"
	"redis-session-bot/internal/redis"
	"redis-session-bot/lab/live"
	"redis-session-bot/lab/workload"
)

// ward is one store with the bot's hands on it, through a gate, as the
// ServiceAccount with the Role that the rows need.
type ward struct {
	*live.Patient
	gate       *live.Gate
	wire       *wire
	cluster    *k8s.Cluster
	target     evidence.Target
	path       string // of the bot's file
	bot        *bot
	rows       []row
	incident   string         // its one incident
	duplicates int            // pods that were made to be deleted
	counted    map[string]int // what the server said last of how often a command was run
}

func admit(t *testing.T, name, shape string, rows []row) *ward {
	t.Helper()
	p := live.Admit(t, "changes-"+name, shape, "")
	w := &ward{Patient: p, gate: live.NewGate(t, p.Kubeconfig), wire: &wire{Prober: redis.Prober{Now: time.Now}}, rows: rows, counted: map[string]int{},
		target: targetIn(p.Namespace)}
	config, err := clientcmd.BuildConfigFromFlags("", w.gate.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	w.cluster = &k8s.Cluster{Clients: kubernetes.NewForConfigOrDie(config), Metrics: metrics.NewForConfigOrDie(config), REST: config, Prober: w.wire, Now: time.Now}
	w.path = filepath.Join(t.TempDir(), "incidents.db")
	w.born()
	t.Cleanup(w.buried)
	return w
}

func targetIn(namespace string) evidence.Target {
	return evidence.Target{Namespace: namespace, Workload: workload.Redis, Container: workload.RedisContainer, Service: workload.Redis, Port: 6379,
		Config: workload.RedisConfig, ConfigKey: workload.RedisConfigKey, Secret: workload.Secrets, SecretKey: workload.PasswordKey,
		App: workload.Agent, AppConfig: workload.AgentConfig}
}

// run runs a part of the ward's test; a ward does one thing at a time.
func (w *ward) run(name string, f func()) bool {
	whole := w.T
	defer func() { w.T = whole }()
	return whole.Run(name, func(t *testing.T) {
		w.T = t
		f()
	})
}

func (w *ward) must(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}

// refused holds that a sentence says no, and what.
func (w *ward) refused(err error, says string) {
	w.T.Helper()
	refusal, ok := err.(*incident.Refusal)
	if !ok || !strings.Contains(refusal.Says, says) {
		w.T.Errorf("refused with %v, want a sentence with %q", err, says)
	}
}

// redis runs a command in the server, without waiting for it to be well.
func (w *ward) redis(words ...string) string {
	w.T.Helper()
	store, found, err := w.Copy.Store(w.T.Context())
	if err != nil || !found {
		w.T.Fatalf("no store: %v", err)
	}
	out, err := w.Copy.Exec(w.T.Context(), store.Pod.Name, append([]string{"redis-cli"}, words...)...)
	w.must(err)
	return strings.TrimSpace(out)
}

// calls is how often the server has run a command. A busy one tells nothing: what
// it said last holds then.
func (w *ward) calls(command string) int {
	w.T.Helper()
	said := w.redis("INFO", "commandstats")
	if strings.HasPrefix(said, "BUSY") {
		return w.counted[command]
	}
	w.counted[command] = 0
	for line := range strings.Lines(said) {
		if rest, ok := strings.CutPrefix(line, "cmdstat_"+command+":calls="); ok {
			number, _, _ := strings.Cut(rest, ",")
			n, err := strconv.Atoi(number)
			w.must(err)
			w.counted[command] = n
		}
	}
	return w.counted[command]
}

// requests are what a plan sends, each once: to the API server, and to Redis by
// the name of its command.
func requests(plan incident.Plan) (sent []string, commands int) {
	for _, write := range plan.Writes {
		switch write.Verb {
		case incident.Command:
			commands++
		default:
			sent = append(sent, request(write))
			if write.Await == incident.Job {
				sent = append(sent, "DELETE pods/"+write.Object.Name) // the bot's own pod, once its work is done
			}
		}
	}
	return sent, commands
}

// request is how the gate names a write.
func request(write incident.Write) string {
	resource := strings.ToLower(write.Object.Kind) + "s"
	switch write.Verb {
	case incident.Create:
		return "POST " + resource + "/" + write.Object.Name
	case incident.Delete:
		return "DELETE " + resource + "/" + write.Object.Name
	}
	return "PUT " + resource + "/" + write.Object.Name
}

// isWrite matches one of a plan's writes at the gate; a plan may write to an
// object more than once.
func isWrite(plan incident.Plan, n int) func(*http.Request) bool {
	before := 0
	for _, write := range plan.Writes[:n] {
		if request(write) == request(plan.Writes[n]) {
			before++
		}
	}
	return func(r *http.Request) bool {
		what := live.Change(r)
		if r.Method == http.MethodPost {
			what += "/" + plan.Writes[n].Object.Name // its body has the name
		}
		if what != request(plan.Writes[n]) {
			return false
		}
		before--
		return before < 0
	}
}

// mark begins to count what is sent.
type mark struct {
	command string
	calls   int
}

func (w *ward) mark(r row) mark {
	w.T.Helper()
	w.gate.Changed()
	if r.counts == "" {
		return mark{}
	}
	return mark{r.counts, w.calls(r.counts)}
}

// sent holds that since the mark exactly these plans were sent, each of their
// writes once.
func (w *ward) sent(since mark, plans ...incident.Plan) {
	w.T.Helper()
	var want []string
	commands := 0
	for _, plan := range plans {
		requests, more := requests(plan)
		want, commands = append(want, requests...), commands+more
	}
	got := slices.DeleteFunc(w.gate.Changed(), func(what string) bool {
		return strings.Contains(what, "-read-") // a pod that has read the volume while the plan was made
	})
	if !slices.Equal(got, want) {
		w.T.Errorf("sent %q, want %q", got, want)
	}
	if since.command == "" {
		return
	}
	if got := w.calls(since.command) - since.calls; got != commands {
		w.T.Errorf("%s was run %d times, want %d", since.command, got, commands)
	}
}
