package k8s

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aymanbagabas/go-udiff"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/redisconf"
	"redis-session-bot/internal/runbook"
)

// workLimit is how long the work on a stopped store's volume may take.
const workLimit = 10 * time.Minute

// workArgs are all that a pod on the volume is made of beside the store's own
// template: the write that creates it carries them.
type workArgs struct {
	Kind    string            `json:"kind"`
	Plan    string            `json:"plan"`
	Claim   string            `json:"claim"`
	Node    string            `json:"node,omitempty"`
	Dir     string            `json:"dir"`
	AOFDir  string            `json:"aofDir"`
	AOFFile string            `json:"aofFile"`
	RDBFile string            `json:"rdbFile"`
	Conf    string            `json:"conf,omitempty"`
	Env     map[string]string `json:"env"`
}

// volumeWorks are the scripts by the kind of their work.
func volumeWorks() map[string]string {
	return map[string]string{"repair": workScript + repairScript, "aside": workScript + asideScript, "restore": workScript + restoreScript}
}

// backupName is the folder that a plan keeps the files in that it found.
func (p *planner) backupName() string { return "backup-" + p.name }

// stopped is the course around work on the volume: the store is stopped, the
// work is done, the store is started again.
type stopped struct {
	change   string // the kind of the change
	work     string // the kind of its pod
	env      map[string]string
	title    string
	replicas *int32 // to come back with
}

// around lays the course out. Undo is the same whatever was the last to be done.
func (p *planner) around(ctx context.Context, place dataPlace, s stopped) ([]incident.Write, error) {
	is := replicasOf(place.workload)
	back := max(is, 1)
	if s.replicas != nil {
		back = *s.replicas
	}
	undo := []runbook.Change{newChange(changeRestore, restoreArgs{From: p.backupName(), Replicas: &is, Undo: true})}
	if err := p.scales(place.workload, back); err != nil {
		return nil, err
	}
	var writes []incident.Write
	if is > 0 {
		stop, err := p.scale(ctx, place.workload, 0)
		if err != nil {
			return nil, err
		}
		if is > 1 {
			p.warnings = append(p.warnings, fmt.Sprintf("All %d pods of %s are stopped; only the files on %s are worked on.", is, p.target.Workload, place.claim))
		}
		writes = append(writes, stop)
	}
	work, err := p.workWrite(ctx, place, s)
	if err != nil {
		return nil, err
	}
	work.Undo = undo
	writes = append(writes, work)
	if back == 0 {
		return writes, nil
	}
	base := deepCopy(place.workload)
	if is > 0 {
		zero := int32(0)
		if _, err := editReplicas(p.target, base, newChange(changeReplicas, replicasArgs{Replicas: &zero}).Args); err != nil {
			return nil, err
		}
	}
	start, err := p.scale(ctx, base, back)
	if err != nil {
		return nil, err
	}
	start.Undo = undo
	return append(writes, start), nil
}

// scales notes how many pods a course leaves: who else sets that is told once
// for the whole of it.
func (p *planner) scales(workload any, replicas int32) error {
	want := deepCopy(workload)
	_, err := editReplicas(p.target, want, newChange(changeReplicas, replicasArgs{Replicas: &replicas}).Args)
	p.scaled = append(p.scaled, changed{base: workload, want: want})
	return err
}

// scale is the write that sets the number of pods.
func (p *planner) scale(ctx context.Context, workload any, replicas int32) (incident.Write, error) {
	change := newChange(changeReplicas, replicasArgs{Replicas: &replicas})
	want := deepCopy(workload)
	edit, err := editReplicas(p.target, want, change.Args)
	if err != nil {
		return incident.Write{}, err
	}
	write, err := p.writeOf(ctx, &draft{name: theWorkload(p.target, nil), base: workload, want: want, changes: []runbook.Change{change}, edits: []edited{edit}})
	write.Await, write.Awaited = awaitOf(want), refOf(workload)
	return write, err
}

