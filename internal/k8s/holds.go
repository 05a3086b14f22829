package k8s

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/redisconf"
)

// foresee says what the store will hold after a plan that makes its pods anew,
// and puts first what the running server has to do so that it is not empty
// then. It asks, and changes nothing.
func (p *planner) foresee(ctx context.Context, writes []incident.Write) []incident.Write {
	d := p.renewed()
	if d == nil || len(p.holds.Says) > 0 {
		return writes // nothing starts anew, or a course has said what comes of it
	}
	p.progress("asking the store what it holds")
	facts, server := p.facts(ctx, d)
	if facts.hidden == "" && facts.folder == folderStays && !facts.loading && (facts.keys <= 0 || facts.fromDisk) {
		facts.disk = p.disk(ctx, facts.next)
	}
	promise := promiseOf(facts)
	p.holds = promise.holds
	p.cautions = append(promise.cautions, p.cautions...)
	p.warnings = append(p.warnings, promise.warnings...)
	if promise.first == "" {
		return writes
	}
	keep := p.keepWrite(server.pod.Name, string(server.pod.UID), keepArgs{string(promise.first), facts.saved})
	p.warnings = append(p.warnings, "for that file Redis makes a copy of itself, which takes memory: look at its headroom")
	return append([]incident.Write{keep}, writes...)
}

// renewed is the draft of the store whose pods are made anew; nil where none are.
func (p *planner) renewed() *draft {
	for _, d := range p.drafts {
		if !d.isWorkload() || d.name.name != p.target.Workload {
			continue
		}
		was, err := template(d.base)
		if err != nil {
			return nil
		}
		is, err := template(d.want)
		if err != nil || sameTemplate(was, is) && replicasOf(d.want) >= replicasOf(d.base) {
			return nil
		}
		return d
	}
	return nil
}

// facts asks the running server and reads the configuration of the next one.
// The server is nil where none could be asked.
func (p *planner) facts(ctx context.Context, d *draft) (storeFacts, *server) {
	f := storeFacts{keys: -1, fromDisk: p.fromDisk}
	was, _ := template(d.base) // renewed has looked
	is, _ := template(d.want)
	base, baseErr := startOf(&was.Spec, p.target.Container, p.presentFile(ctx))
	next, err := startOf(&is.Spec, p.target.Container, p.proposedFile(ctx))
	if err != nil {
		f.hidden = p.redactor.Text(sentenceOf(err))
	}
	f.next = next
	server, err := p.serverOf(ctx, p.target)
	if err != nil {
		f.unknown = p.redactor.Text(sentenceOf(err))
	} else {
		defer server.Close()
		p.ask(ctx, server, &f)
	}
	if f.running.dir == "" && baseErr == nil {
		f.running.dir = base.dir
	}
	switch {
	case f.next.dir == "" && baseErr == nil && base.dir == "":
		f.next.dir = f.running.dir // neither says, so nothing moves
	case f.next.dir == "" && err == nil:
		f.next.dir = path.Clean("/" + containerNamed(&is.Spec, p.target.Container).WorkingDir)
		if f.next.dir != f.running.dir {
			f.folder = folderUnknown
		}
	}
	switch {
	case f.running.dir == "":
		f.folder = folderUnknown
	case f.folder != folderUnknown:
		f.folder = fateOf(f.running.dir, p.target.Container, d.base, d.want)
	}
	return f, server
}

// disk is what a start loads of the files on the volume as they are, tried in
// a pod of the bot's own.
func (p *planner) disk(ctx context.Context, next settings) onDisk {
	var conf *redisconf.File // nil: as it is
	if text, err := p.proposedFile(ctx)(p.target.Config, p.target.ConfigKey); err == nil {
		conf = redisconf.Parse(text)
	}
	state, err := p.onVolume(ctx, conf)
	if err != nil {
		return onDisk{asked: true, keys: -1, says: p.redactor.Text(reason(err))}
	}
	found := onDisk{asked: true}
	found.keys, found.says = state.keysWith(next.appendOnly)
	found.other, _ = state.keysWith(!next.appendOnly) // why it does not load is said when it is the one that counts
	found.says = p.redactor.Text(found.says)
	return found
}

