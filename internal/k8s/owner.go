package k8s

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

// changed is one object that a plan changes, before and after it.
type changed struct {
	base, want any
	paused     []int // numbers of the writes during which it is scaled to 0
}

// owner is somebody else who decides how an object is, and would put it back.
type owner struct {
	says     string   // "Argo CD owns redis-session (application sessions-prod)"
	managers []string // the field managers by which it writes
	then     string   // when it puts something back
	late     bool     // not while the plan runs
	first    string   // what to do about it, in a sentence
}

// owned warns of everybody who would put back what the writes change. It asks
// the cluster for autoscalers alone.
func (p *planner) owned(ctx context.Context, writes []incident.Write) []string {
	all := slices.Clone(p.scaled)
	for _, d := range p.drafts {
		all = append(all, changed{base: d.base, want: d.want})
	}
	var warnings []string
	advised := map[string]bool{}
	for _, c := range all {
		c.paused = pausedDuring(writes, refOf(c.base))
		for _, one := range ownersOf(metaOf(c.base), p.Now()) {
			says := one.warning(c)
			if says != "" && !advised[one.first] {
				says += " " + one.first
				advised[one.first] = true
			}
			warnings = append(warnings, says)
		}
		warnings = append(warnings, p.scalersOf(ctx, c)...)
	}
	return slices.DeleteFunc(warnings, func(says string) bool { return says == "" })
}

// ownersOf names, from an object's labels, annotations, owner references and
// managed fields, whoever else writes it.
func ownersOf(meta *metav1.ObjectMeta, now time.Time) []owner {
	all := deliverers(meta)
	if operator := operatorOf(meta); operator != nil {
		return append(all, *operator)
	}
	known := func(name string) bool {
		return isTool(name) || slices.ContainsFunc(all, func(o owner) bool { return slices.Contains(o.managers, name) })
	}
	for _, entry := range meta.ManagedFields {
		// One that wrote when the object was made, and never again, has made it.
		again := entry.Operation == metav1.ManagedFieldsOperationApply || entry.Time != nil && entry.Time.Sub(meta.CreationTimestamp.Time) > time.Minute
		if entry.Subresource != "" || entry.FieldsV1 == nil || !again || known(entry.Manager) {
			continue
		}
		wrote := ""
		if entry.Time != nil {
			wrote = fmt.Sprintf(" %s ago", evidence.Age(now.Sub(entry.Time.Time)))
		}
		all = append(all, owner{says: fmt.Sprintf("%s wrote %s%s, and the bot does not know it as a tool of a person's", entry.Manager, meta.Name, wrote),
			managers: []string{entry.Manager}, then: "if it is an operator", first: "Change it there too, or stop it first."})
	}
	return all
}

// deliverers are the tools that bring objects from a repository or a chart.
func deliverers(meta *metav1.ObjectMeta) []owner {
	var all []owner
	argo := owner{managers: []string{"argocd-controller", "argocd-application-controller", "argocd-server"}}
	app := meta.Labels["argocd.argoproj.io/instance"]
	if id, _, ok := strings.Cut(meta.Annotations["argocd.argoproj.io/tracking-id"], ":"); ok {
		app = id
	} else if app == "" && argo.wrote(meta) {
		app = meta.Labels[labelInstance] // where Argo CD marks what it owns unless it is told otherwise
	}
	if app != "" {
		argo.says, argo.then = fmt.Sprintf("Argo CD owns %s (application %s)", meta.Name, app), "at its next sync"
		argo.first = fmt.Sprintf("Pause its sync first: argocd app set %s --sync-policy none. Change it in Git too.", app)
		all = append(all, argo)
	}
	for _, flux := range []struct{ group, kind, resource, manager string }{
		{"kustomize.toolkit.fluxcd.io", "Kustomization", "kustomization", "kustomize-controller"},
		{"helm.toolkit.fluxcd.io", "HelmRelease", "helmrelease", "helm-controller"},
	} {
		if name := meta.Labels[flux.group+"/name"]; name != "" {
			suspend := fmt.Sprintf("flux suspend %s %s -n %s", flux.resource, name, cmp.Or(meta.Labels[flux.group+"/namespace"], meta.Namespace))
			all = append(all, owner{says: fmt.Sprintf("Flux owns %s (%s %s)", meta.Name, flux.kind, name), managers: []string{flux.manager},
				then: "at its next reconciliation", first: fmt.Sprintf("Suspend it first: %s. Change it in Git too.", suspend)})
		}
	}
	if len(all) > 0 {
		return all // they render Helm's charts too, with its labels
	}
	helm := owner{managers: []string{"helm", "Helm"}, then: "at its next upgrade", late: true, first: "Change the values of the release too."}
	release := meta.Annotations["meta.helm.sh/release-name"]
	if release == "" && (meta.Labels[labelManagedBy] == "Helm" || helm.wrote(meta)) {
		release = cmp.Or(meta.Labels[labelInstance], "unknown")
	}
	if release != "" {
		helm.says = fmt.Sprintf("Helm owns %s (release %s)", meta.Name, release)
		all = append(all, helm)
	}
	return all
}

