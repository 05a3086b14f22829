package checks

import (
	"fmt"
	"slices"
	"strings"

	"redis-session-bot/internal/evidence"
)

func podsCheck() Check {
	return Check{
		Name:   "pods",
		Says:   "the workload, its pods with status, restarts, waiting reasons, last exits and conditions, its rollout history, its nodes, the events of the last hour, and, where a pod is missing or finds its port taken, the LimitRanges and who holds the port",
		Fields: []string{"workload", "pods", "neighbours", "events", "revisions", "nodes", "config", "exporters", "quotas", "ranges"},
		Read:   readPods,
	}
}

func readPods(e evidence.Evidence) Reading {
	r := &reading{}
	workload := e.Workload.Kind + "/" + e.Target.Workload
	if !r.unknown(e, "workload", e.Target.Workload) {
		switch {
		case !e.Workload.Exists:
			r.add(Fail, e.Target.Workload, "there is no Deployment and no StatefulSet of this name")
		case e.Workload.Replicas == 0:
			r.add(Fail, workload, "it is scaled to 0")
		case e.Workload.Paused:
			r.add(Warn, workload, "its rollout is paused")
		}
	}
	if r.unknown(e, "pods", e.Target.Workload) {
		return r.done("", "")
	}
	if len(e.Pods) == 0 {
		r.add(Fail, workload, "it has no pod", refusedPod(e))
		r.unknown(e, "ranges", workload)
	}
	for _, pod := range e.Pods {
		readPod(r, e, pod)
	}
	readRollout(r, e)
	readGaps(r, e, workload)
	return r.done(podsSummary(e), podsRaw(e))
}

// readGaps tells what was asked for in vain and may hide the cause: the history,
// the events and the nodes of pods that are not ready, and the exporter of a store
// that is.
func readGaps(r *reading, e evidence.Evidence, workload string) {
	fields := []string{"revisions", "events", "nodes"}
	if len(e.Pods) > 0 && !slices.ContainsFunc(e.Pods, func(p evidence.Pod) bool { return !p.Ready }) {
		fields = []string{"exporters"}
	}
	for _, field := range fields {
		if why := e.Unknown[field]; why != "" && why != evidence.NotRead {
			r.unknown(e, field, workload)
		}
	}
}

// podsSummary is "1 pod, not ready, 6 restarts, CrashLoopBackOff".
func podsSummary(e evidence.Evidence) string {
	if len(e.Pods) == 0 {
		if e.Knows("workload") && e.Workload.Exists && e.Workload.Replicas == 0 {
			return "no pod: scaled to 0"
		}
		return "no pod"
	}
	ready, restarts, reason := 0, int64(0), ""
	for _, pod := range e.Pods {
		if pod.Ready {
			ready++
		}
		for _, container := range pod.Containers {
			restarts += container.Restarts
			if reason == "" && !container.Ready && !container.Init {
				reason = container.Reason
			}
		}
		if reason == "" && !pod.Ready && pod.Phase != "Running" {
			reason = pod.Phase
		}
	}
	parts := []string{count(len(e.Pods), "pod"), fmt.Sprintf("%d ready", ready), count(int(restarts), "restart")}
	if reason != "" {
		parts = append(parts, reason)
	}
	return strings.Join(parts, ", ")
}

func readPod(r *reading, e evidence.Evidence, pod evidence.Pod) {
	name := "Pod/" + pod.Name
	if pod.Ready && !pod.Deleting {
		r.add(OK, name, "ready"+restartsOf(e, pod))
		return
	}
	if pod.Deleting {
		r.add(Warn, name, "it is being deleted")
	}
	said := false
	for _, container := range pod.Containers {
		said = readContainer(r, e, name, container) || said
	}
	for _, condition := range pod.Conditions {
		if condition.Type == "PodScheduled" && condition.Status == "False" {
			r.add(Fail, name, "no node takes it", condition.Message)
			said = true
		}
	}
	if !said {
		r.add(Fail, name, strings.TrimSpace(fmt.Sprintf("not ready, %s %s", pod.Phase, pod.Reason)), pod.Message)
	}
}

