package evidence

import (
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// defaultData is where the official image keeps its files.
const defaultData = "/data"

// plainPath matches what a shell takes as it stands: people type the path.
var plainPath = regexp.MustCompile(`^/[\w./-]*$`)

// readData finds the volume that the store's container keeps its files on: the
// mount that is nearest above the folder that the configuration names.
func (r *reader) readData() {
	if r.template == nil {
		return
	}
	dir := defaultData
	for _, directive := range r.evidence.Config.Directives {
		if directive.Name == "dir" {
			dir = directive.Args
		}
	}
	at := slices.IndexFunc(r.template.Spec.Containers, func(c corev1.Container) bool { return c.Name == r.target.Container })
	if at < 0 {
		return
	}
	data := &r.evidence.Workload.Data
	for _, mount := range r.template.Spec.Containers[at].VolumeMounts {
		above := strings.HasPrefix(dir+"/", strings.TrimSuffix(mount.MountPath, "/")+"/")
		if above && plainPath.MatchString(mount.MountPath) && len(mount.MountPath) > len(data.Path) {
			*data = Data{Path: mount.MountPath, Volume: mount.Name, ReadOnly: mount.ReadOnly}
		}
	}
	for _, volume := range r.template.Spec.Volumes {
		switch {
		case volume.Name != data.Volume:
		case volume.PersistentVolumeClaim != nil:
			data.Claim = volume.PersistentVolumeClaim.ClaimName
			return
		case volume.EmptyDir != nil:
			data.EmptyDir = true
			if volume.EmptyDir.SizeLimit != nil {
				data.Limit = volume.EmptyDir.SizeLimit.Value()
			}
			return
		}
	}
	for _, claim := range r.evidence.Workload.Claims { // of a StatefulSet's template
		if data.Volume != "" && strings.HasPrefix(claim, data.Volume+"-"+r.target.Workload+"-") {
			data.Claim = claim
			return
		}
	}
}
