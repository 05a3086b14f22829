package k8s

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

// rolledOut is a store of two revisions: the first was made five days ago and
// needs a file, a password and a certificate, the second an hour ago.
func rolledOut(t *testing.T, shape string, now time.Time) (objects map[string]any) {
	t.Helper()
	yes := true
	first := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "store"}}, Spec: corev1.PodSpec{
		Containers: []corev1.Container{{Name: "redis", Image: "redis:7.0", Env: []corev1.EnvVar{{Name: "REDIS_PASSWORD", ValueFrom: &corev1.EnvVarSource{
			SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "secrets"}, Key: "password"}}}}}},
		Volumes: []corev1.Volume{
			{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "conf"}}}},
			{Name: "tls", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "tls", Optional: &yes}}},
		}}}
	second := *first.DeepCopy()
	second.Spec.Containers[0].Image = "redis:broken"
	at := func(ago time.Duration) metav1.Time { return metav1.NewTime(now.Add(-ago)) }
	meta := func(name string, ago time.Duration) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: name, Namespace: "ns", UID: types.UID(name), Labels: map[string]string{"app": "store"}, CreationTimestamp: at(ago),
			OwnerReferences: []metav1.OwnerReference{{Kind: shape, Name: "store", UID: "store", Controller: &yes}}}
	}
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "store"}}
	own := meta("store", 5*24*time.Hour)
	own.OwnerReferences = nil
	objects = map[string]any{
		"/api/v1/namespaces/ns/configmaps/conf": corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "conf", CreationTimestamp: at(5 * 24 * time.Hour)}, Data: map[string]string{"redis.conf": "x"}},
		"/api/v1/namespaces/ns/secrets/secrets": corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "secrets", CreationTimestamp: at(5*24*time.Hour - 10*time.Second)}, Data: map[string][]byte{"password": []byte("x")}},
	}
	for number, template := range map[int64]corev1.PodTemplateSpec{1: first, 2: second} {
		made := map[int64]time.Duration{1: 5 * 24 * time.Hour, 2: time.Hour}[number]
		if shape == evidence.KindDeployment {
			list, _ := objects["/apis/apps/v1/namespaces/ns/replicasets"].(appsv1.ReplicaSetList)
			set := appsv1.ReplicaSet{ObjectMeta: meta("store-"+strconv.FormatInt(number, 10), made), Spec: appsv1.ReplicaSetSpec{Template: template, Selector: selector}}
			set.Annotations = map[string]string{evidence.RevisionAnnotation: strconv.FormatInt(number, 10)}
			list.Items = append(list.Items, set)
			objects["/apis/apps/v1/namespaces/ns/replicasets"] = list
			continue
		}
		list, _ := objects["/apis/apps/v1/namespaces/ns/controllerrevisions"].(appsv1.ControllerRevisionList)
		patch, err := json.Marshal(map[string]any{"spec": map[string]any{"template": template}})
		if err != nil {
			t.Fatal(err)
		}
		list.Items = append(list.Items, appsv1.ControllerRevision{ObjectMeta: meta("store-"+strconv.FormatInt(number, 10), made), Revision: number, Data: runtime.RawExtension{Raw: patch}})
		objects["/apis/apps/v1/namespaces/ns/controllerrevisions"] = list
	}
	if shape == evidence.KindDeployment {
		objects["/apis/apps/v1/namespaces/ns/deployments/store"] = appsv1.Deployment{ObjectMeta: own, Spec: appsv1.DeploymentSpec{Selector: selector, Template: second}}
	} else {
		objects["/apis/apps/v1/namespaces/ns/statefulsets/store"] = appsv1.StatefulSet{ObjectMeta: own, Spec: appsv1.StatefulSetSpec{Selector: selector, Template: second}}
	}
	return objects
}