// readContainer reports a container that is not well; false when it is.
func readContainer(r *reading, e evidence.Evidence, pod string, c evidence.Container) bool {
	if c.Ready || c.Init && c.State == "terminated" && c.LastExit.Code == 0 {
		return false
	}
	var proof []string
	if c.LastExit.Happened {
		ran := "and never ran"
		if c.LastExit.StartedAt.Unix() > 0 { // containerd gives the epoch for what could not be started
			ran = fmt.Sprintf("after %s", c.LastExit.FinishedAt.Sub(c.LastExit.StartedAt))
		}
		proof = append(proof, fmt.Sprintf("last exit: %s, code %d, %s, %s", orWord(c.LastExit.Reason, "no reason"), c.LastExit.Code, ago(e.At, c.LastExit.FinishedAt), ran))
	}
	proof = append(proof, c.Message)
	switch {
	case c.Reason != "":
		r.add(Fail, pod, fmt.Sprintf("container %s: %s, %s", c.Name, c.Reason, count(int(c.Restarts), "restart")), proof...)
	case c.State == "running":
		r.add(Fail, pod, fmt.Sprintf("container %s runs and is not ready, %s", c.Name, count(int(c.Restarts), "restart")), proof...)
	default:
		return false
	}
	return true
}

func restartsOf(e evidence.Evidence, pod evidence.Pod) string {
	for _, c := range pod.Containers {
		if c.Restarts > 0 && c.LastExit.Happened {
			return fmt.Sprintf(", %s, last exit %s (code %d) %s", count(int(c.Restarts), "restart"),
				orWord(c.LastExit.Reason, "without a reason"), c.LastExit.Code, ago(e.At, c.LastExit.FinishedAt))
		}
	}
	return ""
}

// readRollout names the newest revision when its pods are not well.
func readRollout(r *reading, e evidence.Evidence) {
	if len(e.Revisions) == 0 {
		return
	}
	newest := e.Revisions[0]
	if newest.Unstable && len(newest.Changes) > 0 {
		r.add(Warn, newest.Name, fmt.Sprintf("revision %d, made %s, has no ready pod", newest.Number, ago(e.At, newest.At)), newest.Changes...)
	}
}

// refusedPod is the newest event that says why no pod could be made.
func refusedPod(e evidence.Evidence) string {
	for i := len(e.Events) - 1; i >= 0; i-- {
		if e.Events[i].Reason == "FailedCreate" {
			return e.Events[i].Message
		}
	}
	return ""
}

func orWord(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// writers names who wrote an object, newest first; the controllers' status
// writes say nothing.
func writers(what string, e evidence.Evidence, managers []evidence.Manager) string {
	var b strings.Builder
	for i := len(managers) - 1; i >= 0; i-- {
		if m := managers[i]; m.Sub == "" {
			fmt.Fprintf(&b, "%s written by %s, %s\n", what, m.Name, ago(e.At, m.At))
		}
	}
	return b.String()
}

// podsRaw lists the pods, the rollout history and the events, as describe would.
func podsRaw(e evidence.Evidence) string {
	var b strings.Builder
	if e.Workload.Exists {
		fmt.Fprintf(&b, "%s %s: %d wanted, %d ready, %d updated\n\n", e.Workload.Kind, e.Workload.Name, e.Workload.Replicas, e.Workload.Ready, e.Workload.Updated)
	}
	b.WriteString(writers("Workload", e, e.Workload.Managers) + writers("Configuration", e, e.Config.Managers))
	for _, pod := range e.Pods {
		fmt.Fprintf(&b, "Pod %s: %s, ready %t, node %s, %s\n", pod.Name, pod.Phase, pod.Ready, orWord(pod.Node, "none"), ago(e.At, pod.CreatedAt))
		for _, c := range pod.Containers {
			fmt.Fprintf(&b, "  %s (%s): %s %s, ready %t, %d restarts", c.Name, c.Image, orWord(c.State, "not reported"), c.Reason, c.Ready, c.Restarts)
			if c.LastExit.Happened {
				fmt.Fprintf(&b, ", last exit %s code %d", c.LastExit.Reason, c.LastExit.Code)
			}
			b.WriteString("\n")
		}
		for _, c := range pod.Conditions {
			if c.Status != "True" {
				fmt.Fprintf(&b, "  condition %s %s %s %s\n", c.Type, c.Status, c.Reason, c.Message)
			}
		}
	}
	if len(e.Revisions) > 0 {
		b.WriteString("\nRollout history, newest first\n")
		for _, rev := range e.Revisions {
			fmt.Fprintf(&b, "  %d  %s  %s  %d of %d pods ready  %s\n", rev.Number, ago(e.At, rev.At), strings.Join(rev.Images, " "), rev.Ready, rev.Pods, strings.Join(rev.Changes, "; "))
		}
	}
	if len(e.Events) > 0 {
		b.WriteString("\nEvents of the last hour, newest last\n")
		for _, event := range e.Events {
			fmt.Fprintf(&b, "  %s  %s  %s/%s  %s ×%d\n", event.Last.UTC().Format("15:04:05"), event.Reason, event.Kind, event.Name, event.Message, event.Count)
		}
	}
	return b.String()
}
