package k8s

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
)

// TestWhoHoldsThePort: what holds the port stays known whichever check was the
// last, is asked for once in a round, and only where a pod waits for a port.
func TestWhoHoldsThePort(t *testing.T) {
	const all = "/api/v1/namespaces/ns/pods?"
	now := time.Date(2026, 11, 23, 2, 50, 0, 0, time.UTC)
	for name, waits := range map[string]bool{"a pod waits for its port": true, "a pod that runs": false} {
		t.Run(name, func(t *testing.T) {
			server := namespace(now)
			own := server.objects[all+"app in (agent,redis-session)"].(corev1.PodList)
			if waits {
				own.Items[0].Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
					Message: "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."}}
			}
			holder := func(name string, port int32) corev1.Pod {
				return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns", UID: "p-2"},
					Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "redis", Ports: []corev1.ContainerPort{{ContainerPort: 6379, HostPort: port}}}}}}
			}
			server.objects[all] = corev1.PodList{Items: append([]corev1.Pod{holder("redis-session-copy", 6379), holder("beside", 0)}, own.Items...)}
			bundle := lookAll(t, server.cluster(t, now), testTarget)
			found := evidence.Read(bundle, testTarget).Neighbours
			asked := 0
			for _, request := range server.asked {
				if strings.Contains(request, "/pods?") && !strings.Contains(request, "labelSelector") {
					asked++
				}
			}
			want := 0
			if waits {
				want = 1
			}
			if len(found) != want || asked != want || waits && found[0].Name != "redis-session-copy" {
				t.Errorf("asked %d times, found %+v", asked, found)
			}
		})
	}
}
