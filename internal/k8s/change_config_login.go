package k8s

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"redis-session-bot/internal/redisconf"
)

// guarded refuses a plan that takes what asks for a password out of the store's
// file, where its command line does not ask for one either.
func (p *planner) guarded() error {
	for _, d := range p.drafts {
		was, ok := d.base.(*corev1.ConfigMap)
		is, edits := d.want.(*corev1.ConfigMap)
		if !ok || !edits || was.Name != p.target.Config || !asks(was.Data[p.target.ConfigKey]) || asks(is.Data[p.target.ConfigKey]) || p.commandAsks() {
			continue
		}
		return refuse("The only line of %s by which a client has to give a password would go: whoever reaches the port could read and write every session. "+
			"Correct the line by hand (kubectl edit configmap/%s -n %s), and restart the store.", was.Name, was.Name, p.target.Namespace)
	}
	return nil
}

// asks reports whether a configuration lets nobody in without a password, also
// by a line that Redis cannot read.
func asks(conf string) bool {
	file := redisconf.Parse(conf)
	return slices.ContainsFunc(append(file.Directives(), file.Unclosed()...), func(d redisconf.Directive) bool {
		return d.Name == "aclfile" || d.Name == "user" || d.Name == "requirepass" && strings.Join(d.Args, "") != ""
	})
}

// commandAsks reports whether the command line of the store's pods gives the
// server a password, as the plan leaves it. A plan that does not touch the
// workload does not know.
func (p *planner) commandAsks() bool {
	for _, d := range p.drafts {
		if !d.isWorkload() || d.name.name != p.target.Workload {
			continue
		}
		is, err := template(d.want)
		if err != nil {
			return false
		}
		c := containerNamed(&is.Spec, p.target.Container)
		return slices.ContainsFunc(slices.Concat(c.Command, c.Args), func(word string) bool {
			return strings.Contains(word, "--requirepass") || strings.Contains(word, "--aclfile")
		})
	}
	return false
}
