package audit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"redis-session-bot/internal/evidence"
)

// Redis' own words.
const (
	roleMaster  = "master"
	clusterMode = "cluster_enabled"
)

// The next steps that several points share.
const (
	doReplicas = "Run it as one master with replicas: the command ha writes the manifests."
	doSentinel = "Run three Sentinels beside it: the command ha writes the manifests."
)

// leastSentinels is how many it takes to agree when one is lost.
const leastSentinels = 3

// budget asks that no drain takes the store down by itself.
func budget(f Facts) verdict {
	if v := f.missing(SourceBudgets, "workload"); v != nil {
		return *v
	}
	pods := f.Seen.Workload.Replicas
	name := f.Seen.Workload.Name
	switch {
	case pods == 0:
		return unknown("Scale it up first.", "0 pods of %s are wanted, so a budget has nothing to keep.", name)
	case len(f.Budgets) == 0 && pods == 1:
		return fail("Create a PodDisruptionBudget with maxUnavailable: 0, so that a drain waits for a person; with replicas it can be 1.",
			"0 disruption budgets select the pod of %s: a drain of its node ends it at any time.", name)
	case len(f.Budgets) == 0:
		return fail("Create a PodDisruptionBudget with maxUnavailable: 1.",
			"0 disruption budgets select the %d pods of %s: a drain may end them all at once.", pods, name)
	case len(f.Budgets) > 1:
		var names []string
		for _, one := range f.Budgets {
			names = append(names, one.Name)
		}
		return warn("Keep one of them.", "%d disruption budgets select its pods (%s): the API server then refuses every eviction, and drains hang.",
			len(f.Budgets), strings.Join(names, ", "))
	}
	one := f.Budgets[0]
	rule := fmt.Sprintf("(%s, %s)", one.Name, one.Rule)
	switch {
	case one.Allows >= pods:
		return warn("Let the budget keep at least one pod; of a single pod, all of it (maxUnavailable: 0).",
			"%d of %s may be evicted at once: the budget %s keeps nothing.", pods, count(int(pods), "pod"), rule)
	case one.Allows > 1:
		return warn("Set maxUnavailable: 1, so that a master and its replica do not go together.",
			"%d of %d pods may be evicted at once %s.", one.Allows, pods, rule)
	case one.Allows <= 0 && pods > 1:
		return warn("Set maxUnavailable: 1: the others go on meanwhile.", "0 of %d pods may be evicted %s: every drain waits for ever.", pods, rule)
	case one.Allows <= 0:
		return ok("0 of 1 pod may be evicted %s: a drain waits for a person.", rule)
	}
	return ok("1 of %d pods may be evicted at a time %s.", pods, rule)
}

// replicas asks for a second server that has the sessions, on another node.
func replicas(f Facts) verdict {
	primary, v := f.primary()
	if v != nil {
		return *v
	}
	if primary.Info[clusterMode] == "1" {
		return clustered()
	}
	masters := masterPods(f)
	switch {
	case len(masters) > 1:
		return fail("Scale it to one pod, and run it as one master with replicas: the command ha writes the manifests.",
			"%d servers call themselves master: each keeps sessions of its own, and a sign-in at one is not known at the other.", len(masters)).
			with("masters: " + strings.Join(masters, ", "))
	case len(masters) == 0:
		return follower(primary)
	}
	online := 0
	var lines []string
	for i := range number(primary.Info["connected_slaves"]) {
		line := primary.Info[fmt.Sprintf("slave%d", i)]
		lines = append(lines, line)
		if strings.Contains(line, "state=online") {
			online++
		}
	}
	nodes := map[string]bool{}
	for _, one := range f.Servers {
		nodes[one.Node] = true
	}
	switch {
	case len(lines) == 0:
		return fail(doReplicas, "0 replicas follow %s: while its pod is gone, nobody is signed in.", primary.Pod)
	case online < len(lines):
		return warn("Look at the log of the replica that is not online.", "%d of %s of %s are online.", online, count(len(lines), "replica"), primary.Pod).with(lines...)
	case len(nodes) == 1 && len(f.Servers) > 1:
		return warn("Spread them: an anti-affinity on kubernetes.io/hostname.", "1 node carries all %d servers: they go together.", len(f.Servers)).with(lines...)
	}
	return ok("%s online: %s keeps the sessions in more than one place.", numbered(online, "replica is", "replicas are"), primary.Pod).with(lines...)
}

// masterPods are the servers that take writes.
func masterPods(f Facts) []string {
	var pods []string
	for _, one := range f.Servers {
		if one.Error == "" && one.Info["role"] == roleMaster {
			pods = append(pods, one.Pod)
		}
	}
	return pods
}

// follower is a store whose master is none of its own pods.
func follower(s evidence.Server) verdict {
	master := s.Info["master_host"] + ":" + s.Info["master_port"]
	if s.Info["master_link_status"] == "up" {
		return warn("Look at the master, too: an audit of the target that runs it says more.", "0 of its servers are a master: %s follows %s.", s.Pod, master)
	}
	return fail("Run the diagnosis.", "0 masters: %s follows %s, and the link is down.", s.Pod, master)
}

func clustered() verdict {
	return unknown("Look at redis-cli cluster nodes.", "0 of its shards were looked at: it is a Redis Cluster, which fails over by itself where each shard has a replica.")
}

// sentinel asks that somebody promotes a replica without a person.
func sentinel(f Facts) verdict {
	primary, v := f.primary()
	if v != nil {
		return *v
	}
	if primary.Info[clusterMode] == "1" {
		return clustered()
	}
	watching, replicas := primary.Sentinels, number(primary.Info["connected_slaves"])
	switch {
	case watching < 0:
		return unknown("Let the bot's user run PUBSUB NUMSUB.", "How many Sentinels watch %s is not known: the server does not say.", primary.Pod).with(refusals(primary, "PUBSUB")...)
	case watching == 0:
		return fail(doSentinel, "0 Sentinels watch %s: nobody makes a replica the master when it is gone.", primary.Pod)
	case watching < leastSentinels:
		return warn(doSentinel, "%s %s: three are needed, so that two can agree when one is lost.", numbered(int(watching), "Sentinel watches", "Sentinels watch"), primary.Pod)
	case replicas == 0:
		return warn(doReplicas, "%d Sentinels watch %s, and it has no replica that they could promote.", watching, primary.Pod)
	}
	return ok("%d Sentinels watch %s and can promote one of %s.", watching, primary.Pod, count(replicas, "replica"))
}

// number reads a number of INFO; 0 for anything else.
func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// numbered writes "1 replica is", "2 replicas are".
func numbered(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// containerOf is the store's container in its template.
func containerOf(f Facts) (evidence.Container, bool) {
	all := f.Seen.Workload.Containers
	at := slices.IndexFunc(all, func(c evidence.Container) bool { return c.Name == f.Seen.Target.Container && !c.Init })
	if at < 0 {
		at = slices.IndexFunc(all, func(c evidence.Container) bool { return !c.Init })
	}
	if at < 0 {
		return evidence.Container{}, false
	}
	return all[at], true
}
