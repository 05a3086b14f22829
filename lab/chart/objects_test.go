package chart

import (
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
)

// of picks the objects of one type.
func of[T runtime.Object](all []runtime.Object) (some []T) {
	for _, object := range all {
		if one, ok := object.(T); ok {
			some = append(some, one)
		}
	}
	return some
}

func only[T runtime.Object](t *testing.T, all []runtime.Object) (one T) {
	t.Helper()
	some := of[T](all)
	if len(some) != 1 {
		t.Fatalf("%d of %T", len(some), one)
	}
	return some[0]
}

// TestWhatIsInstalled names every object of each shape: one more, or one less, is
// a decision.
func TestWhatIsInstalled(t *testing.T) {
	always := []string{"ConfigMap", "ClusterRole", "ClusterRoleBinding", "Deployment", "NetworkPolicy", "Role", "RoleBinding", "Service", "ServiceAccount"}
	want := map[string][]string{
		"defaults":    append([]string{"PersistentVolumeClaim"}, always...),
		"statefulset": append([]string{"PersistentVolumeClaim", "ServiceMonitor", "PrometheusRule", "ConfigMap"}, always...),
		"replicas":    append([]string{"ServiceMonitor", "PodDisruptionBudget", "Role", "RoleBinding", "Role", "RoleBinding"}, always...),
	}
	each(t, func(t *testing.T, values map[string]any) {
		all := objects(t, values)
		var kinds []string
		names := map[string]bool{}
		for _, object := range all {
			kind := object.GetObjectKind().GroupVersionKind().Kind
			kinds = append(kinds, kind)
			named, err := meta.Accessor(object)
			if err != nil {
				t.Fatal(err)
			}
			name := kind + " " + named.GetNamespace() + "/" + named.GetName()
			if names[name] {
				t.Errorf("%s stands twice", name)
			}
			names[name] = true
			if named.GetLabels()["app.kubernetes.io/instance"] != release {
				t.Errorf("%s does not say of which release it is", name)
			}
			if cluster := strings.HasPrefix(kind, "Cluster"); cluster != (named.GetNamespace() == "") {
				t.Errorf("%s has no namespace of its own", name)
			}
		}
		slices.Sort(kinds)
		expected := want[strings.TrimPrefix(t.Name(), "TestWhatIsInstalled/")]
		slices.Sort(expected)
		if !slices.Equal(kinds, expected) {
			t.Errorf("%q, want %q; %v", kinds, expected, slices.Sorted(maps.Keys(names)))
		}
		if len(of[*corev1.Secret](all)) > 0 {
			t.Error("the chart holds a Secret")
		}
	})
}

// TestPodsAreRestricted: by the admission that a namespace labelled restricted has.
func TestPodsAreRestricted(t *testing.T) {
	judge, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	each(t, func(t *testing.T, values map[string]any) {
		pod := only[*appsv1.Deployment](t, objects(t, values)).Spec.Template
		if result := policy.AggregateCheckResults(judge.EvaluatePod(restricted, &pod.ObjectMeta, &pod.Spec)); !result.Allowed {
			t.Errorf("%s: %s", result.ForbiddenReason(), result.ForbiddenDetail())
		}
		for _, container := range pod.Spec.Containers {
			if context := container.SecurityContext; context.ReadOnlyRootFilesystem == nil || !*context.ReadOnlyRootFilesystem {
				t.Error("the root is not read-only")
			}
			if len(container.EnvFrom) > 0 {
				t.Error("a Secret is in the environment")
			}
		}
		pod.Spec.Containers[0].SecurityContext.AllowPrivilegeEscalation = new(true)
		if policy.AggregateCheckResults(judge.EvaluatePod(restricted, &pod.ObjectMeta, &pod.Spec)).Allowed {
			t.Error("the judge lets everything through")
		}
	})
}

// TestPartsFindEachOther: probes, the Service, the monitor, the budget and the
// policy name ports and labels that the pods have.
func TestPartsFindEachOther(t *testing.T) {
	each(t, func(t *testing.T, values map[string]any) {
		all := objects(t, values)
		deployment := only[*appsv1.Deployment](t, all)
		pod := deployment.Spec.Template
		container := pod.Spec.Containers[0]
		ports := map[string]int32{}
		for _, port := range container.Ports {
			ports[port.Name] = port.ContainerPort
		}
		selects := func(what string, selector *metav1.LabelSelector) {
			t.Helper()
			parsed, err := metav1.LabelSelectorAsSelector(selector)
			if err != nil || parsed.Empty() || !parsed.Matches(labels.Set(pod.Labels)) {
				t.Errorf("%s does not select the pods: %v", what, err)
			}
		}
		selects("the Deployment", deployment.Spec.Selector)
		for path, probe := range map[string]*corev1.Probe{"/healthz": container.LivenessProbe, "/readyz": container.ReadinessProbe} {
			if probe == nil || probe.HTTPGet.Path != path || ports[probe.HTTPGet.Port.StrVal] == 0 {
				t.Errorf("the probe of %s: %+v", path, probe)
			}
		}
		service := only[*corev1.Service](t, all)
		selects("the Service", &metav1.LabelSelector{MatchLabels: service.Spec.Selector})
		if !service.Spec.PublishNotReadyAddresses {
			t.Error("a bot without Slack does not hear of alerts")
		}
		served := map[string]bool{}
		for _, port := range service.Spec.Ports {
			served[port.Name] = true
			if ports[port.TargetPort.StrVal] != port.Port {
				t.Errorf("the Service has port %d, and the pod %v", port.Port, ports)
			}
		}
		if served["alerts"] != (ports["alerts"] != 0) || !served["http"] {
			t.Errorf("the Service has %v, and the pod %v", served, ports)
		}
		network := only[*networkingv1.NetworkPolicy](t, all)
		selects("the NetworkPolicy", &network.Spec.PodSelector)
		for name, port := range ports {
			if !slices.ContainsFunc(network.Spec.Ingress, func(rule networkingv1.NetworkPolicyIngressRule) bool {
				return len(rule.From) > 0 && slices.ContainsFunc(rule.Ports, func(p networkingv1.NetworkPolicyPort) bool { return p.Port.IntVal == port })
			}) {
				t.Errorf("nobody may come to the port of %s", name)
			}
		}
		for _, budget := range of[*policyv1.PodDisruptionBudget](all) {
			selects("the PodDisruptionBudget", budget.Spec.Selector)
		}
		for _, monitor := range of[*monitoringv1.ServiceMonitor](all) {
			if !labels.SelectorFromSet(monitor.Spec.Selector.MatchLabels).Matches(labels.Set(service.Labels)) || !served[monitor.Spec.Endpoints[0].Port] {
				t.Errorf("the ServiceMonitor does not find the Service: %+v", monitor.Spec)
			}
		}
		mounted := map[string]bool{}
		for _, volume := range pod.Spec.Volumes {
			mounted[volume.Name] = false
		}
		for _, mount := range container.VolumeMounts {
			if _, there := mounted[mount.Name]; !there {
				t.Errorf("there is no volume %s", mount.Name)
			}
			mounted[mount.Name] = true
			if !mount.ReadOnly && mount.Name != "incidents" {
				t.Errorf("%s can be written", mount.Name)
			}
		}
		for name, used := range mounted {
			if !used {
				t.Errorf("volume %s is not mounted", name)
			}
		}
	})
}

