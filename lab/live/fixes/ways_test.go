package fixes

import (
	"strings"
	"testing"

	"redis-session-bot/internal/k8s"
	"redis-session-bot/lab/faults"
	"redis-session-bot/lab/workload"
)

// way is how a fault is mended through Slack.
type way struct {
	plan   string   // how the label of the plan's button goes on after "Plan: "; "" where a person must mend it
	hands  string   // what the message says to that person
	runs   []string // how the commands begin that the message gives and that mend it, in their order
	typed  bool     // data is lost: the workload's name is typed, by a second person
	leaves string   // the verdict afterwards, where it is not healthy
	stays  string   // why it is not undone; "" where it is
	again  string   // the verdict after the undo, where no object tells of it
}

// sample is what -short tries: one way through each change that no other
// package tries in its short run; see tried.
var sample = []string{"scaled-to-zero on statefulset", "service-mismatch on deployment", "broken-probe/port on statefulset", "volume/pending on deployment",
	"port-conflict/pod on deployment", "port-conflict/container on deployment", "emptied on deployment",
	"out-of-memory on deployment", "bad-rollout on deployment"}

// tried is where the short run of the live tests goes one way through each
// kind of change.
var tried = map[string]string{
	"delete-pods":       "here: port-conflict/pod",
	"drop-container":    "here: port-conflict/container",
	"edit-redis-config": "live/page: TestClickThroughToAFix",
	"keep-data":         "live/store: TestAppendOnlyIsSwitchedWithoutLoss",
	"kill-script":       "live/store: TestAScriptIsEnded",
	"promote":           "live/store: TestAPromotion",
	"repair-aof":        "live/volumes: TestRepair",
	"replace-volume":    "here: volume/pending",
	"replicate":         "live/store: TestAPromotion, its way back",
	"restart":           "live/page: TestClickThroughToAFix",
	"restore-backup":    "live/volumes: TestSnapshot",
	"roll-back":         "here: bad-rollout",
	"rotate-password":   "live/store: TestARotation",
	"set-config":        "here: TestFallback",
	"set-data-aside":    "live/volumes: TestSnapshot",
	"set-probe":         "here: broken-probe/port",
	"set-replicas":      "here: scaled-to-zero",
	"set-resources":     "here: out-of-memory",
	"set-selector":      "here: service-mismatch",
	"spare-snapshot":    "here: emptied",
}