// labelInstance names the release, or the application, that an object is of.
const labelInstance = "app.kubernetes.io/instance"

// operatorOf is the operator whose custom resource the object belongs to; nil
// for none.
func operatorOf(meta *metav1.ObjectMeta) *owner {
	for _, ref := range meta.OwnerReferences {
		if ref.Controller != nil && *ref.Controller || isCustom(ref.APIVersion) {
			return &owner{says: fmt.Sprintf("%s %s (%s) owns %s", ref.Kind, ref.Name, ref.APIVersion, meta.Name),
				then: "whenever its operator looks", first: fmt.Sprintf("Change %s %s instead, or stop its operator first.", ref.Kind, ref.Name)}
		}
	}
	by := meta.Labels[labelManagedBy]
	if by == "" || by == "Helm" || by == "kustomize" || isTool(by) {
		return nil
	}
	return &owner{says: fmt.Sprintf("%s manages %s (label %s)", by, meta.Name, labelManagedBy),
		then: "whenever it looks", first: "Change it there too, or stop it first."}
}

// isCustom reports whether an API version is of no group that Kubernetes brings.
func isCustom(apiVersion string) bool {
	group := schema.FromAPIVersionAndKind(apiVersion, "").Group
	return strings.Contains(group, ".") && !strings.HasSuffix(group, ".k8s.io")
}

// isTool reports whether a field manager is a person's tool, the bot, or a part
// of Kubernetes itself: none of them puts back what somebody else has changed.
func isTool(manager string) bool {
	for _, prefix := range []string{"kubectl", "kube-", fieldManager, "before-first-apply", "oc", "k9s", "lens", "Mozilla", "dashboard", "headlamp", "curl", "node-fetch", "OpenAPI-Generator", "python-requests", "vpa-"} {
		if strings.HasPrefix(strings.ToLower(manager), strings.ToLower(prefix)) {
			return true
		}
	}
	return false
}

// wrote reports whether the owner has written the object.
func (o owner) wrote(meta *metav1.ObjectMeta) bool {
	return slices.ContainsFunc(meta.ManagedFields, func(entry metav1.ManagedFieldsEntry) bool { return slices.Contains(o.managers, entry.Manager) })
}

// warning says what of a plan the owner would put back; "" where nothing.
func (o owner) warning(c changed) string {
	meta := metaOf(c.base)
	var may []string
	if len(c.paused) > 0 && !o.late && o.decides(meta, fieldReplicas) {
		may = append(may, "scale it back up during "+stepsText(c.paused))
	}
	var back []fieldPath
	for _, field := range changedFields(c.base, c.want) {
		if o.decides(meta, field) {
			back = append(back, field)
		}
	}
	if len(back) > 0 {
		may = append(may, strings.TrimSpace(fmt.Sprintf("put %s back %s", fieldsText(back), o.then)))
	}
	if len(may) == 0 {
		return ""
	}
	return fmt.Sprintf("%s: it may %s.", o.says, strings.Join(may, ", and "))
}

// decides reports whether a field is one that the owner sets: what it leaves out
// it does not put back. Who has no managed fields here is taken to set all.
func (o owner) decides(meta *metav1.ObjectMeta, field fieldPath) bool {
	known := false
	for _, entry := range meta.ManagedFields {
		if entry.FieldsV1 == nil || !slices.Contains(o.managers, entry.Manager) {
			continue
		}
		if known = true; sets(entry.FieldsV1, field) {
			return true
		}
	}
	return !known
}

// pausedDuring numbers the writes that come while an object is scaled to 0.
func pausedDuring(writes []incident.Write, object incident.Object) []int {
	var paused []int
	down := false
	for i, write := range writes {
		if write.Verb == incident.Update && write.Object == object {
			down = write.Await == incident.Gone
		} else if down {
			paused = append(paused, i+1)
		}
	}
	if down {
		return nil // it stays there: that is what the plan is for
	}
	return paused
}

// stepsText is step 2, or steps 2 to 4.
func stepsText(steps []int) string {
	if first, last := steps[0], steps[len(steps)-1]; first != last {
		return fmt.Sprintf("steps %d to %d", first, last)
	}
	return fmt.Sprintf("step %d", steps[0])
}

// rolloutWarnings says what a rollout of this workload does that surprises people.
func rolloutWarnings(object any) []string {
	switch o := object.(type) {
	case *appsv1.Deployment:
		if o.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
			return nil
		}
		for _, volume := range o.Spec.Template.Spec.Volumes {
			if volume.PersistentVolumeClaim != nil {
				return []string{fmt.Sprintf("%s rolls out with strategy RollingUpdate on the claim %s: for a moment two Redis use one volume, or the new pod waits for the old one's", o.Name, volume.PersistentVolumeClaim.ClaimName)}
			}
		}
	case *appsv1.StatefulSet:
		if o.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType {
			return []string{o.Name + " has update strategy OnDelete: a pod takes the change over only when somebody deletes it"}
		}
	}
	return nil
}
