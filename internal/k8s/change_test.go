package k8s

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

var changeTarget = evidence.Target{Namespace: "ns", Workload: "store", Config: "conf", ConfigKey: "redis.conf"}

func confOf(text string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "conf"}, Data: map[string]string{"redis.conf": text, "other": "x"}}
}

func deploymentWith(memory string) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "store"}}
	d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "redis"}}
	if memory != "" {
		d.Spec.Template.Spec.Containers[0].Resources.Limits = corev1.ResourceList{"memory": resource.MustParse(memory)}
	}
	return d
}

// apply edits an object by a change and returns what the edit tells.
func apply(t *testing.T, object any, kind, args string) (edited, error) {
	t.Helper()
	change := changes()[kind]
	if err := change.validate(json.RawMessage(args)); err != nil {
		return edited{}, err
	}
	c := &Cluster{Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }}
	resolved := json.RawMessage(args)
	if kind == changeRestart {
		var err error
		if resolved, err = change.resolve(t.Context(), c, changeTarget, resolved); err != nil {
			return edited{}, err
		}
	}
	return change.edit(t.Context(), c, changeTarget, object, resolved)
}

func undo(t *testing.T, object any, changes []runbook.Change) {
	t.Helper()
	for _, change := range changes {
		if _, err := apply(t, object, change.Kind, string(change.Args)); err != nil {
			t.Fatalf("undo %s %s: %v", change.Kind, change.Args, err)
		}
	}
}

func TestEachChangeAndItsWayBack(t *testing.T) {
	conf := "# memory\nmaxmemory 256mb\nactive-defrag yes\nsave \"\"\n"
	tests := map[string]struct {
		object any
		kind   string
		args   string
		title  string
	}{
		"drop a line":         {confOf(conf), changeConfig, `{"drop":[{"line":"3","directive":"active-defrag"}]}`, "drop line 3 (active-defrag) in conf"},
		"set in place":        {confOf(conf), changeConfig, `{"set":{"maxmemory":"1gb"}}`, "set maxmemory 1gb in conf"},
		"set what is not yet": {confOf("a 1"), changeConfig, `{"set":{"appendonly":"yes"}}`, "set appendonly yes in conf"},
		"set in nothing":      {confOf(""), changeConfig, `{"set":{"appendonly":"yes"}}`, "set appendonly yes in conf"},
		"raise a limit":       {deploymentWith("64Mi"), changeResources, `{"container":"redis","limits":{"memory":"1536Mi"}}`, "deployment/store of redis: memory limit 64Mi → 1536Mi"},
		"set a first limit":   {deploymentWith(""), changeResources, `{"container":"redis","limits":{"memory":"1Gi"}}`, "deployment/store of redis: memory limit none → 1Gi"},
		"take a limit away":   {deploymentWith("64Mi"), changeResources, `{"container":"redis","limits":{"memory":null}}`, "deployment/store of redis: memory limit 64Mi → none"},
		"restart":             {deploymentWith(""), changeRestart, `{}`, "restart deployment/store"},
		"add a probe":         {deploymentWith(""), changeProbe, `{"container":"redis","probe":"startup","port":"6379","periodSeconds":5,"failureThreshold":120}`, "add the startup probe of redis: connects to port 6379, gives up after 600 s"},
		"set a key":           {confOf(conf), changeSetting, `{"key":"session_backend","value":"memory"}`, "set session_backend in conf: none → memory"},
		"scale":               {deploymentWith(""), changeReplicas, `{"replicas":3}`, "scale deployment/store 1 → 3"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := deepCopy(test.object)
			e, err := apply(t, test.object, test.kind, test.args)
			if err != nil || e.title != test.title {
				t.Fatalf("%q, %v; want %q", e.title, err, test.title)
			}
			if cmp.Equal(before, test.object) {
				t.Error("nothing was changed")
			}
			undo(t, test.object, e.undo)
			if d, ok := before.(*appsv1.Deployment); ok && d.Spec.Replicas == nil && test.kind == changeReplicas {
				one := int32(1) // the API server writes the default itself
				d.Spec.Replicas = &one
			}
			if diff := cmp.Diff(before, test.object); diff != "" {
				t.Errorf("after the way back:\n%s", diff)
			}
		})
	}
}