// TestARollbackSaysWhatItDoesNotBringBack: what the revision needs and what of it
// is not as it was then, on both shapes, beside the diff of what comes back.
func TestARollbackSaysWhatItDoesNotBringBack(t *testing.T) {
	now := time.Date(2026, 1, 10, 3, 0, 0, 0, time.UTC)
	written := func(ago time.Duration, fields string) []metav1.ManagedFieldsEntry {
		at := metav1.NewTime(now.Add(-ago))
		return []metav1.ManagedFieldsEntry{{Manager: "kubectl-edit", Time: &at, FieldsV1: metav1.NewFieldsV1(fields)}}
	}
	const conf, secret = "/api/v1/namespaces/ns/configmaps/conf", "/api/v1/namespaces/ns/secrets/secrets"
	const always = "A rollback brings back the pod template alone. Revision 1 needs ConfigMap conf, Secret tls and Secret secrets: they stay as they are"
	for name, test := range map[string]struct {
		spoil func(server *api)
		says  []string // beside what is always said
	}{
		"all as it was": {spoil: func(*api) {}},
		"a file changed since": {spoil: func(server *api) {
			server.objects[conf] = corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "conf", ManagedFields: written(2*time.Hour, `{"f:data":{"f:redis.conf":{}}}`)}}
		}, says: []string{"ConfigMap conf was changed by kubectl-edit 2 h ago, after revision 1 was made (5 days ago): the two may not fit"}},
		"a label put on it since": {spoil: func(server *api) {
			server.objects[conf] = corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "conf", ManagedFields: written(2*time.Hour, `{"f:metadata":{"f:labels":{}}}`)}}
		}},
		"a password changed since": {spoil: func(server *api) {
			server.objects[secret] = corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "secrets", ManagedFields: written(3*time.Minute, `{"f:data":{"f:password":{}}}`)}, Data: map[string][]byte{"password": {}}}
		}, says: []string{"Secret secrets was changed by kubectl-edit 3 min ago, after revision 1 was made (5 days ago)"}},
		"made anew since": {spoil: func(server *api) {
			server.objects[conf] = corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "conf", CreationTimestamp: metav1.NewTime(now.Add(-3 * time.Hour))}}
		}, says: []string{"ConfigMap conf was changed 3 h ago, after"}},
		"a file that is gone": {spoil: func(server *api) { delete(server.objects, conf) },
			says: []string{"Revision 1 needs ConfigMap conf, which is gone: its pods cannot start before it is there again"}},
		"a key that is gone": {spoil: func(server *api) {
			server.objects[secret] = corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "secrets"}}
		},
			says: []string{"Revision 1 needs the key password of Secret secrets, which is gone"}},
		"what the bot may not read": {spoil: func(server *api) { server.forbidden = []string{"/secrets/"} },
			says: []string{"Whether Secret tls is as it was when revision 1 was made is not known: ", "Whether Secret secrets is as it was when revision 1 was made is not known: "}},
	} {
		for _, shape := range []string{evidence.KindDeployment, evidence.KindStatefulSet} {
			t.Run(name+" on "+shape, func(t *testing.T) {
				server := &api{objects: rolledOut(t, shape, now)}
				test.spoil(server)
				p := &planner{Cluster: server.cluster(t, now), target: changeTarget, redactor: &objectRedactor{}}
				if err := p.add(t.Context(), runbook.Change{Kind: changeRollBack, Args: json.RawMessage(`{}`)}); err != nil {
					t.Fatal(err)
				}
				if len(p.warnings) != len(test.says)+1 || p.warnings[len(test.says)] != always {
					t.Fatalf("%q", p.warnings)
				}
				for i, want := range test.says {
					if !strings.Contains(p.warnings[i], want) {
						t.Errorf("%q, want %q", p.warnings[i], want)
					}
				}
				diff, err := diffOf(changeTarget, p.drafts[0].base, p.drafts[0].want)
				if err != nil || !strings.Contains(diff, "-        image: redis:broken") || !strings.Contains(diff, "+        image: redis:7.0") {
					t.Errorf("%v\n%s", err, diff)
				}
			})
		}
	}
}

// TestARevisionThatIsNotThere is refused with those that are.
func TestARevisionThatIsNotThere(t *testing.T) {
	now := time.Now()
	server := &api{objects: rolledOut(t, evidence.KindDeployment, now)}
	p := &planner{Cluster: server.cluster(t, now), target: changeTarget}
	err := p.add(t.Context(), runbook.Change{Kind: changeRollBack, Args: json.RawMessage(`{"revision":7}`)})
	if !isRefusal(err) || !strings.Contains(err.Error(), "deployment/store has no revision 7. It has 2 and 1.") {
		t.Errorf("%v", err)
	}
}

// TestWhatATemplateNeeds: each object once, with the keys that must be there.
func TestWhatATemplateNeeds(t *testing.T) {
	yes := true
	pod := corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		InitContainers: []corev1.Container{{EnvFrom: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "a"}, Optional: &yes}}}}},
		Containers: []corev1.Container{{Env: []corev1.EnvVar{{Value: "x"}, {ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: "a"}, Key: "k"}}}}, EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}}}}}},
		Volumes: []corev1.Volume{{VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}, {VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "p"}, Items: []corev1.KeyToPath{{Key: "i"}}}},
			{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "q"}, Optional: &yes, Items: []corev1.KeyToPath{{Key: "j"}}}}}}}}}}}
	var got []string
	for _, one := range needsOf(&pod) {
		optional := ""
		if one.optional {
			optional = "?"
		}
		got = append(got, one.kind+"/"+one.name+optional+" "+strings.Join(one.keys, ","))
	}
	if want := "ConfigMap/p i; Secret/q? ; ConfigMap/a k; Secret/s "; strings.Join(got, "; ") != want {
		t.Errorf("%q, want %q", strings.Join(got, "; "), want)
	}
}
