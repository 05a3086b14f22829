package k8s

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/incident"
)

var ownedAt = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)

// wrote is the entry of a field manager that wrote that long ago; ownedBy's
// object was made a day ago.
func wrote(manager string, by metav1.ManagedFieldsOperationType, ago time.Duration, fields string) metav1.ManagedFieldsEntry {
	at := metav1.NewTime(ownedAt.Add(-ago))
	return metav1.ManagedFieldsEntry{Manager: manager, Operation: by, Time: &at, FieldsV1: metav1.NewFieldsV1(fields)}
}

// ownedBy is a store whose limit a plan raises, and which it stops meanwhile
// where paused says so.
func ownedBy(t *testing.T, object any, change, args string, mark func(*metav1.ObjectMeta), paused ...int) changed {
	t.Helper()
	meta := metaOf(object)
	meta.Namespace, meta.CreationTimestamp = "ns", metav1.NewTime(ownedAt.Add(-24*time.Hour))
	mark(meta)
	c := changed{base: object, want: deepCopy(object), paused: paused}
	if _, err := apply(t, c.want, change, args); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestWhoWouldPutItBack: each owner is named, with what it puts back and what to
// do first; who does not set what is changed is not.
func TestWhoWouldPutItBack(t *testing.T) {
	const (
		ofLimit   = `{"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"redis\"}":{".":{},"f:resources":{"f:limits":{".":{},"f:memory":{}}}}}}}}}`
		ofImage   = `{"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"redis\"}":{".":{},"f:image":{}}}}}}}`
		ofSidecar = `{"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"exporter\"}":{"f:resources":{"f:limits":{"f:memory":{}}}}}}}}}`
	)
	apply, update := metav1.ManagedFieldsOperationApply, metav1.ManagedFieldsOperationUpdate
	labelled := func(pairs ...string) func(*metav1.ObjectMeta) {
		return func(meta *metav1.ObjectMeta) {
			meta.Labels = map[string]string{}
			for i := 0; i < len(pairs); i += 2 {
				meta.Labels[pairs[i]] = pairs[i+1]
			}
		}
	}
	annotated := func(key, value string) func(*metav1.ObjectMeta) {
		return func(meta *metav1.ObjectMeta) { meta.Annotations = map[string]string{key: value} }
	}
	managed := func(entries ...metav1.ManagedFieldsEntry) func(*metav1.ObjectMeta) {
		return func(meta *metav1.ObjectMeta) { meta.ManagedFields = entries }
	}
	both := func(marks ...func(*metav1.ObjectMeta)) func(*metav1.ObjectMeta) {
		return func(meta *metav1.ObjectMeta) {
			for _, mark := range marks {
				mark(meta)
			}
		}
	}
	referenced := func(kind, version string, controls bool) func(*metav1.ObjectMeta) {
		return func(meta *metav1.ObjectMeta) {
			meta.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: "sessions", APIVersion: version, Controller: &controls}}
		}
	}
	argo := annotated("argocd.argoproj.io/tracking-id", "sessions-prod:apps/Deployment:ns/store")
	tests := map[string]struct {
		mark  func(*metav1.ObjectMeta)
		says  string // "" for no warning
		first string
	}{
		"nobody":                     {mark: labelled("app", "store")},
		"Argo CD by its annotation":  {mark: argo, says: "Argo CD owns store (application sessions-prod): it may put resources.limits.memory of redis back at its next sync.", first: "argocd app set sessions-prod --sync-policy none"},
		"Argo CD by its own label":   {mark: labelled("argocd.argoproj.io/instance", "sessions"), says: "Argo CD owns store (application sessions): it may put"},
		"Argo CD by managed fields":  {mark: both(labelled("app.kubernetes.io/instance", "sessions"), managed(wrote("argocd-controller", update, time.Hour, ofLimit))), says: "Argo CD owns store (application sessions)"},
		"Argo CD sets no limit":      {mark: both(argo, managed(wrote("argocd-controller", apply, time.Hour, ofImage)))},
		"a chart that Argo CD has":   {mark: both(labelled("app.kubernetes.io/managed-by", "Helm"), argo), says: "Argo CD owns store"},
		"Flux, a Kustomization":      {mark: labelled("kustomize.toolkit.fluxcd.io/name", "sessions", "kustomize.toolkit.fluxcd.io/namespace", "flux-system"), says: "Flux owns store (Kustomization sessions): it may put resources.limits.memory of redis back at its next reconciliation.", first: "flux suspend kustomization sessions -n flux-system"},
		"Flux, a HelmRelease":        {mark: both(labelled("helm.toolkit.fluxcd.io/name", "sessions"), annotated("meta.helm.sh/release-name", "sessions")), says: "Flux owns store (HelmRelease sessions)", first: "flux suspend helmrelease sessions -n ns"},
		"Helm by its annotation":     {mark: annotated("meta.helm.sh/release-name", "sessions"), says: "Helm owns store (release sessions): it may put resources.limits.memory of redis back at its next upgrade.", first: "Change the values of the release too."},
		"Helm by its label":          {mark: labelled("app.kubernetes.io/managed-by", "Helm", "app.kubernetes.io/instance", "sessions"), says: "Helm owns store (release sessions)"},
		"Helm by managed fields":     {mark: managed(wrote("helm", update, time.Hour, ofLimit)), says: "Helm owns store (release unknown)"},
		"an operator's resource":     {mark: referenced("RedisFailover", "databases.spotahome.com/v1", false), says: "RedisFailover sessions (databases.spotahome.com/v1) owns store: it may put resources.limits.memory of redis back whenever its operator looks.", first: "Change RedisFailover sessions instead, or stop its operator first."},
		"a controller of Kubernetes": {mark: referenced("Something", "apps/v1", true), says: "Something sessions (apps/v1) owns store"},
		"who only takes it along":    {mark: referenced("ConfigMap", "v1", false)},
		"an operator's label":        {mark: labelled("app.kubernetes.io/managed-by", "redis-operator"), says: "redis-operator manages store (label app.kubernetes.io/managed-by)"},
		"kubectl by its label":       {mark: labelled("app.kubernetes.io/managed-by", "kubectl")},
		"who applies it":             {mark: managed(wrote("fleet", apply, 3*time.Hour, ofLimit)), says: "fleet wrote store 3 h ago, and the bot does not know it as a tool of a person's: it may put resources.limits.memory of redis back if it is an operator."},
		"who writes it again":        {mark: managed(wrote("manager", update, 5*time.Minute, ofLimit)), says: "manager wrote store 5 min ago"},
		"who made it once":           {mark: managed(wrote("manager", update, 24*time.Hour, ofLimit))},
		"who sets another field":     {mark: managed(wrote("manager", update, time.Hour, ofImage))},
		"who sets another container": {mark: managed(wrote("manager", update, time.Hour, ofSidecar))},
		"who writes the status": {mark: managed(func() metav1.ManagedFieldsEntry {
			e := wrote("manager", update, 0, ofLimit)
			e.Subresource = "status"
			return e
		}())},
		"a person's tools": {mark: managed(wrote("kubectl-edit", update, time.Hour, ofLimit), wrote("kubectl", apply, time.Hour, ofLimit), wrote(fieldManager, update, time.Hour, ofLimit),
			wrote("k9s", update, time.Hour, ofLimit), wrote("Mozilla", update, time.Hour, ofLimit), wrote("kube-controller-manager", update, time.Hour, ofLimit))},
		"one whose fields are not recorded": {mark: managed(metav1.ManagedFieldsEntry{Manager: "manager", Operation: apply})},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := ownedBy(t, deploymentWith("64Mi"), changeResources, `{"container":"redis","limits":{"memory":"1Gi"}}`, test.mark)
			p := &planner{Cluster: (&api{}).cluster(t, ownedAt), drafts: []*draft{{base: c.base, want: c.want}}}
			got := strings.Join(p.owned(t.Context(), nil), "\n")
			if test.says == "" && got != "" || !strings.Contains(got, test.says) || !strings.Contains(got, test.first) || strings.Contains(got, "\n") {
				t.Errorf("%q, want %q and %q", got, test.says, test.first)
			}
		})
	}
}

