package audit

import (
	"fmt"
	"strconv"
	"strings"

	"redis-session-bot/internal/evidence"
)

const (
	// full is the share of maxmemory above which it is as good as used up.
	full = 0.9
	// forkRoom is how much a container needs of maxmemory where Redis copies
	// itself to write a file or to feed a replica: the pages that are written
	// meanwhile exist twice. The runbook gives 1024mb a limit of 1.5Gi.
	forkRoom = 1.5
	// plainRoom is what it needs where it never does: buffers, fragmentation.
	plainRoom = 1.2
)

// memory asks that Redis evicts, or refuses, before the kernel kills it, and
// that a copy of itself has room.
func memory(f Facts) verdict {
	primary, v := f.primary()
	if v != nil {
		return *v
	}
	if v := f.missing("workload"); v != nil {
		return *v
	}
	container, found := containerOf(f)
	if !found {
		return unknown("Set the target's container.", "0 containers of %s are known.", f.Seen.Workload.Name)
	}
	used, most, limit := bytesOf(primary, "used_memory"), bytesOf(primary, "maxmemory"), container.Memory
	room, why := plainRoom, "for buffers and fragmentation"
	if forks(primary) {
		room, why = forkRoom, "for the copy that a rewrite or a snapshot makes"
	}
	proof := []string{
		fmt.Sprintf("used %s, at its peak %s, resident %s", evidence.Bytes(used), evidence.Bytes(bytesOf(primary, "used_memory_peak")), evidence.Bytes(bytesOf(primary, "used_memory_rss"))),
		fmt.Sprintf("the last rewrite copied %s, the last snapshot %s", evidence.Bytes(bytesOf(primary, "aof_last_cow_size")), evidence.Bytes(bytesOf(primary, "rdb_last_cow_size"))),
	}
	wanted := evidence.Bytes(int64(float64(most) * room))
	switch {
	case most == 0 && limit == 0:
		return fail("Set maxmemory, and a memory limit of half as much again.", "0 bounds: neither maxmemory nor a memory limit, so it may take all of the node's memory.").with(proof...)
	case most == 0:
		return fail("Set maxmemory to two thirds of the limit.", "0 maxmemory: at its limit of %s the kernel kills Redis, which never evicts.", evidence.Bytes(limit)).with(proof...)
	case limit == 0:
		return warn("Set a memory limit of "+wanted+".", "0 memory limit: on a node that runs out of memory it is among the first to be killed.").with(proof...)
	case limit <= most:
		return fail("Raise the limit to "+wanted+".", "%s of maxmemory in a limit of %s: the kernel kills Redis before it evicts.", evidence.Bytes(most), evidence.Bytes(limit)).with(proof...)
	case float64(used) >= full*float64(most):
		return warn("Raise maxmemory and the limit together, before sessions are evicted or refused.", "%d %% of maxmemory is used (%s of %s).", used*100/most, evidence.Bytes(used), evidence.Bytes(most)).with(proof...)
	case float64(limit) < room*float64(most):
		return warn("Raise the limit to "+wanted+".", "%s between maxmemory (%s) and the limit (%s) is too little %s.",
			evidence.Bytes(limit-most), evidence.Bytes(most), evidence.Bytes(limit), why).with(proof...)
	}
	return ok("%d %% of maxmemory is used (%s of %s), and %s more are below the limit of %s %s.",
		used*100/most, evidence.Bytes(used), evidence.Bytes(most), evidence.Bytes(limit-most), evidence.Bytes(limit), why).with(proof...)
}

// forks reports whether the server copies itself: for a file, or for a replica.
func forks(s evidence.Server) bool {
	save, known := s.Settings["save"]
	return s.Info["aof_enabled"] == "1" || !known || save != "" || number(s.Info["connected_slaves"]) > 0
}

// manyForever is the share of keys without an expiry above which they are no
// odd ones.
const manyForever = 0.1

// eviction asks that a full store lets go of the sessions that are missed
// least, and that sessions end by themselves.
func eviction(f Facts) verdict {
	primary, v := f.primary()
	if v != nil {
		return *v
	}
	policy, most := primary.Info["maxmemory_policy"], bytesOf(primary, "maxmemory")
	keys, forever := primary.Keys, primary.Keys-primary.Expiring
	evicted := bytesOf(primary, "evicted_keys")
	proof := []string{fmt.Sprintf("maxmemory-policy %s; %d keys, %d with an expiry; %d evicted and %d expired since its start",
		policy, keys, primary.Expiring, evicted, bytesOf(primary, "expired_keys"))}
	const doExpire = "Let the application set an expiry on every session."
	family, _, _ := strings.Cut(policy, "-")
	switch {
	case policy == "":
		return unknown("Ask the server: redis-cli config get maxmemory-policy.", "The eviction policy is not known: the server does not say.")
	case most == 0:
		return fail("Set maxmemory.", "0 maxmemory: the policy %s never applies.", policy).with(proof...)
	case policy == "noeviction":
		return warn("Set maxmemory-policy allkeys-lru, or be paged before it is full.", "0 keys are ever evicted (noeviction): at %s Redis refuses every new session.", evidence.Bytes(most)).with(proof...)
	case evicted > 0:
		return warn("Raise maxmemory and the limit together.", "%d keys were evicted since the start of %s: those sessions ended early.", evicted, primary.Pod).with(proof...)
	case family == "volatile" && keys == 0:
		return unknown("Run it again when somebody is signed in.", "0 keys are there, so whether sessions expire is not seen; %s evicts only what does.", policy).with(proof...)
	case family == "volatile" && forever == keys:
		return fail(doExpire+" Or set maxmemory-policy allkeys-lru.", "0 of %s have an expiry: %s finds nothing to evict, and Redis refuses writes when it is full.", count(int(keys), "key"), policy).with(proof...)
	case family == "volatile" && forever > 0:
		return warn(doExpire+" Or set maxmemory-policy allkeys-lru.", "%d of %s have no expiry: %s keeps them and evicts sessions instead.", forever, count(int(keys), "key"), policy).with(proof...)
	case float64(forever) > manyForever*float64(keys):
		return warn(doExpire, "%d of %s have no expiry: those sessions end only when they are evicted.", forever, count(int(keys), "key")).with(proof...)
	case strings.HasSuffix(policy, "-random"):
		return warn("Set maxmemory-policy "+family+"-lru.", "1 session is as likely to be evicted as any other (%s), the busy ones too.", policy).with(proof...)
	}
	return ok("%d of %s have an expiry, and %s lets go of what is missed least.", primary.Expiring, count(int(keys), "key"), policy).with(proof...)
}

// bytesOf reads a whole number of INFO; 0 for anything else.
func bytesOf(s evidence.Server, field string) int64 {
	n, err := strconv.ParseInt(s.Info[field], 10, 64)
	if err != nil {
		return 0
	}
	return n
}
