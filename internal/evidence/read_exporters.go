package evidence

import (
	"regexp"

	corev1 "k8s.io/api/core/v1"
)

var exporterImage = regexp.MustCompile(`(?i)(redis|valkey)[-_.]?exporter`)

// IsExporter reports whether a workload of that name and pod watches a Redis
// for Prometheus.
func IsExporter(name string, spec corev1.PodSpec) bool {
	if exporterImage.MatchString(name) {
		return true
	}
	for _, container := range spec.Containers {
		if exporterImage.MatchString(container.Image) {
			return true
		}
	}
	return false
}

// readExporters reads the exporters that are workloads of their own. One that
// runs in the store's pod is a container of it.
func (r *reader) readExporters() {
	if r.bundle.Deployments == nil || r.bundle.Missing[MissingExporters] != "" {
		r.unknown("exporters", MissingExporters, FileDeployments)
		return
	}
	for i := range r.bundle.Deployments.Items {
		d := &r.bundle.Deployments.Items[i]
		if d.Name == r.target.Workload || d.Name == r.target.App || !IsExporter(d.Name, d.Spec.Template.Spec) {
			continue
		}
		r.evidence.Exporters = append(r.evidence.Exporters, Exporter{Name: d.Name, Wanted: replicasOf(d.Spec.Replicas), Ready: int64(d.Status.ReadyReplicas)})
	}
}
