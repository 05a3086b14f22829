package evidence

import (
	"cmp"
	"slices"
	"strings"

	"redis-session-bot/internal/redisconf"
)

// readConfig reads the store's configuration file, and the line of it that
// the server refused, where a failing run's log names one.
func (r *reader) readConfig() {
	r.readRefused()
	if r.bundle.ConfigMaps == nil {
		r.unknownConfig()
		return
	}
	name, key := r.target.Config, orElse(r.target.ConfigKey, "redis.conf")
	r.evidence.Config.Name, r.evidence.Config.Key = name, key
	for i := range r.bundle.ConfigMaps.Items {
		configMap := &r.bundle.ConfigMaps.Items[i]
		text, ok := configMap.Data[key]
		if configMap.Name != name || !ok {
			continue
		}
		r.evidence.Config.Exists, r.evidence.Config.Text = true, text
		r.evidence.Config.Managers = managersOf(configMap.ObjectMeta)
		file := redisconf.Parse(text)
		for _, unclosed := range file.Unclosed() {
			r.evidence.Config.Directives = append(r.evidence.Config.Directives, directiveOf(unclosed))
		}
		for _, directive := range file.Directives() {
			r.evidence.Config.Directives = append(r.evidence.Config.Directives, directiveOf(directive))
			if directive.Name == "maxmemory" && len(directive.Args) == 1 {
				r.evidence.Config.Memory, _ = redisconf.Memory(directive.Args[0]) // one that Redis refuses is a finding of the configuration check
			}
		}
		slices.SortFunc(r.evidence.Config.Directives, func(a, b Directive) int { return cmp.Compare(a.Line, b.Line) })
	}
}

func directiveOf(d redisconf.Directive) Directive {
	return Directive{Name: d.Name, Args: strings.Join(d.Args, " "), Line: int64(d.Line)}
}

// unknownConfig keeps a refused line readable though the file itself is not.
func (r *reader) unknownConfig() {
	if !r.evidence.Config.Refused.Happened {
		r.unknown("config", FileConfigMaps)
	}
}

func (r *reader) readRefused() {
	for _, log := range r.evidence.Failing {
		line, text, directive, reason, ok := redisconf.Refused(strings.Join(log.Lines, "\n"))
		if ok {
			r.evidence.Config.Refused = Refused{Happened: true, Line: int64(line), Text: text, Directive: directive, Reason: reason}
			if all := redisconf.Parse(text).Directives(); len(all) == 1 {
				r.evidence.Config.Refused.Meant = redisconf.Meant(all[0].Name, all[0].Args...)
			}
			return
		}
	}
}
