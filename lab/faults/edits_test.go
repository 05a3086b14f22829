package faults

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func TestEveryFaultHasANameAndADescription(t *testing.T) {
	if sorted := slices.Sorted(slices.Values(Names())); len(slices.Compact(sorted)) < len(Names()) {
		t.Errorf("a name is given twice: %q", Names())
	}
	for _, name := range Names() {
		if Describe(name) == "" {
			t.Errorf("%s says nothing", name)
		}
	}
	if Describe("plague") != "" {
		t.Error("an unknown fault is described")
	}
	err := Break(t.Context(), Options{}, "plague")
	if err == nil || !strings.Contains(err.Error(), `"plague"`) || !strings.Contains(err.Error(), "scaled-to-zero") {
		t.Errorf("an unknown fault: %v", err)
	}
}

func TestAddRefusedLineKeepsEveryOther(t *testing.T) {
	cases := map[string][2]string{
		"below the policy": {"# a\nmaxmemory 256mb\nmaxmemory-policy allkeys-lru\n\n# b\ndir /data\n",
			"# a\nmaxmemory 256mb\nmaxmemory-policy allkeys-lru\nactive-defrag yes\n\n# b\ndir /data\n"},
		"no policy":         {"dir /data\n", "dir /data\nactive-defrag yes\n"},
		"policy at the end": {"maxmemory-policy allkeys-lru", "maxmemory-policy allkeys-lru\nactive-defrag yes\n"},
		"empty":             {"", "active-defrag yes\n"},
	}
	for name, c := range cases {
		if got := addRefusedLine(c[0]); got != c[1] {
			t.Errorf("%s:\ngot  %q\nwant %q", name, got, c[1])
		}
	}
}

func template() *corev1.PodTemplateSpec {
	memory := corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("128Mi"), corev1.ResourceCPU: resource.MustParse("25m")}
	return &corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{
		{Name: "exporter", Command: []string{"exporter"}},
		{Name: "redis", Command: []string{"redis-server", "/etc/redis.conf"}, Resources: corev1.ResourceRequirements{Requests: memory}},
	}}}
}

func TestSetSmallLimitLowersTheRequestToo(t *testing.T) {
	changed := template()
	setSmallLimit(changed)
	redis := changed.Spec.Containers[1].Resources
	if got := redis.Limits.Memory().String(); got != smallLimit {
		t.Errorf("limit is %s", got)
	}
	if got := redis.Requests.Memory().String(); got != smallLimit {
		t.Errorf("request is %s", got)
	}
	if got := redis.Requests.Cpu().String(); got != "25m" {
		t.Errorf("the CPU request is %s now", got)
	}
	if got := changed.Spec.Containers[0].Resources.Limits; got != nil {
		t.Errorf("another container has the limits %v", got)
	}
}

// TestBulkLiesBetweenTheLimitAndMaxmemory: below the limit nothing is killed,
// above maxmemory the sessions are evicted instead.
func TestBulkLiesBetweenTheLimitAndMaxmemory(t *testing.T) {
	limit := resource.MustParse(smallLimit)
	if need := int64(bulk * bulkSession); need < limit.Value()*5/4 || need > 200<<20 {
		t.Errorf("the sessions need %d bytes with a limit of %d", need, limit.Value())
	}
}

func TestUseOtherServerChangesTheProgramAlone(t *testing.T) {
	changed := template()
	useOtherServer(changed)
	if got, want := changed.Spec.Containers[1].Command, []string{otherServer, "/etc/redis.conf"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := changed.Spec.Containers[0].Command[0]; got != "exporter" {
		t.Errorf("another container runs %s now", got)
	}
}

func TestUseAbsentTagChangesTheTagAlone(t *testing.T) {
	for old, want := range map[string]string{
		"redis":                       "redis:" + absentTag,
		"lab.local/redis:7.0.15":      "lab.local/redis:" + absentTag,
		"registry.local:5000/redis":   "registry.local:5000/redis:" + absentTag,
		"registry.local:5000/redis:7": "registry.local:5000/redis:" + absentTag,
	} {
		changed := template()
		changed.Spec.Containers[0].Image, changed.Spec.Containers[1].Image = old, old
		useAbsentTag(changed)
		if got := changed.Spec.Containers[1].Image; got != want {
			t.Errorf("%s becomes %s, want %s", old, got, want)
		}
		if got := changed.Spec.Containers[0].Image; got != old {
			t.Errorf("another container has the image %s now", got)
		}
	}
}

func TestSetHugeMemoryRaisesTheLimitTooAndKeepsTheRest(t *testing.T) {
	changed := template()
	before := changed.Spec.Containers[1].Resources.Requests
	setHugeMemory(changed)
	redis := changed.Spec.Containers[1].Resources
	if got := redis.Requests.Memory().String(); got != hugeMemory {
		t.Errorf("request is %s", got)
	}
	if got := redis.Limits.Memory().String(); got != hugeMemory {
		t.Errorf("limit is %s", got)
	}
	if got := redis.Requests.Cpu().String(); got != "25m" {
		t.Errorf("the CPU request is %s now", got)
	}
	if got := before.Memory().String(); got != "128Mi" {
		t.Errorf("the list that it was made of says %s now", got)
	}
}
