package fixes

import "redis-session-bot/lab/workload"

// way is how a fault is mended through Slack.
type way struct {
	plan  string // how the label of the plan's button goes on after "Plan: "; "" where a person must mend it
	hands string // what the message says to that person
	typed bool   // data is lost: the workload's name is typed
	stays string // why it is not undone; "" where it is
}

// sample is what -short tries: one way through each change.
var sample = []string{"config-error on deployment", "out-of-memory on statefulset", "bad-rollout on deployment"}

// ways are by fault, or by fault and shape where the shapes differ.
var ways = map[string]way{
	"config-error":                       {plan: "repair the configuration"},
	"out-of-memory":                      {plan: "give it more memory"},
	"bad-rollout":                        {plan: "roll back"},
	"scaled-to-zero":                     {plan: "run one pod"},
	"image-pull":                         {plan: "roll back to the image before"},
	"broken-probe/command":               {plan: "let the probe connect to the port"},
	"broken-probe/port":                  {plan: "let the probe connect to the port"},
	"slow-start":                         {plan: "let it load for ten minutes"},
	"service-mismatch":                   {plan: "select the pods of redis-session"},
	"volume/pending on deployment":       {plan: "make a new claim of class"},
	"volume/missing-class on deployment": {plan: "make a new claim of class"},
	"volume/lost on deployment":          {plan: "make a new claim of class"},
	"volume/pending":                     {hands: "correct the class in the volumeClaimTemplates"},
	"volume/missing-class":               {hands: "correct the class in the volumeClaimTemplates"},
	"volume/lost":                        {hands: "correct the class in the volumeClaimTemplates"},
	"missing-config/secret-key":          {plan: "roll back to what did not need it"},
	"missing-config/configmap":           {plan: "roll back to what did not need it"},
	"unschedulable/node-selector":        {plan: "roll back to what a node took"},
	"unschedulable/memory":               {plan: "roll back to what a node took"},
	"port-conflict":                      {hands: "Scale down the owner of the duplicate"},
	"admission/quota":                    {hands: "or raise the quota"},
	"admission/limitrange":               {hands: "or raise the quota"},
	"admission/podsecurity":              {hands: "or raise the quota"},
	"crash-loop":                         {hands: "Run the image's command by hand"},
	"network-blocked":                    {hands: "Look at the NetworkPolicies"},
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
