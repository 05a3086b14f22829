package k8s

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// scaledStore is a store of that many pods.
func scaledStore(replicas int32) *appsv1.StatefulSet {
	s := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "store", Namespace: "ns"}, Spec: appsv1.StatefulSetSpec{Replicas: &replicas}}
	s.Spec.Template.Spec.Containers = []corev1.Container{{Name: "redis"}}
	return s
}

// TestWhoScalesItBack: an autoscaler is named where it would set another number
// of pods than the plan. One with minReplicas above 0 pauses while there is none.
func TestWhoScalesItBack(t *testing.T) {
	scaler := func(least, most int32, kind, name, owner string) autoscalingv2.HorizontalPodAutoscaler {
		h := autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: "scaler"}, Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{Kind: kind, Name: name}, MinReplicas: &least, MaxReplicas: most}}
		if owner != "" {
			yes := true
			h.OwnerReferences = []metav1.OwnerReference{{Kind: owner, Name: "sessions", Controller: &yes}}
		}
		return h
	}
	const of = "StatefulSet"
	for name, test := range map[string]struct {
		scaler   autoscalingv2.HorizontalPodAutoscaler
		from, to int32
		paused   []int
		says     string // "" for no warning
	}{
		"below its least":               {scaler: scaler(2, 5, of, "store", ""), to: 1, says: "HorizontalPodAutoscaler scaler keeps store at 2 to 5 pods: it may scale it from 1 up to 2. Change its bounds first: kubectl edit hpa/scaler -n ns."},
		"above its most":                {scaler: scaler(1, 2, of, "store", ""), from: 1, to: 3, says: "scale it from 3 down to 2"},
		"within its bounds":             {scaler: scaler(1, 5, of, "store", ""), from: 1, to: 2, says: "set another number than 2 by what it measures"},
		"down to 0, which pauses it":    {scaler: scaler(1, 5, of, "store", ""), from: 1},
		"down to 0, from which it goes": {scaler: scaler(0, 5, of, "store", ""), from: 1, says: "scale it back up from 0"},
		"stopped, which pauses it":      {scaler: scaler(1, 5, of, "store", ""), from: 1, to: 1, paused: []int{2}},
		"stopped, from which it goes":   {scaler: scaler(0, 5, of, "store", ""), from: 1, to: 1, paused: []int{2}, says: "scale it back up during step 2"},
		"stopped, under KEDA": {scaler: scaler(1, 5, of, "store", "ScaledObject"), from: 1, to: 1, paused: []int{2},
			says: "KEDA keeps store at up to 5 pods (ScaledObject sessions): it may scale it back up during step 2. Pause it first: kubectl annotate scaledobject/sessions -n ns autoscaling.keda.sh/paused=true."},
		"of another store":       {scaler: scaler(2, 5, of, "other", ""), to: 1},
		"of another kind":        {scaler: scaler(2, 5, "Deployment", "store", ""), to: 1},
		"with nothing to change": {scaler: scaler(2, 5, of, "store", ""), from: 1, to: 1},
	} {
		t.Run(name, func(t *testing.T) {
			server := &api{objects: map[string]any{"/apis/autoscaling/v2/namespaces/ns/horizontalpodautoscalers": autoscalingv2.HorizontalPodAutoscalerList{Items: []autoscalingv2.HorizontalPodAutoscaler{test.scaler}}}}
			p := &planner{Cluster: server.cluster(t, time.Now()), target: changeTarget}
			got := p.scalersOf(t.Context(), changed{base: scaledStore(test.from), want: scaledStore(test.to), paused: test.paused})
			if test.says == "" && len(got) > 0 || test.says != "" && (len(got) != 1 || !strings.Contains(got[0], test.says)) {
				t.Errorf("%q, want %q", got, test.says)
			}
		})
	}
}

