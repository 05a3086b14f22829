package fixes

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/lab/live"
	"redis-session-bot/lab/workload"
)

// TestFallback keeps the sessions in the application's memory. It is told by
// the status until the store is used again.
func TestFallback(t *testing.T) {
	t.Parallel()
	p := live.Admit(t, "fix-fallback", workload.Deployment, canary)
	backend := func() string {
		config, err := p.Copy.Clients.CoreV1().ConfigMaps(p.Namespace).Get(t.Context(), workload.AgentConfig, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return config.Data[workload.AgentBackendKey]
	}
	r := p.Serve()
	hush(p, r)
	r.Opens("U_RESPONDER", "fallback")
	r.Press("U_APPROVER", "Apply")
	r.Until("the fallback is verified", 3*time.Minute, func() bool { return strings.Contains(r.Seen(false), "Fixed at") })
	if got := backend(); got != "memory" {
		t.Errorf("the application keeps sessions in %q", got)
	}
	r.Command("U_RESPONDER", "status")
	r.Whispered("U_RESPONDER", "To be put right: the application keeps sessions in its own memory")

	r.Command("U_RESPONDER", "fallback end")
	r.Press("U_APPROVER", "Apply")
	r.Until("the end is applied", 3*time.Minute, func() bool { return strings.Contains(r.Seen(true), "keep sessions in the store again · applied") })
	if got := backend(); got != "redis" {
		t.Errorf("after the end the application keeps sessions in %q", got)
	}
}
