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

// appliedConf is a ConfigMap that kubectl apply wrote, and somebody has edited since.
func appliedConf(applied, now string) *corev1.ConfigMap {
	kept, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "conf", "annotations": map[string]string{}}, "data": map[string]string{"redis.conf": applied, "other": "y"}})
	if err != nil {
		panic(err) // maps of strings marshal
	}
	configMap := confOf(now)
	configMap.Annotations = map[string]string{lastApplied: string(kept)}
	return configMap
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
		"drop a line":           {confOf(conf), changeConfig, `{"drop":[{"line":"3","directive":"active-defrag"}]}`, "drop line 3 (active-defrag) in conf"},
		"set in place":          {confOf(conf), changeConfig, `{"set":{"maxmemory":"1gb"}}`, "set maxmemory 1gb in conf"},
		"set what is not yet":   {confOf("a 1"), changeConfig, `{"set":{"appendonly":"yes"}}`, "set appendonly yes in conf"},
		"set in nothing":        {confOf(""), changeConfig, `{"set":{"appendonly":"yes"}}`, "set appendonly yes in conf"},
		"take what was applied": {appliedConf("save \"\"\nmaxmemory 1gb", conf), changeConfig, `{"applied":true}`, "take the version of redis.conf that kubectl apply last wrote in conf"},
		"raise a limit":         {deploymentWith("64Mi"), changeResources, `{"container":"redis","limits":{"memory":"1536Mi"}}`, "deployment/store of redis: memory limit 64Mi → 1536Mi"},
		"set a first limit":     {deploymentWith(""), changeResources, `{"container":"redis","limits":{"memory":"1Gi"}}`, "deployment/store of redis: memory limit none → 1Gi"},
		"take a limit away":     {deploymentWith("64Mi"), changeResources, `{"container":"redis","limits":{"memory":null}}`, "deployment/store of redis: memory limit 64Mi → none"},
		"restart":               {deploymentWith(""), changeRestart, `{}`, "restart deployment/store"},
		"add a probe":           {deploymentWith(""), changeProbe, `{"container":"redis","probe":"startup","port":"6379","periodSeconds":5,"failureThreshold":120}`, "add the startup probe of redis: connects to port 6379, gives up after 600 s"},
		"set a key":             {confOf(conf), changeSetting, `{"key":"session_backend","value":"memory"}`, "set session_backend in conf: none → memory"},
		"scale":                 {deploymentWith(""), changeReplicas, `{"replicas":3}`, "scale deployment/store 1 → 3"},
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
		"a line that has moved":       {confOf("a 1\nb 2\n"), changeConfig, `{"drop":[{"line":1,"directive":"b"}]}`, "Line 1 of the configuration is another one by now (it was: b)"},
		"a directive that is twice":   {confOf("a 1\na 2\n"), changeConfig, `{"drop":[{"directive":"a"}]}`, "2 lines with a"},
		"nothing was applied":         {confOf("a 1\n"), changeConfig, `{"applied":true}`, "keeps no version that kubectl apply wrote"},
		"applied without the key":     {&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "conf", Annotations: map[string]string{lastApplied: `{"data":{"other":"x"}}`}}, Data: map[string]string{"redis.conf": "a 1\n"}}, changeConfig, `{"applied":true}`, "has no key redis.conf"},
		"applied, and no JSON":        {&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "conf", Annotations: map[string]string{lastApplied: `{"data":`}}, Data: map[string]string{"redis.conf": "a 1\n"}}, changeConfig, `{"applied":true}`, "cannot be read"},
		"applied is what stands":      {appliedConf("a 1\n", "a 1\n"), changeConfig, `{"applied":true}`, "is what stands there now"},
		"applied, and misspelt":       {appliedConf("maxmemory-polciy allkeys-lru\n", "a 1\n"), changeConfig, `{"applied":true}`, "maxmemory-polciy, where maxmemory-policy is meant"},
		"applied, and refused":        {appliedConf("a 1\nmaxmemory 1Gi\n", "a 1\n"), changeConfig, `{"applied":true}`, "Redis would refuse line 2 of what kubectl apply last wrote to conf: maxmemory 1Gi: "},
		"applied, and unclosed":       {appliedConf("a 1\nsave \"3600 1\n", "a 1\n"), changeConfig, `{"applied":true}`, "line 2 of what kubectl apply last wrote to conf, too: its quotes do not close"},
		"applied, another password":   {appliedConf("requirepass old\n", "requirepass new\nb 1\n"), changeConfig, `{"applied":true}`, "it would change who may log in"},
		"applied, no password":        {appliedConf("a 1\n", "a 1\nmasterauth new\n"), changeConfig, `{"applied":true}`, "it would change who may log in"},
		"applied, another ACL file":   {appliedConf("aclfile /a\n", "aclfile /b\n"), changeConfig, `{"applied":true}`, "it would change who may log in"},
		"applied, another user":       {appliedConf("user a on >x\n", "a 1\n"), changeConfig, `{"applied":true}`, "it would change who may log in"},
		"applied beside an edit":      {appliedConf("a 1\n", "b 1\n"), changeConfig, `{"applied":true,"set":{"hz":"10"}}`, "give nothing beside it"},
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