// TestWhoSizesItOtherwise: a VerticalPodAutoscaler is named with what it replaces
// of the plan's values.
func TestWhoSizesItOtherwise(t *testing.T) {
	type fields = map[string]any
	target := fields{"kind": "StatefulSet", "name": "store"}
	policies := func(policies ...fields) fields { return fields{"containerPolicies": policies} }
	sized := func(limit string) *appsv1.StatefulSet {
		s := scaledStore(1)
		s.Spec.Template.Spec.Containers[0].Resources = corev1.ResourceRequirements{Limits: corev1.ResourceList{"memory": resource.MustParse(limit)}, Requests: corev1.ResourceList{"memory": resource.MustParse(limit)}}
		return s
	}
	for name, test := range map[string]struct {
		spec fields
		want string // limit
		says string // "" for no warning
	}{
		"it sets all":               {spec: fields{"targetRef": target}, want: "2Gi", says: "VerticalPodAutoscaler scaler sets the memory limit of redis and the memory request of redis by what it measures: new pods do not get what this plan sets. Set its updateMode to Off first: kubectl edit vpa/scaler -n ns."},
		"it is off":                 {spec: fields{"targetRef": target, "updatePolicy": fields{"updateMode": "Off"}}, want: "2Gi"},
		"it sets requests alone":    {spec: fields{"targetRef": target, "resourcePolicy": policies(fields{"containerName": "*", "controlledValues": "RequestsOnly"})}, want: "2Gi", says: "sets the memory request of redis by"},
		"it sets another resource":  {spec: fields{"targetRef": target, "resourcePolicy": policies(fields{"containerName": "redis", "controlledResources": []string{"cpu"}})}, want: "2Gi"},
		"it leaves this container":  {spec: fields{"targetRef": target, "resourcePolicy": policies(fields{"containerName": "*"}, fields{"containerName": "redis", "mode": "Off"})}, want: "2Gi"},
		"it is of another store":    {spec: fields{"targetRef": fields{"kind": "StatefulSet", "name": "other"}}, want: "2Gi"},
		"no amount changes":         {spec: fields{"targetRef": target}, want: "1Gi"},
		"the same, written another": {spec: fields{"targetRef": target}, want: "1024Mi"},
	} {
		t.Run(name, func(t *testing.T) {
			server := &api{objects: map[string]any{"/apis/autoscaling.k8s.io/v1/namespaces/ns/verticalpodautoscalers": fields{"items": []fields{{"metadata": fields{"name": "scaler"}, "spec": test.spec}}}}}
			p := &planner{Cluster: server.cluster(t, time.Now()), target: changeTarget}
			got := p.scalersOf(t.Context(), changed{base: sized("1Gi"), want: sized(test.want)})
			if test.says == "" && len(got) > 0 || test.says != "" && (len(got) != 1 || !strings.Contains(got[0], test.says)) {
				t.Errorf("%q, want %q", got, test.says)
			}
		})
	}
}

// TestAutoscalersThatCannotBeAskedFor: a cluster without them has none; one that
// refuses leaves it unknown, and says so.
func TestAutoscalersThatCannotBeAskedFor(t *testing.T) {
	big := scaledStore(3)
	big.Spec.Template.Spec.Containers[0].Resources.Limits = corev1.ResourceList{"memory": resource.MustParse("1Gi")}
	for name, test := range map[string]struct {
		forbidden []string
		says      string
	}{
		"there are none":   {},
		"none may be read": {forbidden: []string{"/horizontalpodautoscalers", "/verticalpodautoscalers"}, says: "whether an autoscaler sets the number of pods of store is not known: "},
	} {
		server := &api{forbidden: test.forbidden}
		p := &planner{Cluster: server.cluster(t, time.Now()), target: changeTarget, redactor: &objectRedactor{}}
		got := p.scalersOf(t.Context(), changed{base: scaledStore(1), want: big})
		if test.says == "" && len(got) > 0 || test.says != "" && (len(got) != 2 || !strings.HasPrefix(got[0], test.says)) {
			t.Errorf("%s: %q", name, got)
		}
		if len(server.asked) != 2 {
			t.Errorf("%s: asked %q", name, server.asked)
		}
	}
	nothing := &api{}
	p := &planner{Cluster: nothing.cluster(t, time.Now()), target: changeTarget}
	if got := p.scalersOf(t.Context(), changed{base: scaledStore(1), want: scaledStore(1)}); len(got)+len(nothing.asked) > 0 {
		t.Errorf("%q, asked %q for a plan that scales nothing", got, nothing.asked)
	}
}
