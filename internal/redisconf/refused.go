package redisconf

import (
	"regexp"
	"strconv"
	"strings"
)

// The report that Redis, from version 2 on, and Valkey print on a line that
// they refuse:
//
//	*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***
//	Reading the configuration file, at line 2
//	>>> 'maxmemory-policy lru'
//	argument(s) must be one of the following: …
var (
	refusalHead = regexp.MustCompile(`\*\*\* FATAL CONFIG FILE ERROR.*\*\*\*`)
	refusalLine = regexp.MustCompile(`Reading the configuration file, at line (\d+)`)
	refusalText = regexp.MustCompile(`^\s*>>> '(.*)'\s*$`)
)

// Refused finds the line of the configuration that a server's log says it
// refuses; the last report of the log counts. ok is false where there is none.
func Refused(log string) (line int, text, directive, reason string, ok bool) {
	lines := strings.Split(log, "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if refusalHead.MatchString(lines[i]) {
			return readRefusal(lines[i+1:])
		}
	}
	return 0, "", "", "", false
}

func readRefusal(lines []string) (line int, text, directive, reason string, ok bool) {
	for _, one := range lines[:min(len(lines), 4)] {
		one = strings.TrimRight(one, "\r")
		switch {
		case refusalLine.MatchString(one):
			line, _ = strconv.Atoi(refusalLine.FindStringSubmatch(one)[1])
		case refusalText.MatchString(one):
			text = refusalText.FindStringSubmatch(one)[1]
		case text != "" && reason == "":
			reason = strings.TrimSpace(one)
		}
	}
	if line == 0 && text == "" {
		return 0, "", "", "", false
	}
	words := strings.Fields(text)
	if len(words) > 0 {
		directive = strings.ToLower(strings.Trim(words[0], `"'`))
	}
	return line, text, directive, reason, true
}
