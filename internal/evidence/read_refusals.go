package evidence

import (
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// exceeded is what the API server says of a pod that a quota has no room for.
// Names are taken only as it makes them: people type what is made of them.
var exceeded = regexp.MustCompile(`exceeded quota: ([a-z0-9.-]+), requested: ([\w=,./-]+), used: ([\w=,./-]+), limited: ([\w=,./-]+)`)

// readQuotas reads from the newest refusal which quota lacks how much.
func (r *reader) readQuotas() {
	if !r.evidence.Knows("events") {
		r.evidence.Unknown["quotas"] = r.evidence.Unknown["events"]
		return
	}
	for i := len(r.evidence.Events) - 1; i >= 0; i-- { // the newest is the last
		if event := r.evidence.Events[i]; event.Reason == "FailedCreate" {
			if r.evidence.Quotas = quotasIn(event.Message); len(r.evidence.Quotas) > 0 {
				return
			}
		}
	}
}

// quotasIn reads one refusal; nil where it is of another kind.
func quotasIn(message string) []Quota {
	found := exceeded.FindStringSubmatch(message)
	if found == nil {
		return nil
	}
	used, limits := amounts(found[3]), amounts(found[4])
	var all []Quota
	for _, one := range strings.Split(found[2], ",") {
		name, text, _ := strings.Cut(one, "=")
		needs, err := resource.ParseQuantity(text)
		was, known := used[name]
		limit, bounded := limits[name]
		if err != nil || !known || !bounded {
			continue
		}
		needs.Add(was)
		all = append(all, Quota{Name: found[1], Resource: name, Limit: limit.String(), Needs: needs.String()})
	}
	return all
}

// amounts reads "pods=2,limits.memory=1Gi".
func amounts(text string) map[string]resource.Quantity {
	all := map[string]resource.Quantity{}
	for _, one := range strings.Split(text, ",") {
		name, value, _ := strings.Cut(one, "=")
		if quantity, err := resource.ParseQuantity(value); err == nil {
			all[name] = quantity
		}
	}
	return all
}

// readRanges reads what LimitRanges allow a container.
func (r *reader) readRanges() {
	if r.bundle.Ranges == nil {
		r.unknown("ranges", FileRanges)
		return
	}
	for _, limits := range r.bundle.Ranges.Items {
		for at, item := range limits.Spec.Limits {
			if item.Type == corev1.LimitTypeContainer {
				r.evidence.Ranges = append(r.evidence.Ranges, Range{Name: limits.Name, Index: int64(at), Memory: item.Max.Memory().Value()})
			}
		}
	}
}
