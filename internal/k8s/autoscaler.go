package k8s

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

// The groups of the autoscalers.
const (
	horizontalScalers = "horizontalpodautoscalers.autoscaling"
	verticalScalers   = "verticalpodautoscalers.autoscaling.k8s.io"
)

// asksWhoScales is what it takes to know who else sets the number of pods.
func asksWhoScales(evidence.Target) []permission { return allow("list", horizontalScalers) }

// asksWhoSizes is what it takes to know who else sets what a pod may use.
func asksWhoSizes(evidence.Target) []permission { return allow("list", verticalScalers) }

// scalersOf warns of the autoscalers that set what a plan sets.
func (p *planner) scalersOf(ctx context.Context, c changed) []string {
	workload := refOf(c.base)
	if workload.Kind != evidence.KindDeployment && workload.Kind != evidence.KindStatefulSet {
		return nil
	}
	var all []string
	if len(c.paused) > 0 || replicasOf(c.base) != replicasOf(c.want) {
		all = append(all, p.horizontal(ctx, c, workload)...)
	}
	if sized := sizedAnew(c.base, c.want); len(sized) > 0 {
		all = append(all, p.vertical(ctx, workload, sized)...)
	}
	return all
}

func (p *planner) horizontal(ctx context.Context, c changed, workload incident.Object) []string {
	list, err := p.Clients.AutoscalingV2().HorizontalPodAutoscalers(p.target.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return p.scalerUnknown(err, "whether an autoscaler sets the number of pods of "+workload.Name)
	}
	var all []string
	for i := range list.Items {
		scaler := &list.Items[i]
		if ref := scaler.Spec.ScaleTargetRef; ref.Kind != workload.Kind || ref.Name != workload.Name {
			continue
		}
		if says := scalesBack(scaler, c, p.target.Namespace); says != "" {
			all = append(all, says)
		}
	}
	return all
}

// scalesBack says what an autoscaler makes of the number that a plan sets; ""
// where it does nothing. One with minReplicas above 0 pauses while the workload
// is at 0 (ScalingDisabled); KEDA does not.
func scalesBack(scaler *autoscalingv2.HorizontalPodAutoscaler, c changed, namespace string) string {
	least, most := int32(1), scaler.Spec.MaxReplicas
	if scaler.Spec.MinReplicas != nil {
		least = *scaler.Spec.MinReplicas
	}
	from, to := replicasOf(c.base), replicasOf(c.want)
	who, wakes := fmt.Sprintf("HorizontalPodAutoscaler %s keeps %s at %d to %d pods", scaler.Name, metaOf(c.base).Name, least, most), least == 0
	first := fmt.Sprintf("Change its bounds first: kubectl edit hpa/%s -n %s.", scaler.Name, namespace)
	if owner := metav1.GetControllerOf(scaler); owner != nil && owner.Kind == "ScaledObject" {
		who, wakes = fmt.Sprintf("KEDA keeps %s at up to %d pods (ScaledObject %s)", metaOf(c.base).Name, most, owner.Name), true
		first = fmt.Sprintf("Pause it first: kubectl annotate scaledobject/%s -n %s autoscaling.keda.sh/paused=true.", owner.Name, namespace)
	}
	var may []string
	if len(c.paused) > 0 && wakes {
		may = append(may, "scale it back up during "+stepsText(c.paused))
	}
	switch {
	case from == to:
	case to == 0 && wakes:
		may = append(may, "scale it back up from 0")
	case to == 0:
	case to < least:
		may = append(may, fmt.Sprintf("scale it from %d up to %d", to, least))
	case to > most:
		may = append(may, fmt.Sprintf("scale it from %d down to %d", to, most))
	default:
		may = append(may, fmt.Sprintf("set another number than %d by what it measures", to))
	}
	if len(may) == 0 {
		return ""
	}
	return fmt.Sprintf("%s: it may %s. %s", who, strings.Join(may, ", and "), first)
}

// verticalAutoscaler is what matters here of a VerticalPodAutoscaler, which is
// no part of Kubernetes itself.
type verticalAutoscaler struct {
	Metadata struct{ Name string }
	Spec     struct {
		TargetRef      struct{ Kind, Name string }
		UpdatePolicy   struct{ UpdateMode string }
		ResourcePolicy struct {
			ContainerPolicies []containerPolicy
		}
	}
}

