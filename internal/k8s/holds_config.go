package k8s

import (
	"context"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"redis-session-bot/internal/redisconf"
)

// How a server that is told nothing keeps its data, as Redis 7 does.
func defaults() settings {
	return settings{points: true, snapshot: "dump.rdb", appendDir: "appendonlydir", appendFile: "appendonly.aof"}
}

// settingsOf reads the directives of a file and of a command line, in that
// order. The error is the sentence why they do not tell.
func settingsOf(directives []redisconf.Directive) (settings, error) {
	s := defaults()
	saved := false
	for _, d := range directives {
		first := ""
		if len(d.Args) > 0 {
			first = d.Args[0]
		}
		switch d.Name {
		case "include":
			return s, refuse("Its configuration includes another file (%s), which is not read here.", first)
		case "appendonly":
			s.appendOnly = strings.EqualFold(first, "yes")
		case "save":
			// The first line replaces the default; later ones add to it; "" clears.
			s.points = saved && s.points || first != ""
			if first == "" {
				s.points = false
			}
			saved = true
		case "dir":
			s.dir = path.Clean(first)
		case "dbfilename":
			s.snapshot = first
		case "appenddirname":
			s.appendDir = first
		case "appendfilename":
			s.appendFile = first
		case "replicaof", "slaveof":
			s.follows = first != "" && !strings.EqualFold(first, "no")
		case "maxmemory":
			s.maxMemory, _ = redisconf.Memory(first) // what Redis refuses bounds nothing
		case "maxmemory-policy":
			s.evicts = first != "" && !strings.EqualFold(first, "noeviction")
		}
	}
	return s, nil
}

// startOf reads how a pod of that template starts its server: the file and
// the options after it. Files are looked up by conf.
func startOf(spec *corev1.PodSpec, container string, conf func(configMap, key string) (string, error)) (settings, error) {
	at := slices.IndexFunc(spec.Containers, func(c corev1.Container) bool { return c.Name == container })
	if at < 0 {
		return settings{}, refuse("Its pods have no container %s.", container)
	}
	c := &spec.Containers[at]
	words, err := serverWords(slices.Concat(c.Command, c.Args))
	if err != nil {
		return settings{}, err
	}
	var directives []redisconf.Directive
	if len(words) > 0 && !strings.HasPrefix(words[0], "-") {
		text, err := mountedFile(spec, c, words[0], conf)
		if err != nil {
			return settings{}, err
		}
		directives, words = redisconf.Parse(text).Directives(), words[1:]
	}
	return settingsOf(append(directives, optionsOf(words)...))
}

// serverWords are what stands after the program's name.
func serverWords(line []string) ([]string, error) {
	if len(line) == 3 && slices.Contains([]string{"sh", "bash", "ash"}, path.Base(line[0])) && strings.HasSuffix(line[1], "c") {
		line = strings.Fields(line[2])
		if len(line) > 0 && line[0] == "exec" {
			line = line[1:]
		}
		if slices.ContainsFunc(line, func(word string) bool { return strings.ContainsAny(word, ";|&<>`\\") }) {
			return nil, refuse("It starts by a script, and what that does is not known.")
		}
		for i, word := range line {
			line[i] = strings.Trim(word, `"'`)
		}
	}
	if len(line) > 0 && strings.HasSuffix(path.Base(line[0]), "docker-entrypoint.sh") {
		line = line[1:]
	}
	switch {
	case len(line) == 0:
		return nil, refuse("Its image alone says how it starts, which is not read here.")
	case strings.HasSuffix(path.Base(line[0]), "-server"):
		return line[1:], nil
	case strings.HasSuffix(line[0], ".conf") || strings.HasPrefix(line[0], "-"): // the official image puts redis-server before it
		return line, nil
	}
	return nil, refuse("It starts by %s, and what that does is not known.", path.Base(line[0]))
}

// mountedFile is the text of a file that a ConfigMap brings into a container.
func mountedFile(spec *corev1.PodSpec, c *corev1.Container, file string, conf func(configMap, key string) (string, error)) (string, error) {
	mount := mountOf(c, file)
	unread := refuse("Its configuration file %s comes from no ConfigMap, so it is not known.", file)
	if mount == nil {
		return "", unread
	}
	at := slices.IndexFunc(spec.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name })
	if at < 0 || spec.Volumes[at].ConfigMap == nil {
		return "", unread
	}
	source := spec.Volumes[at].ConfigMap
	key := strings.TrimPrefix(strings.TrimPrefix(file, path.Clean(mount.MountPath)), "/")
	key = path.Join(mount.SubPath, key)
	for _, item := range source.Items {
		if item.Path == key {
			key = item.Key
			break
		}
	}
	return conf(source.Name, key)
}

// mountOf is the mount that a path of a container is in; nil where it is in
// the container's own file system.
func mountOf(c *corev1.Container, name string) *corev1.VolumeMount {
	var found *corev1.VolumeMount
	for i := range c.VolumeMounts {
		mount := &c.VolumeMounts[i]
		at := path.Clean(mount.MountPath)
		if name != at && !strings.HasPrefix(name, strings.TrimSuffix(at, "/")+"/") {
			continue
		}
		if found == nil || len(at) > len(path.Clean(found.MountPath)) {
			found = mount
		}
	}
	return found
}

// optionsOf reads --name value … as directives.
func optionsOf(words []string) []redisconf.Directive {
	var all []redisconf.Directive
	for _, word := range words {
		if name, ok := strings.CutPrefix(word, "--"); ok {
			all = append(all, redisconf.Directive{Name: strings.ToLower(name)})
			continue
		}
		if len(all) > 0 {
			last := &all[len(all)-1]
			last.Args = append(last.Args, word)
		}
	}
	return all
}

// proposedFile reads a key of a ConfigMap as the plan leaves it.
func (p *planner) proposedFile(ctx context.Context) func(configMap, key string) (string, error) {
	return func(configMap, key string) (string, error) {
		name := objectName{kindConfigMap, configMap}
		var object any
		for _, d := range p.drafts {
			if d.name == name {
				object = d.want
			}
		}
		if object == nil {
			var err error
			if object, err = p.objectOf(ctx, p.target, name); err != nil {
				return "", err
			}
		}
		text, ok := object.(*corev1.ConfigMap).Data[key]
		if !ok {
			return "", refuse("ConfigMap %s has no key %s.", configMap, key)
		}
		return text, nil
	}
}
