package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

// probeArgs are those of set-probe. What is left out stays as it is; a probe
// that is not there begins with Kubernetes' defaults.
type probeArgs struct {
	Container string `json:"container"`
	Probe     string `json:"probe"` // liveness, readiness or startup
	// Like takes over what another probe of the container asks.
	Like             string   `json:"like,omitempty"`
	Command          []string `json:"command,omitempty"`
	Port             number   `json:"port,omitempty"` // opens a connection and says nothing
	InitialDelay     *number  `json:"initialDelaySeconds,omitempty"`
	Period           *number  `json:"periodSeconds,omitempty"`
	Timeout          *number  `json:"timeoutSeconds,omitempty"`
	FailureThreshold *number  `json:"failureThreshold,omitempty"`
	Remove           bool     `json:"remove,omitempty"`
	// Whole puts a probe back as it was: the inverse.
	Whole *corev1.Probe `json:"whole,omitempty"`
}

func probeChange() change {
	return change{
		says:     "sets what a probe of one container asks and how long it waits, or takes the probe away",
		validate: validateProbe,
		resolve:  asIs,
		about:    theWorkload,
		edit: func(_ context.Context, _ *Cluster, target evidence.Target, object any, args json.RawMessage) (edited, error) {
			return editProbe(target, object, args)
		},
	}
}

func validateProbe(args json.RawMessage) error {
	var a probeArgs
	if err := decodeArgs(args, &a); err != nil {
		return err
	}
	if a.Container == "" {
		return errors.New("name the container")
	}
	for _, name := range []string{a.Probe, a.Like} {
		if name != "" && !placeholder(name) && name != "liveness" && name != "readiness" && name != "startup" {
			return fmt.Errorf("unknown probe %q: use liveness, readiness or startup", name)
		}
	}
	if a.Probe == "" {
		return errors.New("name the probe: liveness, readiness or startup")
	}
	asked := 0
	for _, one := range []bool{a.Like != "", len(a.Command) > 0, a.Port != 0} {
		if one {
			asked++
		}
	}
	times := a.InitialDelay != nil || a.Period != nil || a.Timeout != nil || a.FailureThreshold != nil
	switch {
	case asked > 1:
		return errors.New("give one of like, command and port")
	case a.Remove && (asked > 0 || times):
		return errors.New("a probe that is removed has nothing else")
	case !a.Remove && asked == 0 && !times && a.Whole == nil:
		return errors.New("it changes nothing: give like, command, port, a time or remove")
	}
	return nil
}

// slot is where a container holds the probe of that name.
func slot(container *corev1.Container, name string) **corev1.Probe {
	switch name {
	case "liveness":
		return &container.LivenessProbe
	case "readiness":
		return &container.ReadinessProbe
	}
	return &container.StartupProbe
}

func editProbe(target evidence.Target, object any, args json.RawMessage) (edited, error) {
	var a probeArgs
	if err := decodeArgs(args, &a); err != nil {
		return edited{}, err
	}
	container, err := editedContainer(object, a.Container)
	if err != nil {
		return edited{}, err
	}
	return a.edit(target, object, container)
}

func (a probeArgs) edit(target evidence.Target, object any, container *corev1.Container) (edited, error) {
	at := slot(container, a.Probe)
	undo := probeArgs{Container: a.Container, Probe: a.Probe, Whole: (*at).DeepCopy(), Remove: *at == nil}
	says := "set"
	switch {
	case a.Whole != nil:
		*at, says = a.Whole.DeepCopy(), "put back"
	case a.Remove:
		*at, says = nil, "take away"
	default:
		if *at == nil {
			*at, says = &corev1.Probe{}, "add"
		}
		if err := a.fill(*at, container); err != nil {
			return edited{}, err
		}
	}
	return edited{
		title:   strings.TrimSuffix(fmt.Sprintf("%s the %s probe of %s: %s", says, a.Probe, a.Container, describeProbe(*at)), ": "),
		kubectl: fmt.Sprintf("kubectl edit %s -n %s", resourceName(object), target.Namespace),
		undo:    []runbook.Change{newChange(changeProbe, undo)},
	}, nil
}

// fill changes what the arguments name.
func (a probeArgs) fill(probe *corev1.Probe, container *corev1.Container) error {
	switch {
	case a.Like != "":
		like := *slot(container, a.Like)
		if like == nil {
			return refuse("%s has no %s probe to take over.", a.Container, a.Like)
		}
		probe.ProbeHandler = *like.ProbeHandler.DeepCopy()
		if probe.TimeoutSeconds < like.TimeoutSeconds {
			probe.TimeoutSeconds = like.TimeoutSeconds
		}
	case len(a.Command) > 0:
		probe.ProbeHandler = corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: a.Command}}
	case a.Port != 0:
		probe.ProbeHandler = corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(int32(a.Port))}}
	}
	if probe.ProbeHandler == (corev1.ProbeHandler{}) {
		return refuse("%s has no %s probe, and nothing says what a new one asks.", a.Container, a.Probe)
	}
	for _, one := range []struct {
		value *number
		into  *int32
	}{{a.InitialDelay, &probe.InitialDelaySeconds}, {a.Period, &probe.PeriodSeconds}, {a.Timeout, &probe.TimeoutSeconds}, {a.FailureThreshold, &probe.FailureThreshold}} {
		if one.value != nil {
			*one.into = int32(*one.value)
		}
	}
	return nil
}

// describeProbe says in a few words what a probe asks and how patient it is.
func describeProbe(probe *corev1.Probe) string {
	if probe == nil {
		return ""
	}
	asks := "asks nothing"
	switch {
	case probe.Exec != nil:
		asks = "runs a command"
	case probe.TCPSocket != nil:
		asks = "connects to port " + probe.TCPSocket.Port.String()
	case probe.HTTPGet != nil:
		asks = "asks " + probe.HTTPGet.Path
	}
	period, failures := max(probe.PeriodSeconds, 1), max(probe.FailureThreshold, 1)
	if probe.PeriodSeconds == 0 {
		period = 10
	}
	if probe.FailureThreshold == 0 {
		failures = 3
	}
	return fmt.Sprintf("%s, gives up after %d s", asks, probe.InitialDelaySeconds+period*failures)
}
