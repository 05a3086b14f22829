package k8s

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/runbook"
)

// The kinds of change. One file, change_<kind>.go, holds each.
const (
	changeConfig    = "edit-redis-config"
	changeResources = "set-resources"
	changeReplicas  = "set-replicas"
	changeRestart   = "restart"
	changeRollBack  = "roll-back"
	changeRepairAOF = "repair-aof"
	changeAside     = "set-data-aside"
	changeRestore   = "restore-backup"
	changeProbe     = "set-probe"
	changeSelector  = "set-selector"
	changeSetting   = "set-config"
	changePods      = "delete-pods"
	changeVolume    = "replace-volume"
)

// change is one kind of change.
type change struct {
	says     string // what it does, in one sentence, for the docs
	validate func(args json.RawMessage) error
	// resolve makes the arguments absolute against the cluster as it is now,
	// so that applying them again gives the same result.
	resolve func(ctx context.Context, c *Cluster, target evidence.Target, args json.RawMessage) (json.RawMessage, error)

	// needs is what it asks of the API server beyond its own object, for the
	// Role; nil for nothing.
	needs func(target evidence.Target) []permission

	// A change is either an edit of one object: all the edits of one object
	// become one write. about says which object, edit changes it in memory and
	// is deterministic …
	about func(target evidence.Target, args json.RawMessage) objectName
	edit  func(ctx context.Context, c *Cluster, target evidence.Target, object any, args json.RawMessage) (edited, error)

	// … or a course: several writes in an order of its own. The course of a
	// plan comes after its edits of configuration and before those of workloads.
	course func(ctx context.Context, p *planner, args json.RawMessage) ([]incident.Write, error)
	// send sends a write of the course whose verb is create or command. Its
	// errors are those of incident.Cluster's Apply.
	send func(ctx context.Context, c *Cluster, target evidence.Target, write incident.Write, args json.RawMessage) error
	// stands reads, for a write whose verb is command, where the running server
	// in a pod stands: it has a precondition, as every other write does.
	// It is told what the server says of itself, and those of its settings that
	// the change names.
	stands   func(pod string, asked evidence.Redis, set map[string]string, args json.RawMessage) (standing, error)
	settings []string
}

// standing is what the running server shows of a command to it.
type standing struct {
	there   bool   // what the command makes of it is there
	changed string // why the command is not to be sent any more; "" where it may be
}

// objectName names one object of the target's namespace.
type objectName struct{ kind, name string }

// The kinds of object that a change can be about. A workload is a Deployment
// or a StatefulSet, whichever is there.
const (
	kindWorkload  = "workload"
	kindConfigMap = "ConfigMap"
	kindSecret    = "Secret"
	kindService   = "Service"
	kindClaim     = "PersistentVolumeClaim"
)

// theWorkload is what the target runs.
func theWorkload(target evidence.Target, _ json.RawMessage) objectName {
	return objectName{kindWorkload, target.Workload}
}

// workloadIn is the workload that the arguments name, such as the application;
// the store's without one.
func workloadIn(target evidence.Target, args json.RawMessage) objectName {
	var named struct{ Workload string }
	if err := json.Unmarshal(args, &named); err != nil || named.Workload == "" {
		return theWorkload(target, args)
	}
	return objectName{kindWorkload, named.Workload}
}

// theConfig is the store's own ConfigMap.
func theConfig(target evidence.Target, _ json.RawMessage) objectName {
	return objectName{kindConfigMap, target.Config}
}

// edited is what an edit tells of itself.
type edited struct {
	title    string
	kubectl  string
	warnings []string
	cautions []string // data loss
	undo     []runbook.Change
	noUndo   string
}

