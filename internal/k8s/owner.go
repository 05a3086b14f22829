package k8s

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// owners names, from an object's own labels and annotations, whoever would
// put a change back.
func owners(object any) []string {
	meta := metaOf(object)
	if meta == nil {
		return nil
	}
	said := func(format string, args ...any) string {
		return fmt.Sprintf(format, args...) + ": it may put this change back; change it there too"
	}
	var all []string
	if owner := metav1.GetControllerOf(meta); owner != nil {
		all = append(all, said("%s %s owns %s", owner.Kind, owner.Name, meta.Name))
	}
	if id := meta.Annotations["argocd.argoproj.io/tracking-id"]; id != "" {
		app, _, _ := strings.Cut(id, ":")
		all = append(all, said("Argo CD owns %s (application %s)", meta.Name, app))
	} else if app := meta.Labels["argocd.argoproj.io/instance"]; app != "" {
		all = append(all, said("Argo CD owns %s (application %s)", meta.Name, app))
	}
	if name := meta.Labels["kustomize.toolkit.fluxcd.io/name"]; name != "" {
		all = append(all, said("Flux owns %s (Kustomization %s)", meta.Name, name))
	}
	if name := meta.Labels["helm.toolkit.fluxcd.io/name"]; name != "" {
		all = append(all, said("Flux owns %s (HelmRelease %s)", meta.Name, name))
	} else if release := meta.Annotations["meta.helm.sh/release-name"]; release != "" {
		all = append(all, fmt.Sprintf("Helm owns %s (release %s): the next upgrade puts this change back", meta.Name, release))
	}
	return all
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
