package k8s

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/evidence"
)

func TestCommands(t *testing.T) {
	target := evidence.Target{Namespace: "ns", Workload: "redis-session", Container: "redis", Service: "redis-session", Port: 6380,
		Config: "conf", Secret: "secrets", App: "agent"}
	elsewhere := target
	elsewhere.Context, elsewhere.App, elsewhere.Container = "it's prod", "", ""
	set := evidence.Workload{Kind: evidence.KindStatefulSet, Claims: []string{"data-redis-session-0"},
		Selector: map[string]string{"tier": "cache", "app.kubernetes.io/name": "redis"}}
	for _, test := range []struct {
		name     string
		target   evidence.Target
		workload evidence.Workload
		check    string
		want     []string
	}{
		{"pods of a workload that is not known", target, evidence.Workload{}, CheckPods, []string{
			"kubectl -n ns get pods -l app=redis-session -o wide",
			"kubectl -n ns describe pods -l app=redis-session",
			"kubectl -n ns get events --sort-by=.lastTimestamp",
			"kubectl -n ns rollout history deployment/redis-session"}},
		{"logs of a StatefulSet", target, set, CheckLogs, []string{
			"kubectl -n ns logs -l app.kubernetes.io/name=redis,tier=cache --all-containers --prefix --tail=1500",
			"kubectl -n ns logs -l app.kubernetes.io/name=redis,tier=cache --all-containers --prefix --tail=1500 --previous"}},
		{"endpoints", target, set, CheckEndpoints, []string{
			"kubectl -n ns get service redis-session -o wide",
			"kubectl -n ns get endpointslices -l kubernetes.io/service-name=redis-session",
			"kubectl -n ns get pods -l app.kubernetes.io/name=redis,tier=cache --show-labels"}},
		{"usage", target, set, CheckUsage, []string{
			"kubectl -n ns top pods -l app.kubernetes.io/name=redis,tier=cache --containers",
			"kubectl -n ns get configmap conf -o yaml"}},
		{"reach", target, set, CheckReach, []string{
			`kubectl -n ns exec deployment/agent -- sh -c 'printf "PING\r\nQUIT\r\n" | nc -w 3 redis-session 6380'`,
			`kubectl -n ns exec statefulset/redis-session -c redis -- sh -c 'REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli ping'`,
			`kubectl -n ns exec statefulset/redis-session -c redis -- sh -c 'REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli info'`,
			"kubectl -n ns logs deployment/agent --since=10m --tail=200 --timestamps"}},
		{"reach without an application, in another context", elsewhere, evidence.Workload{}, CheckReach, []string{
			`kubectl --context 'it'\''s prod' -n ns exec deployment/redis-session -- sh -c 'REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli ping'`,
			`kubectl --context 'it'\''s prod' -n ns exec deployment/redis-session -- sh -c 'REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli info'`}},
		{"volumes", target, set, CheckVolumes, []string{
			"kubectl -n ns get persistentvolumeclaims data-redis-session-0",
			"kubectl -n ns describe persistentvolumeclaims data-redis-session-0",
			"kubectl -n ns get storageclasses"}},
		{"no such check", target, set, "nonsense", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, Commands(test.target, test.workload, test.check)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// What quote returns is one word to a shell, whatever it holds.
func FuzzQuote(f *testing.F) {
	f.Add("it's")
	f.Add("$(reboot) `x` \"y\" \\")
	f.Fuzz(func(t *testing.T, word string) {
		if strings.ContainsRune(word, 0) {
			return
		}
		out, err := exec.Command("sh", "-c", "printf %s "+quote(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q became %q (%v)", word, out, err)
		}
	})
}