// TestALineWhoseQuotesDoNotClose is found by its number, and no least
// configuration keeps it.
func TestALineWhoseQuotesDoNotClose(t *testing.T) {
	const broken = "port 6379\nsave \"3600 1\nhz 10\n"
	for args, want := range map[string]string{
		`{"drop":[{"line":2,"directive":"save"}]}`: "port 6379\nhz 10\n",
		`{"only":["port","save"]}`:                 "port 6379\n",
	} {
		object := confOf(broken)
		e, err := apply(t, object, changeConfig, args)
		if err != nil || object.Data["redis.conf"] != want {
			t.Fatalf("%s: %q, %v", args, object.Data["redis.conf"], err)
		}
		if undo(t, object, e.undo); object.Data["redis.conf"] != broken {
			t.Errorf("%s: came back as %q", args, object.Data["redis.conf"])
		}
	}
}

// TestTheLastPasswordStays: no plan opens the store to everybody.
func TestTheLastPasswordStays(t *testing.T) {
	for _, test := range []struct {
		was, is, command string
		refused          bool
	}{
		{"requirepass a b\n", "hz 10\n", "", true},
		{"requirepass \"a\n", "", "", true},
		{"user a on >x\n", "", "--port", true},
		{"aclfile /a\n", "# none\n", "", true},
		{"requirepass a\nrequirepass b c\n", "requirepass a\n", "", false},
		{"requirepass \"a\n", "", "--requirepass", false},
		{"hz 10\n", "", "", false},
		{"requirepass \"\"\n", "", "", false},
	} {
		store := deploymentWith("")
		if test.command != "" {
			store.Spec.Template.Spec.Containers[0].Args = []string{test.command, "x"}
		}
		p := &planner{target: evidence.Target{Namespace: "shop", Workload: "store", Container: "redis", Config: "conf", ConfigKey: "redis.conf"},
			drafts: []*draft{{name: objectName{kindConfigMap, "conf"}, base: confOf(test.was), want: confOf(test.is)},
				{name: objectName{kindWorkload, "store"}, base: store, want: store}}}
		if err := p.guarded(); (err != nil) != test.refused {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

func TestAPasswordLineIsNotKept(t *testing.T) {
	e, err := apply(t, confOf("a 1\nrequirepass hunter2 extra\n"), changeConfig, `{"drop":[{"line":2,"directive":"requirepass"}]}`)
	if err != nil || len(e.undo) > 0 || !strings.Contains(e.noUndo, "password") {
		t.Errorf("%+v, %v", e, err)
	}
}

// TestAnAppliedFileLeavesPasswordsAlone: a password that stands in both versions
// is neither shown nor kept, and the way back leads around it.
func TestAnAppliedFileLeavesPasswordsAlone(t *testing.T) {
	const now = "maxmemory 1gb\nhzz 10\nRequirePass \"hunter2\"\nappendonly yes\nmasterauth hunter3\n"
	const applied = "maxmemory 512mb\nrequirepass hunter2\nappendonly yes\nmasterauth hunter3\nhz 10"
	for name, applied := range map[string]string{"written alike": strings.Replace(applied, "requirepass hunter2", "RequirePass \"hunter2\"", 1), "written otherwise": applied} {
		object := appliedConf(applied, now)
		e, err := apply(t, object, changeConfig, `{"applied":true}`)
		if err != nil || object.Data["redis.conf"] != applied || object.Data["other"] != "x" {
			t.Fatalf("%s: %q, %v", name, object.Data, err)
		}
		said, err := json.Marshal([]any{e.title, e.kubectl, e.undo})
		if err != nil || strings.Contains(string(said), "hunter") {
			t.Errorf("%s: %s, %v", name, said, err)
		}
		if name == "written otherwise" { // that line differs, so it would have to be kept
			if len(e.undo) > 0 || !strings.Contains(e.noUndo, "password") {
				t.Errorf("%s: %+v", name, e)
			}
			continue
		}
		undo(t, object, e.undo)
		if got := object.Data["redis.conf"]; got != now {
			t.Errorf("%s: came back as %q", name, got)
		}
	}
}

// TestTheWayBackIsExactToTheByte takes random files there and back.
func TestTheWayBackIsExactToTheByte(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"maxmemory 1gb", "  appendonly yes", "# a comment", "", "save 60 1", "\ttimeout 0", "maxmemory 2gb", "dir /data"}
	file := func() string {
		var lines []string
		for i := range random.IntN(8) {
			if lines = append(lines, pieces[random.IntN(len(pieces))]); i == 3 {
				lines = append(lines, "requirepass hunter2") // in both versions, or in none
			}
		}
		text := strings.Join(lines, "\n")
		if random.IntN(2) == 0 {
			text += "\n"
		}
		return text
	}
	edits := []string{`{"set":{"maxmemory":"3gb"}}`, `{"set":{"hz":"10"}}`, `{"set":{"maxmemory":"3gb","timeout":"5"}}`, `{"applied":true}`}
	applied := 0
	for range 4000 {
		text, args := file(), edits[random.IntN(len(edits))]
		object := appliedConf(file(), text)
		e, err := apply(t, object, changeConfig, args)
		if args == edits[3] {
			if err != nil {
				continue // it is the same, or the password stands in one alone
			}
			applied++
		}
		if err != nil || e.noUndo != "" {
			t.Fatal(err, e.noUndo)
		}
		undo(t, object, e.undo)
		if got := object.Data["redis.conf"]; got != text {
			t.Fatalf("%q came back as %q", text, got)
		}
	}
	if applied < 300 {
		t.Errorf("only %d applied files were taken", applied)
	}
}