func TestChangesAreRefusedBeforeTheClick(t *testing.T) {
	limited := deploymentWith("64Mi")
	limited.Spec.Template.Spec.Containers[0].Resources.Requests = corev1.ResourceList{"memory": resource.MustParse("1Gi")}
	immutable := confOf("a 1\n")
	yes := true
	immutable.Immutable = &yes
	tests := map[string]struct {
		object     any
		kind, args string
		want       string
	}{
		"a value Redis refuses":       {confOf(""), changeConfig, `{"set":{"maxmemory":"512Mi"}}`, "not an amount of memory"},
		"a policy Redis refuses":      {confOf(""), changeConfig, `{"set":{"maxmemory-policy":"lru"}}`, "use one of noeviction"},
		"a secret":                    {confOf(""), changeConfig, `{"set":{"requirepass":"x"}}`, "holds a secret"},
		"a line that has moved":       {confOf("a 1\nb 2\n"), changeConfig, `{"drop":[{"line":1,"directive":"b"}]}`, "is not b any more"},
		"a directive that is twice":   {confOf("a 1\na 2\n"), changeConfig, `{"drop":[{"directive":"a"}]}`, "2 lines with a"},
		"an immutable ConfigMap":      {immutable, changeConfig, `{"drop":[{"directive":"a"}]}`, "immutable"},
		"nothing to do":               {confOf(""), changeConfig, `{}`, "changes nothing"},
		"an unknown argument":         {confOf(""), changeConfig, `{"sett":{}}`, "unknown field"},
		"a limit below the request":   {limited, changeResources, `{"container":"redis","limits":{"memory":"512Mi"}}`, "below the request 1Gi"},
		"no such container":           {deploymentWith(""), changeResources, `{"container":"web","limits":{"memory":"1Gi"}}`, "no container web"},
		"an amount that is none":      {deploymentWith(""), changeResources, `{"container":"redis","limits":{"memory":"much"}}`, "not an amount"},
		"a resource that is none":     {deploymentWith(""), changeResources, `{"container":"redis","limits":{"disk":"1Gi"}}`, "unknown resource"},
		"a probe that is none":        {deploymentWith(""), changeProbe, `{"container":"redis","probe":"alive","port":1}`, "use liveness, readiness or startup"},
		"a probe that asks nothing":   {deploymentWith(""), changeProbe, `{"container":"redis","probe":"startup"}`, "it changes nothing"},
		"a probe of two kinds":        {deploymentWith(""), changeProbe, `{"container":"redis","probe":"startup","port":1,"like":"liveness"}`, "one of like, command and port"},
		"a probe like none":           {deploymentWith(""), changeProbe, `{"container":"redis","probe":"startup","like":"liveness"}`, "no liveness probe to take over"},
		"a key without its value":     {confOf(""), changeSetting, `{"key":"a"}`, "null takes the key away"},
		"a key that is not there":     {confOf(""), changeSetting, `{"key":"a","value":null}`, "has no key a"},
		"fewer than no replicas":      {deploymentWith(""), changeReplicas, `{"replicas":-1}`, "0 or more"},
		"a revision before the first": {deploymentWith(""), changeRollBack, `{"revision":-1}`, "1 or more"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := apply(t, test.object, test.kind, test.args); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("want %q, got %v", test.want, err)
			}
		})
	}
}

func TestAPasswordLineIsNotKept(t *testing.T) {
	e, err := apply(t, confOf("a 1\nrequirepass hunter2 extra\n"), changeConfig, `{"drop":[{"line":2,"directive":"requirepass"}]}`)
	if err != nil || len(e.undo) > 0 || !strings.Contains(e.noUndo, "password") {
		t.Errorf("%+v, %v", e, err)
	}
}

// TestTheWayBackIsExactToTheByte takes random files there and back.
func TestTheWayBackIsExactToTheByte(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"maxmemory 1gb", "  appendonly yes", "# a comment", "", "save 60 1", "\ttimeout 0", "maxmemory 2gb", "dir /data"}
	for range 2000 {
		var lines []string
		for range random.IntN(8) {
			lines = append(lines, pieces[random.IntN(len(pieces))])
		}
		text := strings.Join(lines, "\n")
		if random.IntN(2) == 0 {
			text += "\n"
		}
		object := confOf(text)
		e, err := apply(t, object, changeConfig, []string{`{"set":{"maxmemory":"3gb"}}`, `{"set":{"hz":"10"}}`, `{"set":{"maxmemory":"3gb","timeout":"5"}}`}[random.IntN(3)])
		if err != nil {
			t.Fatal(err)
		}
		undo(t, object, e.undo)
		if got := object.Data["redis.conf"]; got != text {
			t.Fatalf("%q came back as %q", text, got)
		}
	}
}
