package standby

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"redis-session-bot/internal/redisconf"
)

// How a directive of the live store gets into the copy.
var (
	// ours are set by the copy itself.
	ours = []string{"port", "bind", "bind-source-addr", "protected-mode", "dir", "daemonize", "supervised", "pidfile", "logfile",
		"unixsocket", "unixsocketperm", "requirepass", "masterauth", "primaryauth", "replicaof", "slaveof", "sentinel",
		"replica-announce-ip", "replica-announce-port", "slave-announce-ip", "slave-announce-port"}
	// left are left out, with a note.
	left = []string{"user", "aclfile", "masteruser", "primaryuser", "include", "rename-command"}
	// many add up over several lines; of any other the last line holds.
	many = []string{"save", "loadmodule", "client-output-buffer-limit", "oom-score-adj-values"}
)

// config is the copy's redis.conf: what the live store's file, its command line
// and its running server say, in that order, the last word counting.
func (m *maker) config() string {
	file := &redisconf.File{}
	var saved []string
	for _, directive := range append(redisconf.Parse(m.Conf).Directives(), m.Options...) {
		name := directive.Name
		switch {
		case slices.Contains(ours, name):
		case slices.Contains(left, name), strings.HasPrefix(name, "tls-"), strings.HasPrefix(name, "cluster-"):
			m.note("The directive %s is not carried over: look at whether the copy needs it.", name)
		case redisconf.Secret(name), slices.ContainsFunc(directive.Args, func(arg string) bool { return strings.Contains(arg, redisconf.Redacted) || strings.Contains(arg, "$(") }):
			m.note("The directive %s is not carried over, since its value is not to be shown or is filled in by the kubelet.", name)
		case name == "save":
			saved = addPoints(saved, directive.Args)
		case slices.Contains(many, name):
			file = redisconf.Parse(file.String() + redisconf.Format(name, directive.Args...) + "\n")
		default:
			file.Set(name, directive.Args...)
		}
	}
	m.asItRuns(file, &saved)
	for pair := range slices.Chunk(saved, 2) {
		file = redisconf.Parse(file.String() + redisconf.Format("save", pair...) + "\n") // one line each: older servers take no more
	}
	file.Set("port", strconv.Itoa(int(m.port)))
	file.Set("protected-mode", "no") // a password is needed anyway
	file.Set("dir", m.dir())
	return file.String()
}

// defaultPoints are the save points of a server that is told none.
var defaultPoints = []string{"3600 1 300 100 60 10000", "900 1 300 10 60 10000"}

// addPoints adds the save points of one line: an empty one clears them all.
func addPoints(saved, args []string) []string {
	if slices.Equal(args, []string{""}) || slices.Equal(saved, []string{""}) {
		return args
	}
	return append(saved, args...)
}

// asItRuns lets the running server overrule its file.
func (m *maker) asItRuns(file *redisconf.File, saved *[]string) {
	said := map[string]string{}
	for _, directive := range file.Directives() {
		said[directive.Name] = strings.Join(directive.Args, " ")
	}
	for _, name := range Settings() {
		runs, known := m.Server.Settings[name]
		is, set := said[name]
		switch {
		case !known || name == "dir":
		case name == "save":
			if was := strings.Join(*saved, " "); was != runs && !(len(*saved) == 0 && slices.Contains(defaultPoints, runs)) {
				m.note("The file has %s, the running server %s: the copy takes the latter.", orNone("save", was), orNone("save", runs))
				*saved = addPoints(nil, strings.Split(runs, " "))
			}
		case set && same(name, is, runs):
		case !set && isDefault(name, runs):
		default:
			if set {
				m.note("The file has %s %s, the running server %s: the copy takes the latter.", name, is, runs)
			}
			file.Set(name, amount(name, runs))
		}
	}
}

func orNone(name, value string) string {
	if value == "" {
		return "no " + name
	}
	return name + " " + value
}

// same reports whether two values mean the same to Redis.
func same(name, a, b string) bool {
	if name == "maxmemory" {
		first, err := redisconf.Memory(a)
		second, again := redisconf.Memory(b)
		return err == nil && again == nil && first == second
	}
	return strings.EqualFold(a, b)
}

func isDefault(name, value string) bool {
	return map[string]string{"maxmemory": "0", "maxmemory-policy": "noeviction", "appendonly": "no", "appendfsync": "everysec"}[name] == value
}

// amount writes bytes as people do: 256mb.
func amount(name, value string) string {
	n, err := strconv.ParseInt(value, 10, 64)
	if name != "maxmemory" || err != nil || n == 0 || n%(1<<20) != 0 {
		return value
	}
	return fmt.Sprintf("%dmb", n>>20)
}

// dir is where the copy keeps its files.
func (m *maker) dir() string {
	if m.Dir == "" {
		return "/data"
	}
	return m.Dir
}
