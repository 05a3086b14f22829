package audit

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/evidence"
)

var at = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// well is a store for which every point holds: a master and two replicas.
func well() Facts {
	hears := evidence.Probe{Kind: "exec", Detail: `sh -c [ "$(redis-cli ping)" = PONG ]`, Period: 5, Timeout: 5, Failures: 2}
	seen := evidence.Evidence{At: at, Target: evidence.Target{Namespace: "ns", Workload: "store", Container: "redis"}, Unknown: map[string]string{},
		Workload: evidence.Workload{Exists: true, Name: "store", Replicas: 3, Claims: []string{"data-store-0", "data-store-1", "data-store-2"},
			Containers: []evidence.Container{{Name: "redis", Memory: 384 << 20, Readiness: hears, Liveness: hears, Startup: hears}}}}
	master := evidence.Server{Pod: "store-0", Node: "a", Keys: 100, Expiring: 100, Sentinels: 3, Settings: map[string]string{"appendfsync": "everysec", "save": "900 1 300 100", "dir": "/data"},
		Info: map[string]string{"role": "master", "connected_slaves": "2", "slave0": "ip=b,state=online,lag=0", "slave1": "ip=c,state=online,lag=1", "aof_enabled": "1",
			"aof_last_write_status": "ok", "aof_last_bgrewrite_status": "ok", "used_memory": "26843545", "maxmemory": "268435456", "maxmemory_policy": "allkeys-lru"}}
	replica := func(pod, node string) evidence.Server {
		return evidence.Server{Pod: pod, Node: node, Info: map[string]string{"role": "slave", "master_link_status": "up", "master_host": "store-0", "master_port": "6379"}}
	}
	return Facts{Seen: seen, Servers: []evidence.Server{replica("store-1", "b"), master, replica("store-2", "c")}, Unknown: map[string]string{},
		Budgets: []Budget{{Name: "store", Rule: "maxUnavailable 1", Allows: 1}}, Folder: Folder{Path: "/data", Where: "the claim data of each pod", Kept: true},
		Backup: Backup{Claim: "backups", There: true, Phase: "Bound", Files: []BackupFile{{Name: "dump.rdb", Bytes: 1 << 20, Age: 2 * time.Hour}}},
		Jobs:   []Job{{Name: "copy", Schedule: "@hourly", Claims: []string{"backups"}, Succeeded: at.Add(-time.Hour)}}}
}

func (r Report) point(id string) Point {
	return r.Points[slices.IndexFunc(r.Points, func(p Point) bool { return p.ID == id })]
}

// master is the facts' master.
func (f *Facts) master() *evidence.Server { return &f.Servers[1] }

func TestWell(t *testing.T) {
	report := Judge(well())
	if len(report.Points) != 8 || !report.OK() || report.Count(checks.OK) != 8 {
		t.Errorf("%+v", report.Points)
	}
	for _, p := range report.Points {
		if p.Do != "" || p.Says == "" {
			t.Errorf("%s: says %q, to do %q", p.ID, p.Says, p.Do)
		}
	}
}

// alone makes it a store of one pod.
func alone(f *Facts) {
	f.Seen.Workload.Replicas = 1
	f.Servers = f.Servers[1:2]
	f.Servers = []evidence.Server{f.Servers[0]}
	for _, key := range []string{"slave0", "slave1"} {
		delete(f.Servers[0].Info, key)
	}
	f.Servers[0].Info["connected_slaves"] = "0"
}

func info(pairs ...string) func(*Facts) {
	return func(f *Facts) {
		for i := 0; i < len(pairs); i += 2 {
			f.master().Info[pairs[i]] = pairs[i+1]
		}
	}
}

func setting(name, value string) func(*Facts) {
	return func(f *Facts) { f.master().Settings[name] = value }
}

func budgetOf(rule string, allows int64) func(*Facts) {
	return func(f *Facts) { f.Budgets = []Budget{{Name: "store", Rule: rule, Allows: allows}} }
}

func keysOf(keys, expiring int64) func(*Facts) {
	return func(f *Facts) { f.master().Keys, f.master().Expiring = keys, expiring }
}

