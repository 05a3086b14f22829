package audit

import (
	"fmt"
	"regexp"
	"slices"

	"redis-session-bot/internal/evidence"
)

const (
	// leastTimeout is what starting redis-cli may take on a busy node, in seconds.
	leastTimeout = 2
	// leastLoading is how long a server must be let load before it is killed
	// for not answering, in seconds.
	leastLoading = 60
)

// hearing is what a probe makes of a refusal.
type hearing int

const (
	hears     hearing = iota // it fails
	deaf                     // it succeeds all the same
	unlearned                // a script decides
)

// client matches a command of Redis' own client.
var client = regexp.MustCompile(`\b(redis|valkey|keydb)-cli\b`)

// compares matches what makes a probe look at the answer: redis-cli exits with
// 0 on NOAUTH and LOADING, but for -e, which Redis 7 has.
var compares = regexp.MustCompile(`PONG|grep|\s-e(\s|$)`)

// hearingOf tells what a probe makes of NOAUTH. A connection is not asked for a
// password, so a TCP probe hears nothing.
func hearingOf(p evidence.Probe) hearing {
	switch {
	case p.Kind == "tcp":
		return deaf
	case p.Kind != "exec" || !client.MatchString(p.Detail):
		return unlearned
	case compares.MatchString(p.Detail):
		return hears
	}
	return deaf
}

// probes asks that traffic goes only to a server that serves, that a server
// that hangs is restarted, and that none is killed while it loads.
func probes(f Facts) verdict {
	if v := f.missing("workload"); v != nil {
		return *v
	}
	container, found := containerOf(f)
	if !found {
		return unknown("Set the target's container.", "0 containers of %s are known.", f.Seen.Workload.Name)
	}
	all := []struct {
		name  string
		probe evidence.Probe
	}{{"readiness", container.Readiness}, {"liveness", container.Liveness}, {"startup", container.Startup}}
	var proof []string
	there, listening := 0, 0
	for _, one := range all {
		if one.probe.Kind == "" {
			continue
		}
		there++
		if hearingOf(one.probe) == hears {
			listening++
		}
		proof = append(proof, fmt.Sprintf("%s: %s %s, every %d s, timeout %d s, %d failures", one.name, one.probe.Kind, one.probe.Detail, one.probe.Period, one.probe.Timeout, one.probe.Failures))
	}
	troubles := probeTroubles(container, there, listening)
	if len(troubles) == 0 {
		return ok("%d of %s fail on a wrong password, readiness among them, and each has at least %d s to answer.", listening, count(there, "probe"), leastTimeout).with(proof...)
	}
	worst := troubles[0]
	for _, one := range troubles[1:] {
		worst = worst.with("and: " + one.says)
	}
	return worst.with(proof...)
}

// probeTroubles are what is wrong with the probes, the gravest first.
func probeTroubles(c evidence.Container, there, listening int) []verdict {
	const doCompare = `Let the readiness probe compare the answer: sh -c '[ "$(redis-cli ping)" = PONG ]'.`
	var all []verdict
	switch hearing := hearingOf(c.Readiness); {
	case c.Readiness.Kind == "":
		all = append(all, fail(doCompare, "0 readiness probes: clients are sent to a server that does not answer."))
	case hearing == deaf && c.Readiness.Kind == "tcp":
		all = append(all, warn(doCompare, "%d of %s fail on a wrong password: a connection to the port is enough for the readiness probe.", listening, count(there, "probe")))
	case hearing == deaf:
		all = append(all, warn(doCompare, "%d of %s fail on a wrong password: redis-cli exits with 0 on NOAUTH.", listening, count(there, "probe")))
	case hearing == unlearned:
		all = append(all, unknown("Run it once with a wrong password: it must fail.", "1 readiness probe is a script, and what that makes of a wrong password is not known: %s.", c.Readiness.Detail))
	}
	if c.Liveness.Kind == "" {
		all = append(all, warn("Add a liveness probe.", "0 liveness probes: a server that hangs is not restarted."))
	}
	if patience := c.Liveness.Delay + c.Liveness.Period*c.Liveness.Failures; c.Liveness.Kind != "" && c.Startup.Kind == "" && patience < leastLoading {
		all = append(all, warn("Add a startup probe that lets it load for minutes.", "%d s after its start it is killed, if it still loads its file then: there is no startup probe.", patience))
	}
	for _, one := range []struct {
		name  string
		probe evidence.Probe
	}{{"readiness", c.Readiness}, {"liveness", c.Liveness}, {"startup", c.Startup}} {
		if one.probe.Kind == "exec" && one.probe.Timeout < leastTimeout {
			all = append(all, warn(fmt.Sprintf("Set timeoutSeconds: 5 on the %s probe.", one.name), "%d s is the timeout of the %s probe: on a busy node redis-cli starts later than that.", one.probe.Timeout, one.name))
		}
	}
	slices.SortStableFunc(all, func(a, b verdict) int { return b.status.Rank() - a.status.Rank() })
	return all
}
