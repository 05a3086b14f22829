package k8s

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"redis-session-bot/internal/audit"
	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/evidence"
)

func TestBudgetsOf(t *testing.T) {
	share, none := intstr.FromString("50%"), intstr.FromInt32(0)
	one := func(name, app string, spec policyv1.PodDisruptionBudgetSpec) policyv1.PodDisruptionBudget {
		spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
		return policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
	}
	all := []policyv1.PodDisruptionBudget{
		one("share", "store", policyv1.PodDisruptionBudgetSpec{MinAvailable: &share}),
		one("none", "store", policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &none}),
		one("bare", "store", policyv1.PodDisruptionBudgetSpec{}),
		one("others", "agent", policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &none}),
		{ObjectMeta: metav1.ObjectMeta{Name: "selects nothing"}, Spec: policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &none}},
	}
	want := []audit.Budget{{Name: "share", Rule: "minAvailable 50%", Allows: 1}, {Name: "none", Rule: "maxUnavailable 0"}, {Name: "bare", Rule: "no rule", Allows: 3}}
	if diff := cmp.Diff(want, budgetsOf(all, map[string]string{"app": "store"}, 3)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestJobsOf(t *testing.T) {
	suspended, succeeded := true, metav1.NewTime(time.Unix(1000, 0).UTC())
	job := func(name string, claims ...string) batchv1.CronJob {
		one := batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: batchv1.CronJobSpec{Schedule: "@daily", Suspend: &suspended},
			Status: batchv1.CronJobStatus{LastSuccessfulTime: &succeeded}}
		for _, claim := range claims {
			one.Spec.JobTemplate.Spec.Template.Spec.Volumes = append(one.Spec.JobTemplate.Spec.Template.Spec.Volumes,
				corev1.Volume{VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim}}})
		}
		return one
	}
	got := jobsOf([]batchv1.CronJob{job("copy", "redis-data", "scratch"), job("other", "scratch"), job("plain")}, []string{"redis-data", "backups"})
	want := []audit.Job{{Name: "copy", Schedule: "@daily", Suspended: true, Claims: []string{"redis-data"}, Succeeded: succeeded.Time}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestAuditWithoutRights: each source that is refused is unknown, with the rule
// to add, and no point is well because of it.
func TestAuditWithoutRights(t *testing.T) {
	now := time.Now()
	server := namespace(now)
	server.forbidden = []string{"/poddisruptionbudgets", "/cronjobs"}
	target := testTarget
	cluster := server.cluster(t, now)
	cluster.Prober = deaf{}
	facts, err := cluster.Audit(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	for source, rule := range map[string]string{audit.SourceBudgets: `list poddisruptionbudgets.policy. Add to its Role in ns: {apiGroups: ["policy"], resources: [poddisruptionbudgets], verbs: [list]}.`,
		audit.SourceJobs: `list cronjobs.batch. Add to its Role in ns: {apiGroups: ["batch"], resources: [cronjobs], verbs: [list]}.`} {
		if says := facts.Unknown[source]; !strings.Contains(says, "The bot may not "+rule) {
			t.Errorf("%s: %q", source, says)
		}
	}
	for _, point := range audit.Judge(facts).Points {
		if point.Status == checks.OK {
			t.Errorf("%s is well: %s", point.ID, point.Says)
		}
		for _, canary := range []string{canarySecret, canaryConf, canaryEnv, canaryArg} {
			if strings.Contains(point.Says+strings.Join(point.Proof, " "), canary) {
				t.Errorf("%s says a secret: %+v", point.ID, point)
			}
		}
	}
	for _, asked := range server.asked {
		if !strings.HasPrefix(asked, "GET ") {
			t.Errorf("an audit asks for %s", asked)
		}
	}
}

// deaf reaches no server.
type deaf struct{ Prober }

func (deaf) Inspect(context.Context, func(context.Context) (net.Conn, error), string, ...string) evidence.Server {
	return evidence.Server{Error: "connection refused", Sentinels: -1}
}

func TestAuditOfNothing(t *testing.T) {
	server := namespace(time.Now())
	target := testTarget
	target.Workload = "moon"
	if _, err := server.cluster(t, time.Now()).Audit(t.Context(), target); err == nil || !strings.Contains(err.Error(), "no StatefulSet moon in ns") {
		t.Errorf("%v", err)
	}
}