func readiness(p evidence.Probe) func(*Facts) {
	return func(f *Facts) { f.Seen.Workload.Containers[0].Readiness = p }
}

func exec(line string) evidence.Probe {
	return evidence.Probe{Kind: "exec", Detail: line, Period: 5, Timeout: 5, Failures: 2}
}

func limit(bytes int64) func(*Facts) {
	return func(f *Facts) { f.Seen.Workload.Containers[0].Memory = bytes }
}

func TestPoints(t *testing.T) {
	for _, test := range []struct {
		name   string
		change []func(*Facts)
		point  string
		status checks.Status
		says   string // the begin of the sentence
	}{
		{"no budget", []func(*Facts){func(f *Facts) { f.Budgets = nil }}, PointBudget, checks.Fail, "0 disruption budgets select the 3 pods"},
		{"no budget for one pod", []func(*Facts){alone, func(f *Facts) { f.Budgets = nil }}, PointBudget, checks.Fail, "0 disruption budgets select the pod of store"},
		{"a budget that keeps nothing", []func(*Facts){alone}, PointBudget, checks.Warn, "1 of 1 pod may be evicted at once"},
		{"a budget that keeps the one", []func(*Facts){alone, budgetOf("maxUnavailable 0", 0)}, PointBudget, checks.OK, "0 of 1 pod may be evicted"},
		{"a budget that lets two go", []func(*Facts){budgetOf("minAvailable 1", 2)}, PointBudget, checks.Warn, "2 of 3 pods may be evicted at once"},
		{"a budget that lets none go", []func(*Facts){budgetOf("minAvailable 100%", 0)}, PointBudget, checks.Warn, "0 of 3 pods may be evicted"},
		{"two budgets", []func(*Facts){func(f *Facts) { f.Budgets = append(f.Budgets, Budget{Name: "other", Allows: 1}) }}, PointBudget, checks.Warn, "2 disruption budgets select its pods (store, other)"},
		{"nothing to keep", []func(*Facts){func(f *Facts) { f.Seen.Workload.Replicas = 0 }}, PointBudget, checks.Unknown, "0 pods of store are wanted"},
		{"budgets not read", []func(*Facts){func(f *Facts) { f.Budgets, f.Unknown[SourceBudgets] = nil, "The bot may not list them." }}, PointBudget, checks.Unknown, "The bot may not list them."},
		{"workload not read", []func(*Facts){func(f *Facts) { f.Seen.Unknown["workload"] = "The bot may not list it." }}, PointBudget, checks.Unknown, "The bot may not list it."},

		{"no replica", []func(*Facts){alone}, PointReplicas, checks.Fail, "0 replicas follow store-0"},
		{"a replica that is not online", []func(*Facts){info("slave1", "ip=c,state=wait_bgsave")}, PointReplicas, checks.Warn, "1 of 2 replicas of store-0 are online"},
		{"one node", []func(*Facts){func(f *Facts) { f.Servers[0].Node, f.Servers[2].Node = "a", "a" }}, PointReplicas, checks.Warn, "1 node carries all 3 servers"},
		{"three stores of one", []func(*Facts){func(f *Facts) { f.Servers[0].Info["role"], f.Servers[2].Info["role"] = "master", "master" }}, PointReplicas, checks.Fail, "3 servers call themselves master"},
		{"its master is elsewhere", []func(*Facts){func(f *Facts) { f.Servers = f.Servers[:1] }}, PointReplicas, checks.Warn, "0 of its servers are a master: store-1 follows store-0:6379"},
		{"its master is gone", []func(*Facts){func(f *Facts) { f.Servers = f.Servers[:1]; f.Servers[0].Info["master_link_status"] = "down" }}, PointReplicas, checks.Fail, "0 masters"},
		{"a cluster", []func(*Facts){info("cluster_enabled", "1")}, PointReplicas, checks.Unknown, "0 of its shards"},
		{"nobody answers", []func(*Facts){func(f *Facts) {
			f.Servers = []evidence.Server{{Pod: "store-0", Error: "NOAUTH Authentication required."}}
		}}, PointReplicas, checks.Unknown, "0 of 1 server answer"},
		{"nobody was asked", []func(*Facts){func(f *Facts) { f.Servers, f.Unknown[SourceServers] = nil, "The bot may not forward a port." }}, PointReplicas, checks.Unknown, "The bot may not forward a port."},

		{"no Sentinel", []func(*Facts){func(f *Facts) { f.master().Sentinels = 0 }}, PointSentinel, checks.Fail, "0 Sentinels watch store-0"},
		{"one Sentinel", []func(*Facts){func(f *Facts) { f.master().Sentinels = 1 }}, PointSentinel, checks.Warn, "1 Sentinel watches store-0"},
		{"two Sentinels", []func(*Facts){func(f *Facts) { f.master().Sentinels = 2 }}, PointSentinel, checks.Warn, "2 Sentinels watch store-0"},
		{"Sentinels, and nobody to promote", []func(*Facts){alone, func(f *Facts) { f.Servers[0].Sentinels = 3 }}, PointSentinel, checks.Warn, "3 Sentinels watch store-0, and it has no replica"},
		{"Sentinels that the server does not tell of", []func(*Facts){func(f *Facts) { f.master().Sentinels = -1 }}, PointSentinel, checks.Unknown, "How many Sentinels watch store-0 is not known"},
		{"a cluster has none", []func(*Facts){info("cluster_enabled", "1")}, PointSentinel, checks.Unknown, "0 of its shards"},

		{"no bounds", []func(*Facts){info("maxmemory", "0"), limit(0)}, PointMemory, checks.Fail, "0 bounds"},
		{"no maxmemory", []func(*Facts){info("maxmemory", "0")}, PointMemory, checks.Fail, "0 maxmemory: at its limit of 384Mi"},
		{"no limit", []func(*Facts){limit(0)}, PointMemory, checks.Warn, "0 memory limit"},
		{"a limit below maxmemory", []func(*Facts){limit(200 << 20)}, PointMemory, checks.Fail, "256Mi of maxmemory in a limit of 200Mi"},
		{"a limit of maxmemory", []func(*Facts){limit(256 << 20)}, PointMemory, checks.Fail, "256Mi of maxmemory in a limit of 256Mi"},
		{"no room to fork", []func(*Facts){limit(320 << 20)}, PointMemory, checks.Warn, "64Mi between maxmemory (256Mi) and the limit (320Mi) is too little for the copy"},
		{"no need to fork", []func(*Facts){alone, func(f *Facts) { f.Servers[0].Info["aof_enabled"], f.Servers[0].Settings["save"] = "0", "" }, limit(320 << 20)}, PointMemory, checks.OK, "9 % of maxmemory is used"},
		{"as good as full", []func(*Facts){info("used_memory", "260000000")}, PointMemory, checks.Warn, "96 % of maxmemory is used"},

		{"noeviction", []func(*Facts){info("maxmemory_policy", "noeviction")}, PointEviction, checks.Warn, "0 keys are ever evicted (noeviction): at 256Mi"},
		{"a policy that never applies", []func(*Facts){info("maxmemory", "0")}, PointEviction, checks.Fail, "0 maxmemory: the policy allkeys-lru never applies"},
		{"a policy that finds nothing", []func(*Facts){info("maxmemory_policy", "volatile-lru"), keysOf(100, 0)}, PointEviction, checks.Fail, "0 of 100 keys have an expiry: volatile-lru finds nothing"},
		{"a policy that spares the wrong ones", []func(*Facts){info("maxmemory_policy", "volatile-ttl"), keysOf(100, 97)}, PointEviction, checks.Warn, "3 of 100 keys have no expiry: volatile-ttl keeps them"},
		{"a policy that fits", []func(*Facts){info("maxmemory_policy", "volatile-ttl")}, PointEviction, checks.OK, "100 of 100 keys have an expiry"},
		{"a policy and no key", []func(*Facts){info("maxmemory_policy", "volatile-ttl"), keysOf(0, 0)}, PointEviction, checks.Unknown, "0 keys are there"},
		{"sessions that never end", []func(*Facts){keysOf(100, 60)}, PointEviction, checks.Warn, "40 of 100 keys have no expiry"},
		{"a few odd keys", []func(*Facts){keysOf(100, 95)}, PointEviction, checks.OK, "95 of 100 keys have an expiry"},
		{"sessions were evicted", []func(*Facts){info("evicted_keys", "12")}, PointEviction, checks.Warn, "12 keys were evicted since the start of store-0"},
		{"a policy that throws dice", []func(*Facts){info("maxmemory_policy", "allkeys-random")}, PointEviction, checks.Warn, "1 session is as likely to be evicted"},
		{"a policy that is not told", []func(*Facts){info("maxmemory_policy", "")}, PointEviction, checks.Unknown, "The eviction policy is not known"},

		{"no file at all", []func(*Facts){info("aof_enabled", "0"), setting("save", "")}, PointPersistence, checks.Fail, "0 files are written"},
		{"snapshots only", []func(*Facts){info("aof_enabled", "0")}, PointPersistence, checks.Warn, "15 min of sessions may be lost: there are only snapshots"},
		{"files that go with the pod", []func(*Facts){func(f *Facts) { f.Folder = Folder{Path: "/data", Where: "an emptyDir"} }}, PointPersistence, checks.Fail, "0 of its files outlive the pod: /data is on an emptyDir"},
		{"a folder that is not known", []func(*Facts){func(f *Facts) { f.Unknown[SourceFolder] = "Nobody knows." }}, PointPersistence, checks.Unknown, "Nobody knows."},
		{"no fsync", []func(*Facts){setting("appendfsync", "no")}, PointPersistence, checks.Warn, "30 s of sessions may be lost"},
		{"fsync always", []func(*Facts){setting("appendfsync", "always")}, PointPersistence, checks.OK, "0 s of sessions may be lost"},
		{"fsync not told", []func(*Facts){func(f *Facts) { delete(f.master().Settings, "appendfsync") }}, PointPersistence, checks.Unknown, "How much a crash loses is not known"},
		{"a full volume", []func(*Facts){info("aof_last_write_status", "err")}, PointPersistence, checks.Fail, "0 of the newest writes may be on disk"},

		{"no backup claim", []func(*Facts){func(f *Facts) { f.Backup = Backup{} }}, PointBackups, checks.Fail, "0 backups are known"},
		{"a CronJob that nobody named", []func(*Facts){func(f *Facts) { f.Backup, f.Jobs = Backup{}, []Job{{Name: "copy", Claims: []string{"data-store-0"}}} }}, PointBackups, checks.Warn, "1 CronJob mounts the store's claim"},
		{"CronJobs not read", []func(*Facts){func(f *Facts) { f.Backup, f.Unknown[SourceJobs] = Backup{}, "The bot may not list them." }}, PointBackups, checks.Unknown, "The bot may not list them."},
		{"a claim that is not there", []func(*Facts){func(f *Facts) { f.Backup = Backup{Claim: "backups"} }}, PointBackups, checks.Fail, "0 backups: there is no claim backups"},
		{"a claim that waits", []func(*Facts){func(f *Facts) { f.Backup.Phase = "Pending" }}, PointBackups, checks.Fail, "0 backups: the claim backups is Pending"},
		{"an empty claim", []func(*Facts){func(f *Facts) { f.Backup.Files = nil }}, PointBackups, checks.Fail, "0 backups are on the claim backups"},
		{"an old backup", []func(*Facts){func(f *Facts) { f.Backup.Files[0].Age = 72 * time.Hour }}, PointBackups, checks.Warn, "3 days old is the newest of 1 backup"},
		{"a suspended CronJob", []func(*Facts){func(f *Facts) { f.Jobs[0].Suspended = true }}, PointBackups, checks.Warn, "1 backup is on the claim backups, and a CronJob that writes there is suspended"},
		{"what is on it not read", []func(*Facts){func(f *Facts) { f.Unknown[SourceBackup] = "The bot may not create pods." }}, PointBackups, checks.Unknown, "The bot may not create pods."},

		{"no readiness probe", []func(*Facts){readiness(evidence.Probe{})}, PointProbes, checks.Fail, "0 readiness probes"},
		{"a probe that is deaf", []func(*Facts){readiness(exec("redis-cli ping"))}, PointProbes, checks.Warn, "2 of 3 probes fail on a wrong password: redis-cli exits with 0"},
		{"a probe that greps", []func(*Facts){readiness(exec("sh -c redis-cli ping | grep PONG"))}, PointProbes, checks.OK, "3 of 3 probes fail"},
		{"a probe that asks for the code", []func(*Facts){readiness(exec("redis-cli -e ping"))}, PointProbes, checks.OK, "3 of 3 probes fail"},
		{"a host name is no flag", []func(*Facts){readiness(exec("redis-cli -h redis-east ping"))}, PointProbes, checks.Warn, "2 of 3 probes fail"},
		{"a probe that connects", []func(*Facts){readiness(evidence.Probe{Kind: "tcp", Detail: "6379"})}, PointProbes, checks.Warn, "2 of 3 probes fail on a wrong password: a connection"},
		{"a script", []func(*Facts){readiness(exec("/health/ready.sh"))}, PointProbes, checks.Unknown, "1 readiness probe is a script"},
		{"no liveness probe", []func(*Facts){func(f *Facts) { f.Seen.Workload.Containers[0].Liveness = evidence.Probe{} }}, PointProbes, checks.Warn, "0 liveness probes"},
		{"killed while it loads", []func(*Facts){func(f *Facts) { f.Seen.Workload.Containers[0].Startup = evidence.Probe{} }}, PointProbes, checks.Warn, "10 s after its start it is killed"},
		{"a timeout of a second", []func(*Facts){func(f *Facts) { f.Seen.Workload.Containers[0].Readiness.Timeout = 1 }}, PointProbes, checks.Warn, "1 s is the timeout of the readiness probe"},
		{"no such container", []func(*Facts){func(f *Facts) { f.Seen.Workload.Containers = nil }}, PointProbes, checks.Unknown, "0 containers of store are known"},
	} {
		t.Run(test.point+" "+test.name, func(t *testing.T) {
			facts := well()
			for _, change := range test.change {
				change(&facts)
			}
			report := Judge(facts)
			got := report.point(test.point)
			if got.Status != test.status || !strings.HasPrefix(got.Says, test.says) {
				t.Errorf("%s: %s", got.Status, got.Says)
			}
			if report.OK() != (test.status == checks.OK) && test.status != checks.OK {
				t.Errorf("the report says that all is well")
			}
			if mended := got.Status == checks.Warn || got.Status == checks.Fail; mended && got.Do == "" {
				t.Error("nothing is said of what to do")
			}
		})
	}
}