// ways are by fault, or by fault and shape where the shapes differ.
var ways = map[string]way{
	"config-error":            {plan: "repair the configuration"},
	"out-of-memory":           {plan: "give it more memory"},
	"bad-rollout":             {plan: "roll back"},
	"scaled-to-zero":          {plan: "run one pod"},
	"corrupt-aof":             {plan: "repair the append-only file", typed: true, again: "corrupt-aof"},
	"auth-failure/store":      {plan: "restart the store"},
	"auth-failure/app":        {plan: "restart the application"},
	"auth-failure/newline":    {plan: "give both a new password", stays: "the old password is kept nowhere"},
	"image-pull":              {plan: "roll back to the image before"},
	"broken-probe/command":    {plan: "let the probe connect to the port"},
	"broken-probe/port":       {plan: "let the probe connect to the port"},
	"slow-start":              {plan: "let it load for ten minutes"},
	"service-mismatch":        {plan: "select the workload's pods"},
	"overloaded/clients":      {plan: "admit more clients"},
	"overloaded/blocked":      {plan: "end the script", stays: "a script that was ended is not taken up again"},
	"unschedulable/memory":    {plan: "ask for no more memory"},
	"port-conflict/container": {plan: "take the second server out of the pod"},
	"port-conflict/owner":     {plan: "scale down the duplicate"},
	"port-conflict/pod":       {plan: "delete the duplicate", typed: true, stays: "nobody makes the pod anew"},
	"replication":             {plan: "make it the master", again: "replication"},
	// Its undo brings back the file of what was written since, which it loads: not a store without its file any more.
	"emptied": {plan: "put the snapshot of before back", typed: true, again: "healthy"},
	// No backup is kept in the lab; that one is put back, live/volumes shows.
	"corrupt-rdb":               {plan: "start without the file", typed: true, leaves: "emptied", again: "corrupt-rdb"},
	"missing-config/secret-key": {plan: "give both a new password", stays: "the old password is kept nowhere"},

	"missing-config/configmap": {hands: "Create what is missing", runs: []string{"kubectl create configmap redis-session-config"}},
	"admission/quota":          {hands: "The quota team-quota has pods 2, and needs 3", runs: []string{"kubectl patch resourcequota team-quota", "kubectl rollout restart"}},
	"admission/limitrange": {hands: "The LimitRange container-limits allows a container 256Mi of memory, and the pod asks for 384Mi",
		runs: []string{"kubectl patch limitrange container-limits", "kubectl rollout restart"}},
	"admission/podsecurity": {hands: "Bring the pod within the standard", runs: []string{"kubectl label namespace", "kubectl rollout restart"}},
	"crash-loop":            {hands: "Run that by hand in a copy of the pod", runs: []string{"kubectl get pod"}, leaves: "crash-loop"},
	// The lab's own network does not read policies: this shows that the API server takes the one that is proposed.
	"network-blocked": {hands: "default-deny-ingress selects the store's pods, and no NetworkPolicy admits the application's",
		runs: []string{"echo '{\"apiVersion\":\"networking.k8s.io/v1\""}, leaves: "network-blocked"},
	"false-alarm": {hands: "Mend the exporter, not Redis", runs: []string{"kubectl describe deployment redis-exporter"}, leaves: "false-alarm"},
	// What it held is in the file that the first command makes.
	"data-dir/full": {hands: "fetch what it holds", runs: []string{"kubectl exec", "kubectl patch"}, leaves: "emptied"},

	"unschedulable/node-selector on deployment":  {hands: `nodes with the labels {"pool":"memory-optimized"}`, runs: []string{"kubectl patch deployment/redis-session"}},
	"unschedulable/node-selector on statefulset": {hands: `nodes with the labels {"pool":"memory-optimized"}`, runs: []string{"kubectl patch statefulset/redis-session", "kubectl delete pod redis-session-0"}},
	"data-dir/readonly on deployment":            {hands: "mounts /data read-only", runs: []string{"kubectl patch deployment/redis-session"}},
	"data-dir/readonly on statefulset":           {hands: "mounts /data read-only", runs: []string{"kubectl patch statefulset/redis-session", "kubectl delete pod redis-session-0"}},

	// A new volume begins empty.
	"volume/pending on deployment":        {plan: "make a new claim", leaves: "emptied"},
	"volume/missing-class on deployment":  {plan: "make a new claim", leaves: "emptied"},
	"volume/lost on deployment":           {plan: "make a new claim", leaves: "emptied"},
	"volume/pending on statefulset":       anew,
	"volume/missing-class on statefulset": anew,
	"volume/lost on statefulset": {hands: "let the StatefulSet make a new claim, which begins empty", leaves: "emptied",
		runs: []string{"kubectl scale statefulset/redis-session", "kubectl delete pvc data-redis-session-0", "kubectl scale statefulset/redis-session"}},
}

// anew is the way of a StatefulSet whose claims name the wrong class.
var anew = way{hands: "nobody makes a volume of it", leaves: "emptied",
	runs: []string{"kubectl get statefulset redis-session", "kubectl delete statefulset redis-session", "kubectl delete pvc data-redis-session-0", "kubectl delete pod", "kubectl apply -f redis-session.yaml"}}

func wayOf(fault, shape string) (way, bool) {
	if found, ok := ways[fault+" on "+shape]; ok {
		return found, true
	}
	found, ok := ways[fault]
	return found, ok
}

// TestEveryFaultHasAWay: none is left out, on neither shape, and none is of a
// fault that is not there.
func TestEveryFaultHasAWay(t *testing.T) {
	known := map[string]bool{}
	for _, fault := range faults.Names() {
		known[fault] = true
		for _, shape := range workload.Shapes() {
			name := fault + " on " + shape
			known[name] = true
			way, ok := wayOf(fault, shape)
			switch {
			case !ok:
				t.Errorf("%s has no way: say how it is mended, or what a person does", name)
			case (way.plan == "") == (way.hands == ""):
				t.Errorf("%s needs a plan or hands", name)
			case way.plan == "" && len(way.runs) == 0:
				t.Errorf("%s gives a person nothing to type", name)
			case way.plan == "" && (way.typed || way.stays != "" || way.again != ""):
				t.Errorf("%s is mended by hand: it has no plan that could be typed or undone", name)
			}
		}
	}
	for name := range ways {
		if !known[name] {
			t.Errorf("there is no fault %s", name)
		}
	}
	for _, name := range sample {
		if !known[name] || !strings.Contains(name, " on ") {
			t.Errorf("the sample names %s, which is no fault on a shape", name)
		}
	}
}

// TestEveryChangeIsTriedInTheShortRun: a new kind of change says where.
func TestEveryChangeIsTriedInTheShortRun(t *testing.T) {
	for kind := range k8s.Changes() {
		if tried[kind] == "" {
			t.Errorf("%s is tried nowhere", kind)
		}
	}
	for kind := range tried {
		if k8s.Changes()[kind] == nil {
			t.Errorf("there is no change %s", kind)
		}
	}
}