type containerPolicy struct {
	ContainerName       string
	Mode                string
	ControlledResources []string
	ControlledValues    string
}

func (p *planner) vertical(ctx context.Context, workload incident.Object, sized []sizedValue) []string {
	answer := p.Clients.Discovery().RESTClient().Get().AbsPath("/apis/autoscaling.k8s.io/v1/namespaces", p.target.Namespace, "verticalpodautoscalers").Do(ctx)
	if err := answer.Error(); err != nil { // with the words of the API server, unlike the error of Raw
		return p.scalerUnknown(err, "whether an autoscaler sets the resources of "+workload.Name)
	}
	raw, err := answer.Raw()
	var list struct{ Items []verticalAutoscaler }
	if err == nil {
		err = json.Unmarshal(raw, &list)
	}
	if err != nil {
		return p.scalerUnknown(err, "whether an autoscaler sets the resources of "+workload.Name)
	}
	var all []string
	for _, scaler := range list.Items {
		if ref := scaler.Spec.TargetRef; ref.Kind != workload.Kind || ref.Name != workload.Name {
			continue
		}
		if says := scaler.sizes(sized, p.target.Namespace); says != "" {
			all = append(all, says)
		}
	}
	return all
}

// sizes says which values that a plan sets an autoscaler replaces in every new
// pod; "" for none.
func (v verticalAutoscaler) sizes(sized []sizedValue, namespace string) string {
	if v.Spec.UpdatePolicy.UpdateMode == "Off" {
		return ""
	}
	var words []string
	for _, one := range sized {
		if v.policyOf(one.container).replaces(one) {
			words = append(words, one.String())
		}
	}
	if len(words) == 0 {
		return ""
	}
	return fmt.Sprintf("VerticalPodAutoscaler %s sets %s by what it measures: new pods do not get what this plan sets. Set its updateMode to Off first: kubectl edit vpa/%s -n %s.",
		v.Metadata.Name, andText(words), v.Metadata.Name, namespace)
}

// policyOf is the policy for a container: its own, or that of all.
func (v verticalAutoscaler) policyOf(container string) containerPolicy {
	for _, name := range []string{container, "*"} {
		for _, policy := range v.Spec.ResourcePolicy.ContainerPolicies {
			if policy.ContainerName == name {
				return policy
			}
		}
	}
	return containerPolicy{}
}

// replaces reports whether a container's policy lets the autoscaler set a value:
// all requests, and the limits in proportion, where it says nothing else.
func (c containerPolicy) replaces(one sizedValue) bool {
	return c.Mode != "Off" && (len(c.ControlledResources) == 0 || slices.Contains(c.ControlledResources, one.resource)) &&
		(one.kind == "request" || c.ControlledValues != "RequestsOnly")
}

// sizedValue is a limit or a request that a plan sets.
type sizedValue struct{ container, resource, kind string }

func (v sizedValue) String() string {
	return fmt.Sprintf("the %s %s of %s", v.resource, v.kind, v.container)
}

// sizedAnew are the limits and requests that differ.
func sizedAnew(base, want any) []sizedValue {
	was, err := template(base)
	if err != nil {
		return nil
	}
	is, err := template(want)
	if err != nil {
		return nil
	}
	var all []sizedValue
	for i := range is.Spec.Containers {
		now := &is.Spec.Containers[i]
		before := containerNamed(&was.Spec, now.Name)
		for _, part := range []struct {
			kind        string
			before, now corev1.ResourceList
		}{{"limit", before.Resources.Limits, now.Resources.Limits}, {"request", before.Resources.Requests, now.Resources.Requests}} {
			for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
				old, value := part.before[name], part.now[name]
				if old.Cmp(value) != 0 {
					all = append(all, sizedValue{now.Name, string(name), part.kind})
				}
			}
		}
	}
	return all
}

// scalerUnknown warns that autoscalers could not be asked for. A cluster that
// has none of that kind has answered.
func (p *planner) scalerUnknown(err error, what string) []string {
	if apierrors.IsNotFound(err) {
		return nil
	}
	why := sentenceOfLacking(err)
	if why == "" {
		why = reason(err)
	}
	return []string{p.redactor.Text(fmt.Sprintf("%s is not known: %s", what, why))}
}
