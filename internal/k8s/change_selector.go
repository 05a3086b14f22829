package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

// selectorArgs are those of set-selector. Selector replaces the whole of it;
// TargetPort is where the Service's port leads to.
type selectorArgs struct {
	Selector   map[string]string `json:"selector,omitempty"`
	Port       number            `json:"port,omitempty"`
	TargetPort string            `json:"targetPort,omitempty"`
}

func selectorChange() change {
	return change{
		says:     "sets which pods the store's Service selects, or the container's port that it leads to",
		validate: validateSelector,
		resolve:  resolveSelector,
		about: func(target evidence.Target, _ json.RawMessage) objectName {
			return objectName{kindService, target.Service}
		},
		edit: editSelector,
	}
}

func validateSelector(args json.RawMessage) error {
	var a selectorArgs
	if err := decodeArgs(args, &a); err != nil {
		return err
	}
	if a.TargetPort != "" && a.Port == 0 {
		return errors.New("targetPort: name the Service's own port, too")
	}
	return nil
}

// resolveSelector takes the labels that the workload's pods are selected by
// where the arguments name none.
func resolveSelector(ctx context.Context, c *Cluster, target evidence.Target, args json.RawMessage) (json.RawMessage, error) {
	var a selectorArgs
	if err := decodeArgs(args, &a); err != nil {
		return nil, err
	}
	if len(a.Selector) > 0 || a.TargetPort != "" {
		return args, nil
	}
	object, err := c.workloadOf(ctx, target)
	if err != nil {
		return nil, err
	}
	selector := selectorOf(object)
	if selector == nil || len(selector.MatchLabels) == 0 {
		return nil, refuse("%s selects its pods by no label.", resourceName(object))
	}
	a.Selector = selector.MatchLabels
	return json.Marshal(a)
}

func editSelector(ctx context.Context, c *Cluster, target evidence.Target, object any, args json.RawMessage) (edited, error) {
	service, ok := object.(*corev1.Service)
	if !ok {
		return edited{}, errors.New("set-selector is about a Service")
	}
	var a selectorArgs
	if err := decodeArgs(args, &a); err != nil {
		return edited{}, err
	}
	e := edited{}
	undo := selectorArgs{}
	var titles, commands []string
	if len(a.Selector) > 0 {
		undo.Selector = maps.Clone(service.Spec.Selector)
		service.Spec.Selector = maps.Clone(a.Selector)
		titles = append(titles, "select "+wordsOf(a.Selector))
		commands = append(commands, fmt.Sprintf("kubectl set selector service/%s -n %s %s", service.Name, target.Namespace, wordsOf(a.Selector)))
		warning, err := c.whomItSelects(ctx, target, a.Selector)
		if err != nil {
			return edited{}, err
		}
		if warning != "" {
			e.warnings = append(e.warnings, warning)
		}
	}
	if a.TargetPort != "" {
		at := slices.IndexFunc(service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == int32(a.Port) })
		if at < 0 {
			return edited{}, refuse("Service %s offers no port %d.", service.Name, a.Port)
		}
		undo.Port, undo.TargetPort = a.Port, service.Spec.Ports[at].TargetPort.String()
		service.Spec.Ports[at].TargetPort = intstr.Parse(a.TargetPort)
		titles = append(titles, fmt.Sprintf("lead port %d to %s", a.Port, a.TargetPort))
		commands = append(commands, fmt.Sprintf("kubectl edit service/%s -n %s", service.Name, target.Namespace))
	}
	e.title = fmt.Sprintf("service/%s: %s", service.Name, strings.Join(titles, ", "))
	e.kubectl = strings.Join(commands, " && ")
	e.undo = []runbook.Change{newChange(changeSelector, undo)}
	return e, nil
}

// whomItSelects warns of a selector that takes in none of the store's pods, or
// others beside them.
func (c *Cluster) whomItSelects(ctx context.Context, target evidence.Target, selector map[string]string) (string, error) {
	object, err := c.workloadOf(ctx, target)
	if err != nil {
		return "", err
	}
	template, err := template(object)
	if err != nil {
		return "", err
	}
	if !labels.SelectorFromSet(selector).Matches(labels.Set(template.Labels)) {
		return fmt.Sprintf("This selector does not match the labels of %s's own pods.", target.Workload), nil
	}
	pods, err := c.Clients.CoreV1().Pods(target.Namespace).List(ctx, metav1.ListOptions{LabelSelector: labels.SelectorFromSet(selector).String(), Limit: maxPods})
	if err != nil {
		return "", fmt.Errorf("list the pods that the Service would select: %w", err)
	}
	own, err := metav1.LabelSelectorAsSelector(selectorOf(object))
	if err != nil {
		return "", fmt.Errorf("read the selector of %s: %w", target.Workload, err)
	}
	for _, pod := range pods.Items {
		if !own.Matches(labels.Set(pod.Labels)) {
			return fmt.Sprintf("It selects %s, too, which is no pod of %s.", pod.Name, target.Workload), nil
		}
	}
	return "", nil
}

// wordsOf writes labels as kubectl does: a=b,c=d.
func wordsOf(values map[string]string) string {
	var terms []string
	for _, key := range slices.Sorted(maps.Keys(values)) {
		terms = append(terms, key+"="+values[key])
	}
	return strings.Join(terms, ",")
}
