package k8s

import (
	"strings"

	"redis-session-bot/internal/evidence"
)

// connectScript sends PING with the first tool that the container has and
// prints which one, then what came back. QUIT makes the server close the
// connection, since the many kinds of nc do not agree on how to end one. An nc
// that says nothing is asked again with -v, which only some know.
const connectScript = `
ask() { printf 'PING\r\nQUIT\r\n'; }
limit() { if command -v timeout >/dev/null 2>&1; then timeout 5 "$@"; else "$@"; fi; }
if command -v nc >/dev/null 2>&1; then
  echo via nc
  said=$(ask | limit nc -w 3 "$1" "$2" 2>&1)
  if [ -z "$said" ]; then said=$(ask | limit nc -v -w 3 "$1" "$2" 2>&1); fi
  printf '%s\n' "$said"
elif command -v bash >/dev/null 2>&1; then
  echo via bash
  limit bash -c 'exec 3<>"/dev/tcp/$0/$1" || exit 1; printf "PING\r\nQUIT\r\n" >&3; IFS= read -r -t 3 said <&3; printf "%s\n" "$said"' "$1" "$2" 2>&1
  if [ $? = 124 ]; then echo timed out; fi
elif command -v python3 >/dev/null 2>&1; then
  echo via python3
  python3 -c '` + connectPython + `' "$1" "$2" 2>&1
else
  echo via none
fi
exit 0
`

// connectPython does the same for a container that has python3 and no shell.
// It holds no single quote, since the shell quotes it with those.
const connectPython = `
import socket, sys
try:
    s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)
    s.settimeout(3)
    s.sendall(b"PING\r\nQUIT\r\n")
    print(s.recv(512).decode("utf-8", "replace"))
except Exception as e:
    print(e)
`

// readAnswer judges what a tool printed. Whatever answers in Redis' protocol
// was reached, a demand for a password included. What the server says to
// everybody before it hangs up is an answer that helps no client.
func readAnswer(out, errors string) evidence.Reach {
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "-ERR max number of clients"), strings.HasPrefix(line, "-DENIED"):
			return evidence.Reach{Error: strings.TrimPrefix(line, "-")}
		case strings.HasPrefix(line, "+"), strings.HasPrefix(line, "-") && isReply(line[1:]):
			return evidence.Reach{OK: true}
		}
	}
	said := strings.TrimSpace(out + "\n" + errors)
	switch lower := strings.ToLower(said); {
	case said == "" || isUsage(lower):
		return evidence.Reach{Error: "no answer: the connection failed, timed out or was closed"}
	case strings.Contains(lower, "refused"):
		return evidence.Reach{Error: "connection refused"}
	case strings.Contains(lower, "bad address"), strings.Contains(lower, "name or service not known"),
		strings.Contains(lower, "name does not resolve"), strings.Contains(lower, "name resolution"), strings.Contains(lower, "unknown host"):
		return evidence.Reach{Error: "the name does not resolve: " + firstLine(said)}
	case strings.Contains(lower, "timed out"), strings.Contains(lower, "timeout"):
		return evidence.Reach{Error: "i/o timeout"}
	}
	return evidence.Reach{Error: firstLine(said)}
}

// isReply reports whether a text begins as Redis' errors do: with a code.
func isReply(text string) bool {
	code, _, _ := strings.Cut(text, " ")
	return len(code) >= 2 && strings.ToUpper(code) == code
}

func isUsage(text string) bool {
	return strings.Contains(text, "usage:") || strings.Contains(text, "invalid option")
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(line)
}
