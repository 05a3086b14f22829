package k8s

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/redisconf"
)

// dataPlace is where the store keeps its files.
type dataPlace struct {
	workload  any
	template  corev1.PodTemplateSpec
	container corev1.Container
	dir       string // the data folder, as the store sees it
	mount     corev1.VolumeMount
	claim     string
	node      string // where a pod of the store runs; "" when none does
	files     fileNames
}

// fileNames are the names and the loading directives of the configuration.
type fileNames struct {
	aofDir, aofFile, rdbFile string
	appendOnly               bool
	conf                     string // the directives that decide what a server loads
}

// loading are the directives that decide what a server can load, beside the
// names and appendonly. None of them holds a secret.
func loading() []string {
	return []string{"aof-use-rdb-preamble", "aof-load-truncated", "loadmodule", "databases", "proto-max-bulk-len", "appendfilename", "appenddirname", "dbfilename"}
}

// fileNamesOf reads the configuration and what the command line overrides.
// Redis' own defaults stand where nobody says.
func fileNamesOf(conf *redisconf.File, container corev1.Container) (names fileNames, dir string) {
	names, dir = fileNames{aofDir: "appendonlydir", aofFile: "appendonly.aof", rdbFile: "dump.rdb"}, "/data"
	var lines []string
	take := func(name string, args []string) {
		if slices.Contains(loading(), name) && !redisconf.Secret(name) && len(args) > 0 {
			lines = append(lines, redisconf.Format(name, args...))
		}
		if len(args) != 1 {
			return
		}
		value := args[0]
		switch name {
		case "dir":
			dir = value
		case "appendonly":
			names.appendOnly = strings.EqualFold(value, "yes")
		case "appenddirname":
			names.aofDir = value
		case "appendfilename":
			names.aofFile = value
		case "dbfilename":
			names.rdbFile = value
		}
	}
	if conf != nil {
		for _, directive := range conf.Directives() {
			take(directive.Name, directive.Args)
		}
	}
	words := slices.Concat(container.Command, container.Args)
	for i := 0; i < len(words); i++ {
		name, ok := strings.CutPrefix(words[i], "--")
		if !ok {
			continue
		}
		var args []string
		for i+1 < len(words) && !strings.HasPrefix(words[i+1], "--") {
			i++
			args = append(args, words[i])
		}
		take(strings.ToLower(name), args)
	}
	names.conf = strings.Join(lines, "\n")
	return names, dir
}

// placeOf finds the volume that the store keeps its files on. A *Refusal says
// why there is none that a pod could mount.
func (c *Cluster) placeOf(ctx context.Context, target evidence.Target, conf *redisconf.File) (dataPlace, error) {
	workload, err := c.workloadOf(ctx, target)
	if err != nil {
		return dataPlace{}, err
	}
	pods, err := c.podsOf(ctx, target, workload)
	if err != nil {
		return dataPlace{}, err
	}
	return findPlace(target, workload, pods, conf)
}

func findPlace(target evidence.Target, workload any, pods []corev1.Pod, conf *redisconf.File) (dataPlace, error) {
	pod, err := template(workload)
	if err != nil {
		return dataPlace{}, err
	}
	if len(pod.Spec.Containers) == 0 {
		return dataPlace{}, refuse("%s has no container.", target.Workload)
	}
	place := dataPlace{workload: workload, template: *pod.DeepCopy(), container: pod.Spec.Containers[0]}
	for _, container := range pod.Spec.Containers {
		if container.Name == target.Container {
			place.container = container
		}
	}
	place.files, place.dir = fileNamesOf(conf, place.container)
	for _, name := range []string{place.files.aofDir, place.files.aofFile, place.files.rdbFile} {
		if name == "" || strings.Contains(name, "/") || strings.HasPrefix(name, ".") {
			return dataPlace{}, refuse("The configuration names the file %q, which is no plain name. Look at the volume by hand.", name)
		}
	}
	found := false
	for _, mount := range place.container.VolumeMounts {
		inside := mount.MountPath == place.dir || strings.HasPrefix(place.dir+"/", strings.TrimSuffix(mount.MountPath, "/")+"/")
		if inside && (!found || len(mount.MountPath) > len(place.mount.MountPath)) {
			place.mount, found = mount, true
		}
	}
	if !found || !path.IsAbs(place.dir) {
		return dataPlace{}, refuse("%s keeps its files in %s, which is on no volume: they go with the container.", target.Workload, place.dir)
	}
	return place, place.bind(target, pods)
}

// bind finds the claim behind the mount, and the node that holds it.
func (d *dataPlace) bind(target evidence.Target, pods []corev1.Pod) error {
	held := holder(pods)
	if set, ok := d.workload.(*appsv1.StatefulSet); ok {
		for _, claim := range set.Spec.VolumeClaimTemplates {
			if claim.Name == d.mount.Name {
				name := fmt.Sprintf("%s-%d", set.Name, firstOrdinal(set))
				if held != nil {
					name, d.node = held.Name, held.Spec.NodeName
				}
				d.claim = claim.Name + "-" + name
				return nil
			}
		}
	}
	for _, volume := range d.template.Spec.Volumes {
		if volume.Name != d.mount.Name {
			continue
		}
		switch {
		case volume.PersistentVolumeClaim != nil:
			d.claim = volume.PersistentVolumeClaim.ClaimName
			if held != nil {
				d.node = held.Spec.NodeName
			}
			return nil
		case volume.EmptyDir != nil:
			return refuse("The data of %s is in an emptyDir: the files go with the pod, and no other pod can reach them. Deleting the pod starts the store empty.", target.Workload)
		}
	}
	return refuse("The data of %s is on the volume %s, which is no claim: no other pod can be given it.", target.Workload, d.mount.Name)
}

// holder is the pod whose files are meant: one that is not ready before one
// that is, and of those the first by name.
func holder(pods []corev1.Pod) *corev1.Pod {
	sorted := slices.SortedFunc(slices.Values(pods), func(a, b corev1.Pod) int {
		if podReady(&a) != podReady(&b) {
			if podReady(&b) {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	for i := range sorted {
		if sorted[i].DeletionTimestamp == nil {
			return &sorted[i]
		}
	}
	return nil
}

func firstOrdinal(set *appsv1.StatefulSet) int32 {
	if set.Spec.Ordinals != nil {
		return set.Spec.Ordinals.Start
	}
	return 0
}