// reaches tells whether the policy lets pods open such a connection to anywhere.
func reaches(all []networkingv1.NetworkPolicyEgressRule, protocol corev1.Protocol, port int32) bool {
	return slices.ContainsFunc(all, func(rule networkingv1.NetworkPolicyEgressRule) bool {
		return len(rule.To) > 0 && slices.ContainsFunc(rule.Ports, func(p networkingv1.NetworkPolicyPort) bool {
			return *p.Protocol == protocol && *p.Port == intstr.FromInt32(port)
		})
	})
}

// TestTheWayOut: names, the API server, Slack, and Prometheus where it is asked;
// Redis is behind the API server.
func TestTheWayOut(t *testing.T) {
	each(t, func(t *testing.T, values map[string]any) {
		rules := only[*networkingv1.NetworkPolicy](t, objects(t, values)).Spec.Egress
		for port, protocol := range map[int32]corev1.Protocol{53: corev1.ProtocolUDP, 443: corev1.ProtocolTCP, 6443: corev1.ProtocolTCP} {
			if !reaches(rules, protocol, port) {
				t.Errorf("the bot does not come to port %d", port)
			}
		}
		if prometheus := strings.HasSuffix(t.Name(), "statefulset"); reaches(rules, corev1.ProtocolTCP, 9090) != prometheus {
			t.Errorf("the way to Prometheus: %v", !prometheus)
		}
		if proxy := strings.HasSuffix(t.Name(), "replicas"); reaches(rules, corev1.ProtocolTCP, 3128) != proxy {
			t.Errorf("the way to the proxy: %v", !proxy)
		}
		if reaches(rules, corev1.ProtocolTCP, 6379) {
			t.Error("the bot comes to Redis past the API server")
		}
	})
	for url, port := range map[string]int32{"http://prometheus": 80, "https://prometheus/path": 443, "https://prometheus:9443/a:1": 9443} {
		values := parse(t, "config: {prometheus: {url: '"+url+"'}}\nnetworkPolicy: {internet: {ports: [8443]}, apiServer: {ports: [6443]}}")
		if !reaches(only[*networkingv1.NetworkPolicy](t, objects(t, values)).Spec.Egress, corev1.ProtocolTCP, port) {
			t.Errorf("the bot does not come to %s", url)
		}
	}
}

// TestAnUpgradeKeepsIncidents: the claim outlives the release, its pods follow each
// other, and incidents in the cluster are none of the chart's.
func TestAnUpgradeKeepsIncidents(t *testing.T) {
	all := objects(t, nil)
	claim := only[*corev1.PersistentVolumeClaim](t, all)
	deployment := only[*appsv1.Deployment](t, all)
	if claim.Annotations["helm.sh/resource-policy"] != "keep" {
		t.Error("helm uninstall deletes the incidents")
	}
	if deployment.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
		t.Error("two pods open one file during an upgrade")
	}
	mounted := slices.ContainsFunc(deployment.Spec.Template.Spec.Volumes, func(v corev1.Volume) bool {
		return v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == claim.Name
	})
	if !mounted {
		t.Error("the claim is not mounted")
	}
	mine := objects(t, parse(t, "persistence: {existingClaim: mine}"))
	if len(of[*corev1.PersistentVolumeClaim](mine)) > 0 {
		t.Error("a claim is made beside the one that is there")
	}
	shared := objects(t, valuesOf(t, "replicas-values.yaml"))
	if len(of[*corev1.PersistentVolumeClaim](shared)) > 0 || only[*appsv1.Deployment](t, shared).Spec.Strategy.Type != appsv1.RollingUpdateDeploymentStrategyType {
		t.Error("replicas that share incidents wait for a volume")
	}
	if maps := of[*corev1.ConfigMap](shared); len(maps) != 1 || maps[0].Namespace != namespace {
		t.Errorf("the chart has %d ConfigMaps", len(maps))
	}
}
