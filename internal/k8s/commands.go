package k8s

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"redis-session-bot/internal/evidence"
)

// Commands returns what a person would type instead of a check, the most
// telling line first. They run as they stand in a POSIX shell, and no secret
// is in them: a password is filled in by the shell inside the pod. Where the
// workload is not known, the label app=NAME stands for its selector.
func Commands(target evidence.Target, w evidence.Workload, check string) []string {
	k := kubectl{target: target, workload: w}
	switch check {
	case CheckPods:
		return []string{
			k.line("get", "pods", "-l", k.selector(), "-o", "wide"),
			k.line("describe", "pods", "-l", k.selector()),
			k.line("get", "events", "--sort-by=.lastTimestamp"),
			k.line("rollout", "history", k.object()),
		}
	case CheckLogs:
		return []string{
			k.line("logs", "-l", k.selector(), "--all-containers", "--prefix", fmt.Sprintf("--tail=%d", tailLines)),
			k.line("logs", "-l", k.selector(), "--all-containers", "--prefix", fmt.Sprintf("--tail=%d", tailLines), "--previous"),
		}
	case CheckEndpoints:
		return []string{
			k.line("get", "service", target.Service, "-o", "wide"),
			k.line("get", "endpointslices", "-l", "kubernetes.io/service-name="+target.Service),
			k.line("get", "pods", "-l", k.selector(), "--show-labels"),
		}
	case CheckUsage:
		return []string{
			k.line("top", "pods", "-l", k.selector(), "--containers"),
			k.line("get", "configmap", target.Config, "-o", "yaml"),
		}
	case CheckReach:
		return k.reach()
	case CheckVolumes:
		return k.volumes()
	}
	return nil
}

// kubectl writes command lines for one target.
type kubectl struct {
	target   evidence.Target
	workload evidence.Workload
}

func (k kubectl) reach() []string {
	var lines []string
	hasApp := k.target.App != "" && k.target.Service != ""
	if hasApp {
		ping := fmt.Sprintf(`printf "PING\r\nQUIT\r\n" | nc -w 3 %s %d`, quote(k.target.Service), cmp.Or(k.target.Port, defaultPort))
		lines = append(lines, k.line("exec", "deployment/"+k.target.App, "--", "sh", "-c", ping))
	}
	for _, command := range []string{"ping", "info"} {
		lines = append(lines, k.line(append(k.inStore(), "--", "sh", "-c", `REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli `+command)...))
	}
	if hasApp {
		lines = append(lines, k.line("logs", "deployment/"+k.target.App, "--since=10m", "--tail=200", "--timestamps"))
	}
	return lines
}

func (k kubectl) inStore() []string {
	args := []string{"exec", k.object()}
	if k.target.Container != "" {
		args = append(args, "-c", k.target.Container)
	}
	return args
}

func (k kubectl) volumes() []string {
	claims := append([]string{"get", "persistentvolumeclaims"}, k.workload.Claims...)
	described := append([]string{"describe", "persistentvolumeclaims"}, k.workload.Claims...)
	return []string{k.line(claims...), k.line(described...), k.line("get", "storageclasses")}
}

func (k kubectl) object() string {
	kind := "deployment"
	if k.workload.Kind == evidence.KindStatefulSet {
		kind = "statefulset"
	}
	return kind + "/" + k.target.Workload
}

func (k kubectl) selector() string {
	if len(k.workload.Selector) == 0 {
		return "app=" + k.target.Workload
	}
	var terms []string
	for _, key := range slices.Sorted(maps.Keys(k.workload.Selector)) {
		terms = append(terms, key+"="+k.workload.Selector[key])
	}
	return strings.Join(terms, ",")
}

// line quotes each word and names the cluster and the namespace after the verb's words.
func (k kubectl) line(words ...string) string {
	head := []string{"kubectl"}
	if k.target.Context != "" {
		head = append(head, "--context", k.target.Context)
	}
	if k.target.Namespace != "" {
		head = append(head, "-n", k.target.Namespace)
	}
	all := append(head, words...)
	for i, word := range all {
		all[i] = quote(word)
	}
	return strings.Join(all, " ")
}

// plainWord matches what a shell takes as it stands.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// quote makes one word of a POSIX shell of any text.
func quote(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