// presentFile reads a key of a ConfigMap as it is now.
func (p *planner) presentFile(ctx context.Context) func(configMap, key string) (string, error) {
	return (&planner{Cluster: p.Cluster, target: p.target}).proposedFile(ctx)
}

// ask fills in what the running server says of itself.
func (p *planner) ask(ctx context.Context, server *server, f *storeFacts) {
	asked := p.Prober.Probe(ctx, server.forward.Dial, server.password)
	f.pod = server.pod.Name
	if asked.Keys < 0 || asked.Info["aof_enabled"] == "" {
		f.unknown = p.redactor.Text("The running server does not say what it holds: " + asked.Error + ".")
		return
	}
	got, err := p.Prober.Config(ctx, server.forward.Dial, server.password, "save", "dir", "dbfilename", "appendfilename", "appenddirname")
	if err != nil {
		f.unknown = p.redactor.Text("The running server does not say how it keeps its data: " + err.Error() + ".")
		return
	}
	f.keys, f.saved = asked.Keys, asked.Info["rdb_last_save_time"]
	f.loading = asked.Info["loading"] == "1"
	f.linked = asked.Info["master_link_status"] == "up"
	f.used, _ = strconv.ParseInt(asked.Info["used_memory"], 10, 64) // 0: not known
	// What an older server does not tell is taken to stay as it is.
	f.running = settings{appendOnly: asked.Info["aof_enabled"] == "1", points: strings.TrimSpace(got["save"]) != "", dir: got["dir"], follows: asked.Info["role"] == "slave",
		snapshot: cmp.Or(got["dbfilename"], f.next.snapshot), appendFile: cmp.Or(got["appendfilename"], f.next.appendFile), appendDir: cmp.Or(got["appenddirname"], f.next.appendDir)}
	if f.running.appendOnly {
		f.unsaved = asked.Info["aof_last_write_status"] == "err" || asked.Info["aof_last_bgrewrite_status"] == "err" && asked.Info["aof_rewrite_in_progress"] == "1"
	} else {
		f.unsaved = asked.Info["rdb_last_bgsave_status"] == "err"
	}
}

// fateOf tells what becomes of a folder of the store's container when the pods
// of base are replaced by those of want.
func fateOf(dir, container string, base, want any) folderFate {
	was, wasKept := volumeAt(dir, container, base)
	is, isKept := volumeAt(dir, container, want)
	switch {
	case !isKept:
		return folderGoes
	case !wasKept || !equality.Semantic.DeepEqual(was, is):
		return folderOther
	}
	return folderStays
}

// volumeAt is the volume that a folder of the store's container is on; kept is
// whether it outlives the pod.
func volumeAt(dir, container string, object any) (source corev1.VolumeSource, kept bool) {
	pod, err := template(object)
	if err != nil {
		return source, false
	}
	mount := mountOf(containerNamed(&pod.Spec, container), dir)
	if mount == nil {
		return source, false
	}
	if set, ok := object.(*appsv1.StatefulSet); ok {
		for _, claim := range set.Spec.VolumeClaimTemplates {
			if claim.Name == mount.Name {
				return corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name}}, true
			}
		}
	}
	for _, volume := range pod.Spec.Volumes {
		if volume.Name == mount.Name {
			return volume.VolumeSource, volume.EmptyDir == nil && volume.Ephemeral == nil
		}
	}
	return source, false
}

// containerNamed is an empty one where there is none of that name.
func containerNamed(spec *corev1.PodSpec, name string) *corev1.Container {
	if at := slices.IndexFunc(spec.Containers, func(c corev1.Container) bool { return c.Name == name }); at >= 0 {
		return &spec.Containers[at]
	}
	return &corev1.Container{}
}

// sentenceOf is what people read of an error.
func sentenceOf(err error) string {
	if isRefusal(err) {
		return err.Error()
	}
	if says := sentenceOfLacking(err); says != "" {
		return upper(says) + "."
	}
	return reason(err) + "."
}
