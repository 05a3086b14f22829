package checks

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"redis-session-bot/internal/evidence"
)

func reachCheck() Check {
	return Check{
		Name:   "reach",
		Says:   "a connection from the application's pod, each server asked directly (AUTH, PING, INFO, a session-like round trip), what the application's own log says about the store, and, where it does not get through, the NetworkPolicies on its way",
		Fields: []string{"reach", "redis", "app", "heard", "secret", "policies"},
		Read:   readReach,
	}
}

func readReach(e evidence.Evidence) Reading {
	r := &reading{}
	if !r.unknown(e, "reach", e.Target.App) {
		for _, try := range e.Reach {
			readTry(r, e, try)
		}
		if len(e.Reach) == 0 {
			r.add(Unknown, e.Target.App, "nobody could be asked to connect")
		}
		if slices.ContainsFunc(e.Reach, func(try evidence.Reach) bool { return !try.OK }) {
			r.unknown(e, "policies", e.Target.App)
		}
	}
	if !r.unknown(e, "redis", e.Target.Workload) {
		for _, server := range e.Redis {
			readServer(r, server)
		}
		if len(e.Redis) == 0 {
			r.add(Fail, e.Target.Workload, "there is no server to ask")
		}
	}
	if !r.unknown(e, "app", e.Target.App) && e.App.Name != "" {
		readAppLog(r, e)
	}
	return r.done(reachSummary(e), reachRaw(e))
}

func reachSummary(e evidence.Evidence) string {
	for _, server := range e.Redis {
		if !server.OK {
			return fmt.Sprintf("%s: %s", server.Pod, cut(server.Error, 120))
		}
	}
	for _, try := range e.Reach {
		if !try.OK {
			return fmt.Sprintf("from the %s: %s", who(try), cut(try.Error, 120))
		}
	}
	if len(e.Redis) > 0 && len(e.Reach) > 0 {
		return fmt.Sprintf("PONG, a session written and read back, %d keys", e.Redis[0].Keys)
	}
	return ""
}

func readTry(r *reading, e evidence.Evidence, try evidence.Reach) {
	object := e.Target.App
	if try.Pod != "" {
		object = "Pod/" + try.Pod
	}
	if try.OK {
		r.add(OK, object, fmt.Sprintf("the %s connects to %s:%d", who(try), e.Target.Service, e.Target.Port))
		return
	}
	r.add(Fail, object, fmt.Sprintf("the %s cannot connect to %s:%d", who(try), e.Target.Service, e.Target.Port), try.Error)
}

func who(try evidence.Reach) string {
	if try.From == "app" {
		return "application"
	}
	return try.From
}

func readServer(r *reading, server evidence.Redis) {
	object := "Pod/" + server.Pod
	if server.OK {
		summary := "PONG, a session written and read back"
		if server.Keys >= 0 {
			summary += fmt.Sprintf(", %d keys", server.Keys)
		}
		if version := server.Info["redis_version"]; version != "" {
			summary += ", Redis " + version
		}
		r.add(OK, object, summary)
		return
	}
	stage := map[string]string{"dial": "it does not answer", "auth": "it refuses the password", "ping": "PING is refused",
		"info": "INFO is refused", "write": "a session cannot be written"}[server.Stage]
	r.add(Fail, object, orWord(stage, "it does not work"), server.Error)
}

func readAppLog(r *reading, e evidence.Evidence) {
	object := "Deployment/" + e.App.Name
	switch {
	case e.App.Created != "" && e.At.Sub(e.App.CreatedAt).Minutes() < 2:
		r.add(OK, object, "logged a session created "+ago(e.At, e.App.CreatedAt), lastOf(e.App.Said, 2)...)
	case len(e.App.Said) > 0:
		r.add(Warn, object, "its log about the store, newest last", lastOf(e.App.Said, 4)...)
	default:
		r.add(OK, object, "its log says nothing about the store")
	}
}

func reachRaw(e evidence.Evidence) string {
	var b strings.Builder
	for _, try := range e.Reach {
		fmt.Fprintf(&b, "from the %s (%s, %s): ok %t %s\n", who(try), orWord(try.Pod, "no pod"), orWord(try.Via, "no tool"), try.OK, try.Error)
	}
	for _, server := range e.Redis {
		fmt.Fprintf(&b, "\n%s: ok %t %s %s, %d keys\n", server.Pod, server.OK, server.Stage, server.Error, server.Keys)
		for _, key := range sortedKeys(server.Info) {
			fmt.Fprintf(&b, "  %s: %s\n", key, server.Info[key])
		}
	}
	if len(e.App.Said) > 0 {
		fmt.Fprintf(&b, "\n%s about the store\n%s\n", e.App.Name, strings.Join(e.App.Said, "\n"))
	}
	return b.String()
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