// TestWhatIsPutBack: the words are about what the plan changes, and about what it
// does meanwhile.
func TestWhatIsPutBack(t *testing.T) {
	argo := func(meta *metav1.ObjectMeta) { meta.Labels = map[string]string{"argocd.argoproj.io/instance": "app"} }
	setsAll := func(fields string) func(*metav1.ObjectMeta) {
		return func(meta *metav1.ObjectMeta) {
			argo(meta)
			meta.ManagedFields = []metav1.ManagedFieldsEntry{wrote("argocd-controller", metav1.ManagedFieldsOperationApply, time.Hour, fields)}
		}
	}
	const deployment, file = `{"container":"redis","limits":{"memory":"1Gi"}}`, `{"set":{"maxmemory":"1gb"}}`
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "store", Labels: map[string]string{"argocd.argoproj.io/instance": "app"}}, Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "other"}}}
	selects := service.DeepCopy()
	selects.Spec.Selector["app"] = "store"
	for name, test := range map[string]struct {
		c    changed
		says string
	}{
		"a line of a file":     {ownedBy(t, confOf("a 1\n"), changeConfig, file, argo), "Argo CD owns conf (application app): it may put redis.conf back at its next sync."},
		"a key that it sets":   {ownedBy(t, confOf("a 1\n"), changeConfig, file, setsAll(`{"f:data":{".":{},"f:redis.conf":{}}}`)), "redis.conf back"},
		"a key that it leaves": {ownedBy(t, confOf("a 1\n"), changeConfig, file, setsAll(`{"f:data":{".":{},"f:other":{}}}`)), ""},
		"a selector":           {changed{base: service, want: selects}, "put selector.app back"},
		"a number of pods":     {ownedBy(t, deploymentWith(""), changeReplicas, `{"replicas":3}`, argo), "put replicas back at its next sync."},
		"a restart":            {ownedBy(t, deploymentWith(""), changeRestart, `{}`, argo), ""},
		"a restart beside it":  {ownedBy(t, deploymentWith("64Mi"), changeResources, deployment, argo, 2), "it may scale it back up during step 2, and put resources.limits.memory of redis back at its next sync."},
		"a stop alone":         {ownedBy(t, deploymentWith(""), changeReplicas, `{"replicas":1}`, func(m *metav1.ObjectMeta) { argo(m) }, 2, 3), "it may scale it back up during steps 2 to 3"},
		"a stop it leaves":     {ownedBy(t, deploymentWith("64Mi"), changeResources, deployment, setsAll(`{"f:spec":{"f:template":{}}}`), 2), "app): it may put resources.limits.memory of redis back"},
		"a probe, field by field": {ownedBy(t, deploymentWith(""), changeProbe, `{"container":"redis","probe":"startup","port":"6379","periodSeconds":5,"failureThreshold":120}`, argo),
			"put startupProbe.failureThreshold of redis, startupProbe.periodSeconds of redis and 1 more field back"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			for _, one := range ownersOf(metaOf(test.c.base), ownedAt) {
				got += one.warning(test.c)
			}
			if test.says == "" && got != "" || !strings.Contains(got, test.says) {
				t.Errorf("%q, want %q", got, test.says)
			}
		})
	}
}

