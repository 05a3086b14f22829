package evidence

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestQuotas(t *testing.T) {
	for message, want := range map[string][]Quota{
		`Error creating: pods "x" is forbidden: exceeded quota: team-quota, requested: pods=1, used: pods=2, limited: pods=2`: {{"team-quota", "pods", "2", "3"}},
		`exceeded quota: q, requested: limits.memory=384Mi,pods=1, used: limits.memory=1Gi,pods=2, limited: limits.memory=1Gi,pods=2`: {
			{"q", "limits.memory", "1Gi", "1408Mi"}, {"q", "pods", "2", "3"}},
		`exceeded quota: $(reboot), requested: pods=1, used: pods=2, limited: pods=2`: nil,
		`exceeded quota: q, requested: $(reboot)=1, used: $(reboot)=2, limited: a=2`:  nil,
		`exceeded quota: q, requested: pods=many, used: pods=2, limited: pods=2`:      nil,
		`pods "x" is forbidden: failed quota: q: must specify limits.cpu for: redis`:  nil,
	} {
		if diff := cmp.Diff(want, quotasIn(message)); diff != "" {
			t.Errorf("%s\n%s", message, diff)
		}
	}
}

func FuzzQuotas(f *testing.F) {
	f.Add(`exceeded quota: team-quota, requested: pods=1, used: pods=2, limited: pods=2`)
	f.Add(`exceeded quota: q, requested: a=1e9,b, used: a=-1, limited: a=0`)
	f.Fuzz(func(t *testing.T, message string) {
		for _, quota := range quotasIn(message) {
			if _, err := resource.ParseQuantity(quota.Needs); err != nil || quota.Name == "" {
				t.Errorf("%+v: %v", quota, err)
			}
		}
	})
}

// TestData: the volume nearest above the folder that the configuration names.
func TestData(t *testing.T) {
	size := resource.MustParse("4Mi")
	mount := func(name, path string) corev1.VolumeMount { return corev1.VolumeMount{Name: name, MountPath: path} }
	volumes := []corev1.Volume{
		{Name: "claim", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "redis-data"}}},
		{Name: "fast", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &size}}},
	}
	for name, test := range map[string]struct {
		mounts []corev1.VolumeMount
		want   Data
	}{
		"a claim":             {[]corev1.VolumeMount{mount("claim", "/data")}, Data{Path: "/data", Volume: "claim", Claim: "redis-data"}},
		"the nearest":         {[]corev1.VolumeMount{mount("claim", "/"), mount("fast", "/data/")}, Data{Path: "/data/", Volume: "fast", EmptyDir: true, Limit: 4 << 20}},
		"beside it":           {[]corev1.VolumeMount{mount("claim", "/dat")}, Data{}},
		"read-only":           {[]corev1.VolumeMount{{Name: "claim", MountPath: "/data", ReadOnly: true}}, Data{Path: "/data", Volume: "claim", Claim: "redis-data", ReadOnly: true}},
		"no path for a shell": {[]corev1.VolumeMount{mount("claim", "/data/$(reboot)")}, Data{}},
	} {
		t.Run(name, func(t *testing.T) {
			d := appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "store"}}
			d.Spec.Template.Spec = corev1.PodSpec{Containers: []corev1.Container{{Name: "redis", VolumeMounts: test.mounts}}, Volumes: volumes}
			conf := corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "conf"}, Data: map[string]string{"redis.conf": "dir /data/$(reboot)\n"}}
			e := Read(Bundle{Deployments: &appsv1.DeploymentList{Items: []appsv1.Deployment{d}}, ConfigMaps: &corev1.ConfigMapList{Items: []corev1.ConfigMap{conf}}},
				Target{Workload: "store", Container: "redis", Config: "conf", ConfigKey: "redis.conf"})
			if diff := cmp.Diff(test.want, e.Workload.Data); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestPolicies: who selects the store, and whom it admits.
func TestPolicies(t *testing.T) {
	selector := func(app string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
	}
	port, other := intstr.FromInt32(6379), intstr.FromInt32(80)
	from := func(app string, at *intstr.IntOrString) networkingv1.NetworkPolicySpec {
		return networkingv1.NetworkPolicySpec{PodSelector: *selector("store"), Ingress: []networkingv1.NetworkPolicyIngressRule{{
			From: []networkingv1.NetworkPolicyPeer{{PodSelector: selector(app)}}, Ports: []networkingv1.NetworkPolicyPort{{Port: at}}}}}
	}
	for name, test := range map[string]struct {
		spec networkingv1.NetworkPolicySpec
		want []Policy
	}{
		"nobody":           {networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}}, []Policy{{Name: "p", Ingress: true}}},
		"the application":  {from("app", &port), []Policy{{Name: "p", Ingress: true, Admits: true}}},
		"on another port":  {from("app", &other), []Policy{{Name: "p", Ingress: true}}},
		"somebody else":    {from("web", &port), []Policy{{Name: "p", Ingress: true}}},
		"of somebody else": {networkingv1.NetworkPolicySpec{PodSelector: *selector("web")}, nil},
		"nothing goes out": {networkingv1.NetworkPolicySpec{PodSelector: *selector("app"), PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}}, []Policy{{Name: "p"}}},
	} {
		t.Run(name, func(t *testing.T) {
			deployment := func(name string) appsv1.Deployment {
				d := appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name}}
				d.Spec.Template.Labels = map[string]string{"app": name}
				return d
			}
			e := Read(Bundle{Deployments: &appsv1.DeploymentList{Items: []appsv1.Deployment{deployment("store"), deployment("app")}},
				Policies: &networkingv1.NetworkPolicyList{Items: []networkingv1.NetworkPolicy{{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: test.spec}}}},
				Target{Workload: "store", App: "app", Port: 6379})
			if diff := cmp.Diff(test.want, e.Policies); diff != "" {
				t.Error(diff)
			}
		})
	}
	e := Read(Bundle{Policies: &networkingv1.NetworkPolicyList{Items: []networkingv1.NetworkPolicy{{Spec: from("app", &port)}}}}, Target{Workload: "store", App: "app"})
	if e.Knows("policies") || len(e.Policies) > 0 {
		t.Errorf("of an application that is not there: %+v", e.Policies)
	}
}
