package checks

import (
	"fmt"
	"sort"
	"strings"

	"redis-session-bot/internal/evidence"
)

func endpointsCheck() Check {
	return Check{
		Name:   "endpoints",
		Says:   "the Service with its selector against the pods' labels, and the addresses behind it",
		Fields: []string{"service", "endpoints"},
		Read:   readEndpoints,
	}
}

func readEndpoints(e evidence.Evidence) Reading {
	r := &reading{}
	object := "Service/" + e.Target.Service
	if !r.unknown(e, "service", object) {
		readSelector(r, e, object)
	}
	if r.unknown(e, "endpoints", object) {
		return r.done("", "")
	}
	ready := 0
	var raw strings.Builder
	for _, endpoint := range e.Endpoints {
		if endpoint.Ready {
			ready++
		}
		fmt.Fprintf(&raw, "%s  %s  ready %t  ports %v\n", endpoint.Address, endpoint.Pod, endpoint.Ready, endpoint.Ports)
	}
	summary := fmt.Sprintf("%d of %s ready behind %s", ready, count(len(e.Endpoints), "address"), e.Target.Service)
	summary = strings.Replace(summary, "addresss", "addresses", 1)
	switch {
	case ready == 0:
		r.add(Fail, object, summary)
	case ready < len(e.Endpoints):
		r.add(Warn, object, summary)
	default:
		r.add(OK, object, summary)
	}
	for _, endpoint := range e.Endpoints {
		if len(endpoint.Ports) == 0 {
			r.add(Fail, object, "an address has no port: the Service names a port that the pod does not have", endpoint.Address)
		}
	}
	return r.done("", raw.String())
}

func readSelector(r *reading, e evidence.Evidence, object string) {
	switch {
	case !e.Service.Exists:
		r.add(Fail, object, "there is no Service of this name")
	case len(e.Service.Selector) == 0:
		r.add(Warn, object, "it has no selector: somebody keeps its addresses by hand")
	case len(e.Pods) > 0 && len(e.Service.Selects) == 0:
		r.add(Fail, object, fmt.Sprintf("its selector matches none of the %s", count(len(e.Pods), "pod")),
			"selector: "+pairs(e.Service.Selector), "labels of "+e.Pods[0].Name+": "+pairs(e.Pods[0].Labels))
	case len(e.Pods) > 0:
		r.add(OK, object, fmt.Sprintf("its selector matches %d of %s", len(e.Service.Selects), count(len(e.Pods), "pod")))
	}
}

func pairs(labels map[string]string) string {
	var all []string
	for key, value := range labels {
		all = append(all, key+"="+value)
	}
	sort.Strings(all)
	return strings.Join(all, ", ")
}
