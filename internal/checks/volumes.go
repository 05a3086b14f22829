package checks

import (
	"fmt"
	"slices"
	"strings"

	"redis-session-bot/internal/evidence"
)

func volumesCheck() Check {
	return Check{
		Name:   "volumes",
		Says:   "the claims that the workload mounts, their volumes and StorageClasses, and their events",
		Fields: []string{"claims", "classes"},
		Read:   readVolumes,
	}
}

func readVolumes(e evidence.Evidence) Reading {
	r := &reading{}
	if r.unknown(e, "claims", e.Target.Workload) {
		return r.done("", "")
	}
	if len(e.Claims) == 0 {
		r.add(OK, e.Target.Workload, "it mounts no claim: its data lives and dies with the pod")
	}
	var raw strings.Builder
	for _, claim := range e.Claims {
		fmt.Fprintf(&raw, "%s  exists %t  %s  class %s  volume %s  %s\n", claim.Name, claim.Exists, claim.Phase, claim.Class, claim.Volume, evidence.Bytes(claim.Capacity))
		readClaim(r, e, claim)
	}
	if why := e.Unknown["classes"]; why != evidence.NotRead && slices.ContainsFunc(e.Claims, func(c evidence.Claim) bool { return c.Phase != "Bound" }) {
		r.unknown(e, "classes", e.Target.Workload) // a claim may wait for one
	}
	for _, event := range e.Events {
		if event.Kind == "PersistentVolumeClaim" || event.Reason == "FailedMount" || event.Reason == "FailedAttachVolume" {
			fmt.Fprintf(&raw, "%s  %s  %s/%s  %s\n", event.Last.UTC().Format("15:04:05"), event.Reason, event.Kind, event.Name, event.Message)
		}
	}
	return r.done("", raw.String())
}

func readClaim(r *reading, e evidence.Evidence, claim evidence.Claim) {
	object := "PersistentVolumeClaim/" + claim.Name
	switch {
	case !claim.Exists:
		r.add(Fail, object, "the workload mounts it, and it does not exist")
	case claim.Deleting:
		r.add(Warn, object, "it is being deleted")
	case claim.Phase == "Bound":
		r.add(OK, object, fmt.Sprintf("%s is bound, %s", claim.Name, evidence.Bytes(claim.Capacity)), "its volume is "+claim.Volume)
	case claim.Phase == "Pending" && len(e.Pods) == 0 && waitsForPod(e, claim):
		r.add(OK, object, "Pending, as it should be: its StorageClass waits for a pod")
	default:
		r.add(Fail, object, orWord(claim.Phase, "of an unknown phase")+reasonOf(e, claim), claimEvents(e, claim)...)
	}
}

func waitsForPod(e evidence.Evidence, claim evidence.Claim) bool {
	for _, class := range e.Classes {
		if class.Name == claim.Class {
			return class.WaitsForPod
		}
	}
	return false
}

// reasonOf says that the claim's StorageClass does not exist, where that is so.
func reasonOf(e evidence.Evidence, claim evidence.Claim) string {
	if claim.Class == "" || !e.Knows("classes") {
		return ""
	}
	for _, class := range e.Classes {
		if class.Name == claim.Class {
			return ""
		}
	}
	return fmt.Sprintf(": there is no StorageClass %s", claim.Class)
}

func claimEvents(e evidence.Evidence, claim evidence.Claim) []string {
	var lines []string
	for _, event := range e.Events {
		if event.Kind == "PersistentVolumeClaim" && event.Name == claim.Name {
			lines = append(lines, event.Reason+": "+event.Message)
		}
	}
	return lastOf(lines, 3)
}