// TestAStopIsCounted: of a course, the writes between the stop and the start.
func TestAStopIsCounted(t *testing.T) {
	store, other := incident.Object{Kind: "Deployment", Name: "store"}, incident.Object{Kind: "ConfigMap", Name: "conf"}
	stop := incident.Write{Verb: incident.Update, Object: store, Await: incident.Gone}
	work := incident.Write{Verb: incident.Create, Object: incident.Object{Kind: "Pod", Name: "work"}}
	start := incident.Write{Verb: incident.Update, Object: store, Await: incident.Rollout}
	for name, test := range map[string]struct {
		writes []incident.Write
		want   []int
	}{
		"a course":            {[]incident.Write{stop, work, start}, []int{2}},
		"after another write": {[]incident.Write{{Verb: incident.Update, Object: other}, stop, work, work, start}, []int{3, 4}},
		"it was stopped":      {[]incident.Write{work, start}, nil},
		"it stays stopped":    {[]incident.Write{stop, work}, nil},
		"a rollout":           {[]incident.Write{start}, nil},
	} {
		if diff := cmp.Diff(test.want, pausedDuring(test.writes, store)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestAnAdviceIsGivenOnce: two objects of one owner are two warnings with one advice.
func TestAnAdviceIsGivenOnce(t *testing.T) {
	mark := func(meta *metav1.ObjectMeta) { meta.Labels = map[string]string{"argocd.argoproj.io/instance": "app"} }
	conf := ownedBy(t, confOf("a 1\n"), changeConfig, `{"set":{"maxmemory":"1gb"}}`, mark)
	store := ownedBy(t, deploymentWith("64Mi"), changeResources, `{"container":"redis","limits":{"memory":"1Gi"}}`, mark)
	p := &planner{Cluster: (&api{}).cluster(t, ownedAt), drafts: []*draft{{base: conf.base, want: conf.want}, {base: store.base, want: store.want}}}
	got := p.owned(t.Context(), nil)
	if len(got) != 2 || strings.Count(strings.Join(got, "\n"), "argocd app set") != 1 || !strings.Contains(got[1], "Argo CD owns store") {
		t.Errorf("%q", got)
	}
}
