package checks

import (
	"fmt"
	"strings"

	"redis-session-bot/internal/evidence"
)

func usageCheck() Check {
	return Check{
		Name:   "usage",
		Says:   "memory and CPU from the metrics API, beside the container's limit and maxmemory; and what Prometheus kept, where config names one",
		Fields: []string{"usage", "history"},
		Read:   readUsage,
	}
}

// tight is the share of its limit above which memory is worth a word.
const tight = 0.9

func readUsage(e evidence.Evidence) Reading {
	r := &reading{}
	readHistory(r, e)
	if r.unknown(e, "usage", e.Target.Workload) {
		return r.done("", "")
	}
	var raw strings.Builder
	for _, usage := range e.Usage {
		limit := limitOf(e, usage)
		line := fmt.Sprintf("%s of memory, %dm of CPU", evidence.Bytes(usage.Memory), usage.CPU)
		fmt.Fprintf(&raw, "%s/%s  %s  limit %s\n", usage.Pod, usage.Container, line, limitWord(limit))
		object := "Pod/" + usage.Pod
		switch {
		case limit == 0:
			r.add(Warn, object, fmt.Sprintf("%s uses %s; it has no memory limit", usage.Container, line))
		case float64(usage.Memory) > tight*float64(limit):
			r.add(Fail, object, fmt.Sprintf("%s uses %s: %d %% of its limit of %s", usage.Container, line, usage.Memory*100/limit, evidence.Bytes(limit)))
		default:
			r.add(OK, object, fmt.Sprintf("%s uses %s: %d %% of its limit of %s", usage.Container, line, usage.Memory*100/limit, evidence.Bytes(limit)))
		}
	}
	if len(e.Usage) == 0 {
		r.add(Unknown, e.Target.Workload, "the metrics API has measured no container of it yet")
	}
	readMaxmemory(r, e)
	return r.done("", raw.String())
}

// readHistory tells what Prometheus kept; nothing where it was not asked.
func readHistory(r *reading, e evidence.Evidence) {
	if r.unknown(e, "history", "Prometheus") || !e.History.Known {
		return
	}
	h := e.History
	switch {
	case h.Up == 0:
		r.add(Warn, "Prometheus", "its last scrape of the store failed (up is 0)")
	case h.Up < 0:
		r.add(Warn, "Prometheus", "it has no target for the store now (up is not there)")
	case h.RedisUp == 0:
		r.add(Fail, "Prometheus", "the exporter gets no answer from the store (redis_up is 0)")
	default:
		r.add(OK, "Prometheus", "it scrapes the store")
	}
	if h.KeysBefore > 0 && h.KeysAfter*2 < h.KeysBefore {
		r.add(Warn, "Prometheus", fmt.Sprintf("%d keys fell to %d, seen %s", h.KeysBefore, h.KeysAfter, ago(e.At, h.FellAt)))
	} else if h.Keys >= 0 {
		r.add(OK, "Prometheus", fmt.Sprintf("%d keys, at most %d", h.Keys, h.MostKeys))
	}
	if h.MaxMemory > 0 && h.MostMemory > 0 {
		severity := OK
		if float64(h.MostMemory) > tight*float64(h.MaxMemory) {
			severity = Warn
		}
		r.add(severity, "Prometheus", fmt.Sprintf("memory was at most %s, %d %% of its maxmemory of %s", evidence.Bytes(h.MostMemory), h.MostMemory*100/h.MaxMemory, evidence.Bytes(h.MaxMemory)))
	}
}

// readMaxmemory holds maxmemory against the container's limit.
func readMaxmemory(r *reading, e evidence.Evidence) {
	for _, container := range e.Workload.Containers {
		if container.Name != e.Target.Container || container.Memory == 0 || e.Config.Memory == 0 {
			continue
		}
		object := "ConfigMap/" + e.Config.Name
		if e.Config.Memory >= container.Memory {
			r.add(Warn, object, fmt.Sprintf("maxmemory is %s and the container's limit %s: the kernel kills Redis before it evicts",
				evidence.Bytes(e.Config.Memory), evidence.Bytes(container.Memory)))
			continue
		}
		r.add(OK, object, fmt.Sprintf("maxmemory is %s, the container's limit %s", evidence.Bytes(e.Config.Memory), evidence.Bytes(container.Memory)))
	}
}

func limitOf(e evidence.Evidence, usage evidence.Usage) int64 {
	for _, pod := range e.Pods {
		for _, container := range pod.Containers {
			if pod.Name == usage.Pod && container.Name == usage.Container {
				return container.Memory
			}
		}
	}
	return 0
}

func limitWord(limit int64) string {
	if limit == 0 {
		return "none"
	}
	return evidence.Bytes(limit)
}