func changes() map[string]change {
	return map[string]change{
		changeConfig:    configChange(),
		changeResources: resourcesChange(),
		changeReplicas:  replicasChange(),
		changeRestart:   restartChange(),
		changeRollBack:  rollBackChange(),
		changeRepairAOF: repairChange(),
		changeAside:     asideChange(),
		changeRestore:   restoreChange(),

		changeKeep:       keepChange(),
		changePromote:    promoteChange(),
		changeReplicate:  replicateChange(),
		changeKillScript: killScriptChange(),
		changeSpare:      spareChange(),
		changePassword:   passwordChange(),
		changeContainer:  containerChange(),
		changeProbe:      probeChange(),
		changeSelector:   selectorChange(),
		changeSetting:    settingChange(),
		changePods:       podsChange(),
		changeVolume:     volumeChange(),
	}
}

// Changes are the changes that a runbook may name, each with the validator of
// its arguments. A validator lets ${…} stand wherever a value may.
func Changes() map[string]func(args json.RawMessage) error {
	validators := map[string]func(json.RawMessage) error{}
	for kind, change := range changes() {
		validators[kind] = change.validate
	}
	return validators
}

// asIs is the resolve of a change whose arguments are absolute already.
func asIs(_ context.Context, _ *Cluster, _ evidence.Target, args json.RawMessage) (json.RawMessage, error) {
	return args, nil
}

// decodeArgs reads arguments; an unknown key is an error.
func decodeArgs(args json.RawMessage, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(args))
	decoder.DisallowUnknownFields()
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("arguments %s: %w", args, err)
	}
	return nil
}

// newChange makes a change of arguments that are sure to be JSON.
func newChange(kind string, args any) runbook.Change {
	raw, err := json.Marshal(args)
	if err != nil {
		raw = json.RawMessage(`{}`) // only types of this package get here, and they marshal
	}
	return runbook.Change{Kind: kind, Args: raw}
}

// number is a whole number in arguments, which a runbook may write as ${…} and
// people as a text.
type number int64

// UnmarshalJSON reads a number, or a text that holds one. A ${…} that is still
// to be filled in stands for 1.
func (n *number) UnmarshalJSON(data []byte) error {
	text := strings.Trim(string(data), `"`)
	if placeholder(text) {
		*n = 1
		return nil
	}
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("%s is not a whole number", data)
	}
	*n = number(value)
	return nil
}

// placeholder reports whether a value is still to be filled in by the runbook.
func placeholder(value string) bool { return strings.Contains(value, "${") }

// refuse is a Refusal in a sentence.
func refuse(format string, args ...any) error {
	return &incident.Refusal{Says: fmt.Sprintf(format, args...)}
}

// template is the pod template of a workload.
func template(object any) (*corev1.PodTemplateSpec, error) {
	switch o := object.(type) {
	case *appsv1.Deployment:
		return &o.Spec.Template, nil
	case *appsv1.StatefulSet:
		return &o.Spec.Template, nil
	}
	return nil, errors.New("the object has no pod template")
}

// editedContainer is a container of a workload's pods; a *Refusal where there is none.
func editedContainer(object any, name string) (*corev1.Container, error) {
	pod, err := template(object)
	if err != nil {
		return nil, err
	}
	for i := range pod.Spec.Containers {
		if container := &pod.Spec.Containers[i]; container.Name == name {
			return container, nil
		}
	}
	return nil, refuse("%s has no container %s.", resourceName(object), name)
}

// selectorOf is what a workload selects its pods by.
func selectorOf(object any) *metav1.LabelSelector {
	switch o := object.(type) {
	case *appsv1.Deployment:
		return o.Spec.Selector
	case *appsv1.StatefulSet:
		return o.Spec.Selector
	}
	return nil
}

// resourceName is how kubectl names a workload: deployment/x or statefulset/x.
func resourceName(object any) string {
	switch o := object.(type) {
	case *appsv1.Deployment:
		return "deployment/" + o.Name
	case *appsv1.StatefulSet:
		return "statefulset/" + o.Name
	case *corev1.ConfigMap:
		return "configmap/" + o.Name
	case *corev1.Secret:
		return "secret/" + o.Name
	case *corev1.Service:
		return "service/" + o.Name
	}
	return "object"
}
