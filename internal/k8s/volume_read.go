package k8s

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/redisconf"
)

const (
	// readLimit is how long the reading of a volume may take.
	readLimit = 4 * time.Minute
	// maxCopyKB is the most that is copied to be tried.
	maxCopyKB = 4 << 20
)

// volumeReading is one reading, kept for the rest of the plan.
type volumeReading struct {
	names   fileNames
	backups bool
	state   volumeState
}

// onVolume finds out what the store's volume holds and what a server with
// this configuration would load of it; nil stands for the configuration as it
// is. The real files are only read. One pod is made for it in a plan, however
// often this is called. What cannot be known is a reason in volumeState.why;
// an error means that the plan cannot be made.
func (p *planner) onVolume(ctx context.Context, conf *redisconf.File) (volumeState, error) {
	return p.readVolume(ctx, conf, false)
}

// readVolume may load the backups, too.
func (p *planner) readVolume(ctx context.Context, conf *redisconf.File, backups bool) (volumeState, error) {
	if conf == nil {
		conf = p.configNow(ctx)
	}
	place, err := p.placeOf(ctx, p.target, conf)
	var refusal *incident.Refusal
	if errors.As(err, &refusal) {
		return unread(place, strings.TrimSuffix(refusal.Says, ".")), nil
	}
	if err != nil {
		return volumeState{}, err
	}
	names := place.files
	if !backups {
		names.appendOnly = false // both are tried; of a backup, what the configuration loads
	}
	for _, read := range p.read {
		if read.names == names && read.backups == backups {
			state := read.state
			state.place = place
			return state, nil
		}
	}
	state := p.readPlace(ctx, place, backups)
	if ctx.Err() != nil {
		return volumeState{}, ctx.Err()
	}
	p.read = append(p.read, volumeReading{names, backups, state})
	return state, nil
}

// readPlace runs the pod that reads.
func (p *planner) readPlace(ctx context.Context, place dataPlace, backups bool) volumeState {
	p.tell("reading what is on the volume " + place.claim + " …")
	env := map[string]string{"BACKUPS": "list", "MOST": strconv.Itoa(maxCopyKB)}
	if p.lists {
		env["MOST"] = "0"
	}
	if backups {
		env["BACKUPS"], env["FROM"] = "try", p.wanted
	}
	env["APPEND_ONLY"] = "no"
	if place.files.appendOnly {
		env["APPEND_ONLY"] = "yes"
	}
	pod := place.pod(p.target, volumeWork{kind: "read", plan: p.name, script: readScript, env: env, readOnly: true, limit: readLimit})
	// Nothing is done twice by a second reading, so its name need not be taken.
	pod.GenerateName, pod.Name = pod.Name+"-", ""
	if err := p.roomFor(ctx, place.claim); err != nil {
		return unread(place, err.Error())
	}
	output, err := p.runWork(ctx, p.target, pod, p.redactor, func(says string) { p.tell(says + " …") })
	state := stateOf(output)
	state.place = place
	if err != nil {
		state.why = strings.TrimSuffix(whyUnread(p.redactor, err), ".")
	}
	return state
}

// roomFor says why no second pod can be given the claim.
func (p *planner) roomFor(ctx context.Context, name string) error {
	claim, err := p.Clients.CoreV1().PersistentVolumeClaims(p.target.Namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return errors.New("there is no claim " + name)
	case err != nil:
		return nil // the pod will tell
	case claim.Status.Phase == corev1.ClaimLost:
		return errors.New("the claim " + name + " has lost its volume")
	}
	for _, mode := range claim.Spec.AccessModes {
		if mode == corev1.ReadWriteOncePod && !p.storeGone(ctx) {
			return errors.New("the claim " + name + " is for one pod alone (ReadWriteOncePod), and a pod of the store has it")
		}
	}
	return nil
}

func (p *planner) storeGone(ctx context.Context) bool {
	workload, err := p.workloadOf(ctx, p.target)
	if err != nil {
		return false
	}
	pods, err := p.podsOf(ctx, p.target, workload)
	return err == nil && len(pods) == 0
}

// configNow is the store's configuration; nil where it cannot be read.
func (p *planner) configNow(ctx context.Context) *redisconf.File {
	if p.target.Config == "" {
		return nil
	}
	configMap, err := p.Clients.CoreV1().ConfigMaps(p.target.Namespace).Get(ctx, p.target.Config, metav1.GetOptions{})
	if err != nil {
		return nil
	}
	return redisconf.Parse(configMap.Data[p.target.ConfigKey])
}

// tell is what the plan's card shows while it is made.
func (p *planner) tell(says string) {
	if p.progress != nil {
		p.progress(says)
	}
}

func unread(place dataPlace, why string) volumeState {
	state := stateOf(workOutput{})
	state.place, state.why = place, why
	return state
}

func whyUnread(redactor *objectRedactor, err error) string {
	var refusal *incident.Refusal
	if errors.As(err, &refusal) {
		return refusal.Says
	}
	if says := sentenceOfLacking(err); says != "" {
		return says
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return redactor.Text(status.Status().Message)
	}
	return redactor.Text(err.Error())
}
