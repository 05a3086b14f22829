package standby

import (
	_ "embed" // the scripts are files, so that a shell's own tools can read them
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// What the pods run; each begins with who the master is.
var (
	//go:embed scripts/master.sh
	masterScript string
	//go:embed scripts/redis.sh
	redisScript string
	//go:embed scripts/sentinel.sh
	sentinelScript string
	//go:embed scripts/handover.sh
	handoverScript string
)

func (m *maker) configName() string { return m.name + "-config" }

// configMap holds redis.conf and what the pods run.
func (m *maker) configMap(conf string) *corev1.ConfigMap {
	data := map[string]string{"redis.conf": conf}
	programs := strings.NewReplacer("redis-server", m.server, "redis-cli", m.client)
	for name, text := range map[string]string{"master.sh": masterScript, "redis.sh": redisScript, "sentinel.sh": sentinelScript, "handover.sh": handoverScript} {
		data[name] = programs.Replace(text)
	}
	return &corev1.ConfigMap{TypeMeta: typeMeta("v1", "ConfigMap"), ObjectMeta: m.meta(m.configName()), Data: data}
}

// service gives each pod its name, ready or not: Sentinels must find a server
// that is not.
func (m *maker) service() *corev1.Service {
	return &corev1.Service{TypeMeta: typeMeta("v1", "Service"), ObjectMeta: m.meta(m.name),
		Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, PublishNotReadyAddresses: true, Selector: m.selector(), Ports: []corev1.ServicePort{
			{Name: "redis", Port: m.port, TargetPort: intstr.FromString("redis"), Protocol: corev1.ProtocolTCP},
			{Name: "sentinel", Port: SentinelPort, TargetPort: intstr.FromString("sentinel"), Protocol: corev1.ProtocolTCP},
		}}}
}

// budget lets one pod go at a time: two Sentinels still agree.
func (m *maker) budget() *policyv1.PodDisruptionBudget {
	one := intstr.FromInt32(1)
	return &policyv1.PodDisruptionBudget{TypeMeta: typeMeta("policy/v1", "PodDisruptionBudget"), ObjectMeta: m.meta(m.name),
		Spec: policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &one, Selector: &metav1.LabelSelector{MatchLabels: m.selector()}}}
}

// policies are the live store's NetworkPolicies for the copy's pods: whoever may
// ask the store may ask the copy and its Sentinels, and the pods each other.
func (m *maker) policies() (all []*networkingv1.NetworkPolicy) {
	tcp := corev1.ProtocolTCP
	port := func(n int32) networkingv1.NetworkPolicyPort {
		number := intstr.FromInt32(n)
		return networkingv1.NetworkPolicyPort{Protocol: &tcp, Port: &number}
	}
	both := []networkingv1.NetworkPolicyPort{port(m.port), port(SentinelPort)}
	own := []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: m.selector()}}}
	for _, live := range m.Policies {
		policy := &networkingv1.NetworkPolicy{TypeMeta: typeMeta("networking.k8s.io/v1", "NetworkPolicy"), ObjectMeta: m.meta(m.policyName(live.Name)), Spec: *live.Spec.DeepCopy()}
		policy.Spec.PodSelector = metav1.LabelSelector{MatchLabels: m.selector()}
		for i, rule := range policy.Spec.Ingress {
			if slices.ContainsFunc(rule.Ports, func(p networkingv1.NetworkPolicyPort) bool {
				return p.Port != nil && (p.Port.IntVal == m.port || p.Port.StrVal == "redis")
			}) {
				policy.Spec.Ingress[i].Ports = append(rule.Ports, port(SentinelPort))
			}
		}
		if slices.Contains(policy.Spec.PolicyTypes, networkingv1.PolicyTypeIngress) {
			policy.Spec.Ingress = append(policy.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{Ports: both, From: own})
		}
		if slices.Contains(policy.Spec.PolicyTypes, networkingv1.PolicyTypeEgress) {
			policy.Spec.Egress = append(policy.Spec.Egress, networkingv1.NetworkPolicyEgressRule{Ports: both, To: own})
		}
		all = append(all, policy)
	}
	if len(all) > 0 {
		m.note("NetworkPolicies are carried over (%d): the pods need names, so where one restricts egress look at whether it allows DNS (port 53).", len(all))
	}
	return all
}

func (m *maker) policyName(live string) string {
	if rest, ok := strings.CutPrefix(live, m.Target.Workload); ok {
		return m.name + rest
	}
	return m.name + "-" + live
}
