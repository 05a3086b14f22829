package evidence

import (
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// readPolicies reads the NetworkPolicies on the way from the application to the
// store.
func (r *reader) readPolicies() {
	if r.bundle.Policies == nil {
		r.unknown("policies", FilePolicies)
		return
	}
	store, app := r.evidence.Workload.PodLabels, r.evidence.App.PodLabels
	if len(store) == 0 || len(app) == 0 {
		r.evidence.Unknown["policies"] = "the labels of the application's pods, or of the store's, are not known"
		return
	}
	for _, policy := range r.bundle.Policies.Items {
		spec := policy.Spec
		in := len(spec.PolicyTypes) == 0 || slices.Contains(spec.PolicyTypes, networkingv1.PolicyTypeIngress)
		if in && selects(&spec.PodSelector, store) {
			admits := slices.ContainsFunc(spec.Ingress, func(rule networkingv1.NetworkPolicyIngressRule) bool {
				return r.peersHold(rule.From, app) && r.portsHold(rule.Ports)
			})
			r.evidence.Policies = append(r.evidence.Policies, Policy{Name: policy.Name, Ingress: true, Admits: admits})
		}
		out := slices.Contains(spec.PolicyTypes, networkingv1.PolicyTypeEgress) || len(spec.PolicyTypes) == 0 && len(spec.Egress) > 0
		if out && selects(&spec.PodSelector, app) {
			admits := slices.ContainsFunc(spec.Egress, func(rule networkingv1.NetworkPolicyEgressRule) bool {
				return r.peersHold(rule.To, store) && r.portsHold(rule.Ports)
			})
			r.evidence.Policies = append(r.evidence.Policies, Policy{Name: policy.Name, Admits: admits})
		}
	}
}

// peersHold reports whether a rule is about pods with these labels in the
// target's own namespace. A selector of namespaces is taken to hold it: the
// labels of namespaces are not read. An address range is not.
func (r *reader) peersHold(peers []networkingv1.NetworkPolicyPeer, pod map[string]string) bool {
	return len(peers) == 0 || slices.ContainsFunc(peers, func(peer networkingv1.NetworkPolicyPeer) bool {
		return peer.IPBlock == nil && (peer.PodSelector == nil || selects(peer.PodSelector, pod))
	})
}

// portsHold reports whether the store's port is among those of a rule. A port
// that is named is taken to be it.
func (r *reader) portsHold(ports []networkingv1.NetworkPolicyPort) bool {
	return len(ports) == 0 || slices.ContainsFunc(ports, func(port networkingv1.NetworkPolicyPort) bool {
		return port.Port == nil || port.Port.Type == intstr.String || int(port.Port.IntVal) == r.target.Port ||
			port.EndPort != nil && int(port.Port.IntVal) <= r.target.Port && r.target.Port <= int(*port.EndPort)
	})
}

func selects(selector *metav1.LabelSelector, pod map[string]string) bool {
	compiled, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && compiled.Matches(labels.Set(pod))
}