// TestNothingUnreadIsWell: without any source no point is ok.
func TestNothingUnreadIsWell(t *testing.T) {
	facts := well()
	for _, source := range []string{SourceServers, SourceBudgets, SourceFolder, SourceJobs, SourceBackup} {
		facts.Unknown[source] = "not read"
	}
	facts.Seen.Unknown = map[string]string{"workload": "not read"}
	for _, p := range Judge(facts).Points {
		if p.Status != checks.Unknown || p.Says != "not read" {
			t.Errorf("%s: %s %s", p.ID, p.Status, p.Says)
		}
	}
}

func TestProofIsCut(t *testing.T) {
	facts := well()
	facts.Backup.Files = nil
	for n := range 9 {
		facts.Backup.Files = append(facts.Backup.Files, BackupFile{Name: fmt.Sprint(n), Age: time.Duration(n) * time.Hour})
	}
	proof := Judge(facts).point(PointBackups).Proof
	want := []string{"0: 0 bytes, 0 s old", "and 4 more", "CronJob copy (@hourly) mounts backups; it succeeded 60 min ago"}
	for _, line := range want {
		if !slices.Contains(proof, line) {
			t.Errorf("no %q in %q", line, proof)
		}
	}
	if len(proof) != shownFiles+2 {
		t.Errorf("%q", proof)
	}
}
