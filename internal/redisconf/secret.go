package redisconf

import "strings"

// Redacted stands where a secret was.
const Redacted = "[redacted]"

// Secret reports whether a directive's arguments hold a secret.
func Secret(name string) bool {
	switch strings.ToLower(name) {
	case "requirepass", "masterauth", "primaryauth", "user", "tls-key-file-pass", "tls-client-key-file-pass", "sentinel":
		return true
	}
	return false
}

// Redact replaces the arguments of every directive that holds a secret, in
// comments too, where people leave old ones. Line numbers stay.
func Redact(text string) string {
	f := Parse(text)
	for i, line := range f.lines {
		body := strings.TrimLeft(line, " \t#")
		name, rest, found := strings.Cut(body, " ")
		if tabbed, after, ok := strings.Cut(body, "\t"); ok && len(tabbed) < len(name) {
			name, rest, found = tabbed, after, true
		}
		if found && strings.TrimSpace(rest) != "" && Secret(name) {
			f.lines[i] = line[:len(line)-len(body)] + name + " " + Redacted
		}
	}
	return f.String()
}