// workWrite is the write that makes the pod, tried in a dry run.
func (p *planner) workWrite(ctx context.Context, place dataPlace, s stopped) (incident.Write, error) {
	args := workArgs{Kind: s.work, Plan: p.name, Claim: place.claim, Node: place.node, Dir: place.dir, AOFDir: place.files.aofDir,
		AOFFile: place.files.aofFile, RDBFile: place.files.rdbFile, Conf: place.files.conf, Env: s.env}
	pod := place.workPod(p.target, args)
	want, err := podHash(pod)
	if err != nil {
		return incident.Write{}, err
	}
	text, err := yaml.Marshal(pod.Spec)
	if err != nil {
		return incident.Write{}, err
	}
	write := incident.Write{Verb: incident.Create, Object: incident.Object{Kind: "Pod", Name: pod.Name}, Changes: []runbook.Change{newChange(s.change, args)},
		Title: s.title, Diff: udiff.Unified("nothing", "Pod/"+pod.Name, "", p.redactor.Text(string(text))), Kubectl: place.kubectlOf(p.target, pod),
		DryRun: incident.DryRunAccepted, Want: want, Await: incident.Job}
	write.Awaited = write.Object
	options := metav1.CreateOptions{FieldManager: fieldManager, DryRun: []string{metav1.DryRunAll}}
	if _, err := p.Clients.CoreV1().Pods(p.target.Namespace).Create(ctx, pod, options); err != nil {
		write.DryRun = p.redactor.Text(reason(err))
	}
	return write, nil
}

// workPod is the pod of these arguments.
func (d dataPlace) workPod(target evidence.Target, args workArgs) *corev1.Pod {
	d.claim, d.node, d.dir = args.Claim, args.Node, args.Dir
	d.files = fileNames{aofDir: args.AOFDir, aofFile: args.AOFFile, rdbFile: args.RDBFile, conf: args.Conf}
	return d.pod(target, volumeWork{kind: args.Kind, plan: args.Plan, script: volumeWorks()[args.Kind], env: args.Env, limit: workLimit})
}

// podHash is a hash of all that the bot says about a pod.
func podHash(pod *corev1.Pod) (string, error) {
	data, err := json.Marshal(pod)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8]), nil
}

// sendWork creates the pod, once: a second one of its name is refused.
func sendWork(ctx context.Context, c *Cluster, target evidence.Target, write incident.Write, raw json.RawMessage) error {
	var args workArgs
	if err := decodeArgs(raw, &args); err != nil {
		return refuse("The plan cannot be read any more: %s.", err)
	}
	place, err := c.placeOf(ctx, target, redisconf.Parse(redisconf.Format("dir", args.Dir)))
	if err != nil {
		return c.notSent(c.redactor(ctx, target), err)
	}
	pod := place.workPod(target, args)
	if want, err := podHash(pod); err != nil || want != write.Want {
		return &incident.Drift{Object: write.Object, Says: "the pod template of " + target.Workload + " was changed after this plan was made"}
	}
	_, err = c.Clients.CoreV1().Pods(target.Namespace).Create(ctx, pod, metav1.CreateOptions{FieldManager: fieldManager})
	return err
}

// settleWork waits for the end of the work and removes its pod.
func (c *Cluster) settleWork(ctx context.Context, target evidence.Target, write incident.Write, redactor *objectRedactor, progress func(string)) ([]string, error) {
	var pod *corev1.Pod
	err := c.wait(ctx, redactor, progress, func() (done bool, says string, err error) {
		pod, err = c.Clients.CoreV1().Pods(target.Namespace).Get(ctx, write.Awaited.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			err = refuse("Pod %s is gone, and nobody knows whether its work was done. Look at the volume before the store is started.", write.Awaited.Name)
		case err != nil:
			err = fmt.Errorf("read pod %s: %w", write.Awaited.Name, err)
		}
		return err == nil, "", err
	})
	if err != nil {
		return nil, err
	}
	if pod.Labels[labelManagedBy] != fieldManager {
		return nil, refuse("Pod %s is not the bot's own.", pod.Name)
	}
	output, err := c.awaitWork(ctx, target, pod, redactor, progress)
	if err != nil {
		err = c.readable(redactor, err)
	}
	return output.all("says"), errors.Join(err, c.removeWork(ctx, target, pod))
}

// validReplicas refuses a number of pods that cannot be.
func validReplicas(replicas *int32) error {
	if replicas != nil && *replicas < 0 {
		return errors.New("give replicas, 0 or more")
	}
	return nil
}

// placed is where the data is, for a change that cannot do without.
func (p *planner) placed(ctx context.Context) (dataPlace, error) {
	return p.placeOf(ctx, p.target, p.configNow(ctx))
}
