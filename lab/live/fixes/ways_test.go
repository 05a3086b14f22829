package fixes

import "redis-session-bot/lab/workload"

// way is how a fault is mended through Slack.
type way struct {
	plan   string // how the label of the plan's button goes on after "Plan: "; "" where a person must mend it
	hands  string // what the message says to that person
	typed  bool   // data is lost: the workload's name is typed
	leaves string // the verdict afterwards, where it is not healthy
	stays  string // why it is not undone; "" where it is
}

// sample is what -short tries: one way through each change.
var sample = []string{"config-error on deployment", "out-of-memory on statefulset", "bad-rollout on deployment",
	"scaled-to-zero on statefulset", "service-mismatch on deployment"}

// ways are by fault, or by fault and shape where the shapes differ.
var ways = map[string]way{
	"config-error":                {plan: "repair the configuration"},
	"out-of-memory":               {plan: "give it more memory"},
	"bad-rollout":                 {plan: "roll back"},
	"scaled-to-zero":              {plan: "run one pod"},
	"corrupt-aof":                 {plan: "repair the append-only file"},
	"auth-failure/store":          {plan: "restart the store"},
	"auth-failure/app":            {plan: "restart the application"},
	"auth-failure/newline":        {plan: "give both a new password", stays: "the old password is kept nowhere"},
	"image-pull":                  {plan: "roll back to the image before"},
	"broken-probe/command":        {plan: "let the probe connect to the port"},
	"broken-probe/port":           {plan: "let the probe connect to the port"},
	"slow-start":                  {plan: "let it load for ten minutes"},
	"service-mismatch":            {plan: "select the workload's pods"},
	"overloaded/clients":          {plan: "admit more clients"},
	"unschedulable/memory":        {plan: "ask for no more memory"},
	"unschedulable/node-selector": {hands: "Free room on a node"},
	"missing-config/secret-key":   {hands: "Create what is missing"},
	"missing-config/configmap":    {hands: "Create what is missing"},
	"port-conflict":               {hands: "Scale down the owner of the duplicate"},
	"admission/quota":             {hands: "or raise the quota"},
	"admission/limitrange":        {hands: "or raise the quota"},
	"admission/podsecurity":       {hands: "or raise the quota"},
	"crash-loop":                  {hands: "Run the image's command by hand"},
	"network-blocked":             {hands: "Look at the NetworkPolicies"},
	"data-dir/readonly":           {hands: "fsGroup"},
	"data-dir/full":               {hands: "make the claim larger"},
	"false-alarm":                 {hands: "False alarm"},

	// A new volume begins empty.
	"volume/pending on deployment":        {plan: "make a new claim", leaves: "emptied"},
	"volume/missing-class on deployment":  {plan: "make a new claim", leaves: "emptied"},
	"volume/lost on deployment":           {plan: "make a new claim", leaves: "emptied"},
	"volume/pending on statefulset":       {hands: "correct the class in the volumeClaimTemplates"},
	"volume/missing-class on statefulset": {hands: "correct the class in the volumeClaimTemplates"},
	"volume/lost on statefulset":          {hands: "correct the class in the volumeClaimTemplates"},
}

func wayOf(fault, shape string) (way, bool) {
	if found, ok := ways[fault+" on "+shape]; ok {
		return found, true
	}
	found, ok := ways[fault]
	return found, ok
}

// document is docs/fixes.md.
func document(rows []row) string {
	return `# What was mended, and how

Each fault was done to a real Redis on a real Kubernetes, on ` + workload.Deployment + ` and ` + workload.StatefulSet + `, and
mended through Slack alone. Made by

    make fixes

` + table(rows)
}
