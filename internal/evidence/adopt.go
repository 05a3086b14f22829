package evidence

import "slices"

// adoptNamespace gives the namespace that a bundle without a meta.json is of:
// that of its objects, where none is in the target's and all agree.
func adoptNamespace(b Bundle, wanted string) string {
	if b.Meta.Namespace != "" {
		return wanted
	}
	var found []string
	note := func(namespace string) {
		if namespace != "" && !slices.Contains(found, namespace) {
			found = append(found, namespace)
		}
	}
	if b.Pods != nil {
		for i := range b.Pods.Items {
			note(b.Pods.Items[i].Namespace)
		}
	}
	if b.Events != nil {
		for i := range b.Events.Items {
			note(b.Events.Items[i].Namespace)
		}
	}
	if len(found) == 1 {
		return found[0]
	}
	return wanted
}

// adoptNames corrects the names of the target that the workload has otherwise:
// charts and operators call the container and the Service as they like.
func (r *reader) adoptNames() {
	r.adoptContainer()
	r.adoptService()
	r.evidence.Target = r.target
}

// adoptContainer takes the one container that may be the store where none has
// the target's name: the one with its port, else the only one that does not
// watch another.
func (r *reader) adoptContainer() {
	all := slices.Clone(r.evidence.Workload.Containers)
	for _, pod := range r.evidence.Pods {
		all = append(all, pod.Containers...)
	}
	var listening, others []string
	for _, c := range all {
		if c.Name == r.target.Container {
			return
		}
		if c.Init || c.Watches {
			continue
		}
		if slices.Contains(c.Ports, int64(r.target.Port)) && !slices.Contains(listening, c.Name) {
			listening = append(listening, c.Name)
		}
		if !slices.Contains(others, c.Name) {
			others = append(others, c.Name)
		}
	}
	switch {
	case len(listening) == 1:
		r.target.Container = listening[0]
	case len(others) == 1:
		r.target.Container = others[0]
	}
}

// adoptService takes the Service of the workload's own name where there is
// none of the target's.
func (r *reader) adoptService() {
	if r.bundle.Services == nil {
		return
	}
	own := false
	for i := range r.bundle.Services.Items {
		switch r.bundle.Services.Items[i].Name {
		case r.target.Service:
			return
		case r.target.Workload:
			own = true
		}
	}
	if own {
		r.target.Service = r.target.Workload
	}
}
