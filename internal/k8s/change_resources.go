package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

// resourcesArgs are those of set-resources; null takes a value away.
type resourcesArgs struct {
	Container string             `json:"container"`
	Limits    map[string]*string `json:"limits,omitempty"`
	Requests  map[string]*string `json:"requests,omitempty"`
}

func resourcesChange() change {
	return change{
		says:     "sets memory and CPU limits and requests of one container",
		validate: validateResources,
		resolve:  asIs,
		needs:    asksWhoSizes,
		about:    theWorkload,
		edit: func(_ context.Context, _ *Cluster, target evidence.Target, object any, args json.RawMessage) (edited, error) {
			return editResources(target, object, args)
		},
	}
}

func validateResources(args json.RawMessage) error {
	var a resourcesArgs
	if err := decodeArgs(args, &a); err != nil {
		return err
	}
	if a.Container == "" {
		return errors.New("name the container")
	}
	if len(a.Limits)+len(a.Requests) == 0 {
		return errors.New("it changes nothing: give limits or requests")
	}
	for _, values := range []map[string]*string{a.Limits, a.Requests} {
		for name, value := range values {
			if name != "memory" && name != "cpu" {
				return fmt.Errorf("unknown resource %q: use memory or cpu", name)
			}
			if value == nil || placeholder(*value) {
				continue
			}
			if _, err := resource.ParseQuantity(*value); err != nil {
				return fmt.Errorf("%s %q is not an amount: write it like 1.5Gi or 500m", name, *value)
			}
		}
	}
	return nil
}

func editResources(target evidence.Target, object any, args json.RawMessage) (edited, error) {
	if err := validateResources(args); err != nil {
		return edited{}, err
	}
	var a resourcesArgs
	if err := decodeArgs(args, &a); err != nil {
		return edited{}, err
	}
	container, err := editedContainer(object, a.Container)
	if err != nil {
		return edited{}, err
	}
	return a.edit(target, object, container)
}

func (a resourcesArgs) edit(target evidence.Target, object any, container *corev1.Container) (edited, error) {
	undo := resourcesArgs{Container: a.Container}
	var titles, flags []string
	for _, part := range []struct {
		word   string
		values map[string]*string
		list   *corev1.ResourceList
		undo   *map[string]*string
	}{
		{"limit", a.Limits, &container.Resources.Limits, &undo.Limits},
		{"request", a.Requests, &container.Resources.Requests, &undo.Requests},
	} {
		for _, name := range sortedNames(part.values) {
			said, err := setQuantity(part.list, part.undo, name, part.values[name])
			if err != nil {
				return edited{}, err
			}
			titles = append(titles, fmt.Sprintf("%s %s %s", name, part.word, said))
			if value := part.values[name]; value != nil {
				flags = append(flags, fmt.Sprintf("--%ss=%s=%s", part.word, name, *value))
			}
		}
	}
	for name, limit := range container.Resources.Limits {
		if request, ok := container.Resources.Requests[name]; ok && limit.Cmp(request) < 0 {
			return edited{}, refuse("The %s limit %s would be below the request %s.", name, limit.String(), request.String())
		}
	}
	return edited{
		title: fmt.Sprintf("%s of %s: %s", resourceName(object), a.Container, strings.Join(titles, ", ")),
		kubectl: fmt.Sprintf("kubectl set resources %s -n %s -c %s %s", resourceName(object), target.Namespace,
			a.Container, strings.Join(flags, " ")),
		undo: []runbook.Change{newChange(changeResources, undo)},
	}, nil
}

// setQuantity sets or takes away one value, keeps the old one for the undo,
// and says what it did.
func setQuantity(list *corev1.ResourceList, undo *map[string]*string, name string, value *string) (string, error) {
	if *undo == nil {
		*undo = map[string]*string{}
	}
	key := corev1.ResourceName(name)
	was := "none"
	(*undo)[name] = nil
	if old, ok := (*list)[key]; ok {
		was = old.String()
		(*undo)[name] = &was
	}
	if value == nil {
		delete(*list, key)
		if len(*list) == 0 {
			*list = nil
		}
		return was + " → none", nil
	}
	quantity, err := resource.ParseQuantity(*value)
	if err != nil {
		return "", refuse("%s %q is not an amount.", name, *value)
	}
	if *list == nil {
		*list = corev1.ResourceList{}
	}
	(*list)[key] = quantity
	return was + " → " + quantity.String(), nil
}

func sortedNames(values map[string]*string) []string {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
