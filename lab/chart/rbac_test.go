package chart

import (
	"bytes"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"

	"redis-session-bot/lab/live"
)

// TestTheRolesAreThoseOfBotRBAC: the bot itself, given the rendered configuration,
// prints what the chart grants, and no more.
func TestTheRolesAreThoseOfBotRBAC(t *testing.T) {
	bot, err := live.Bot()
	if err != nil {
		t.Fatal(err)
	}
	hold := func(t *testing.T, values map[string]any) {
		t.Helper()
		command := exec.CommandContext(t.Context(), bot, "rbac", "--config", configuration(t, values), "--service-account", namespace+"/"+release)
		printed, err := command.Output()
		if err != nil {
			t.Fatalf("bot rbac: %v", err)
		}
		var wanted []runtime.Object
		for document := range bytes.SplitSeq(printed, []byte("---\n")) {
			if len(document) == 0 {
				continue
			}
			object, _, err := scheme.Codecs.UniversalDeserializer().Decode(document, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			wanted = append(wanted, object)
		}
		want, got := granted(t, wanted), granted(t, objects(t, values))
		if len(want) < 20 {
			t.Fatalf("bot rbac grants %d things", len(want))
		}
		for _, one := range want {
			if !slices.Contains(got, one) {
				t.Errorf("not granted: %s", one)
			}
		}
		for _, one := range got {
			if !slices.Contains(want, one) {
				t.Errorf("granted for nothing: %s", one)
			}
		}
	}
	each(t, hold)
	for name, text := range map[string]string{
		"two in one namespace": "config: {targets: [{name: a, workload: a, config: a-conf}, {name: b, workload: b, secret: b-auth, backup: b}]}",
		"one name for two":     "config: {targets: [{name: a, config: same, app_config: same}]}",
		"the store beside":     "config: {store: {kind: kubernetes}, targets: [{name: a, namespace: " + namespace + "}]}",
	} {
		t.Run(name, func(t *testing.T) { hold(t, parse(t, text)) })
	}
}

// granted lists what the bot's account may do: "NAMESPACE VERB GROUP/RESOURCE NAME".
func granted(t *testing.T, all []runtime.Object) []string {
	t.Helper()
	rules := map[string][]rbacv1.PolicyRule{}
	for _, role := range of[*rbacv1.Role](all) {
		rules["Role "+role.Namespace+"/"+role.Name] = role.Rules
	}
	for _, role := range of[*rbacv1.ClusterRole](all) {
		rules["ClusterRole /"+role.Name] = role.Rules
	}
	may := map[string]bool{}
	grant := func(in string, ref rbacv1.RoleRef, subjects []rbacv1.Subject) {
		if len(subjects) != 1 || subjects[0] != (rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: release}) {
			t.Errorf("it is granted to %v", subjects)
		}
		found, there := rules[ref.Kind+" "+in+"/"+ref.Name]
		if !there {
			t.Errorf("%s %s is bound, and not there", ref.Kind, ref.Name)
		}
		for _, rule := range found {
			names := rule.ResourceNames
			if len(names) == 0 {
				names = []string{"*"}
			}
			for _, verb := range rule.Verbs {
				for _, resource := range rule.Resources {
					for _, name := range names {
						may[fmt.Sprintf("%s %s %s/%s %s", in, verb, strings.Join(rule.APIGroups, ","), resource, name)] = true
					}
				}
			}
		}
	}
	for _, binding := range of[*rbacv1.RoleBinding](all) {
		grant(binding.Namespace, binding.RoleRef, binding.Subjects)
	}
	for _, binding := range of[*rbacv1.ClusterRoleBinding](all) {
		grant("", binding.RoleRef, binding.Subjects)
	}
	for one := range may { // who may do something to all objects may do it to each
		if at := strings.LastIndex(one, " "); !strings.HasSuffix(one, " *") && may[one[:at]+" *"] {
			delete(may, one)
		}
	}
	return slices.Sorted(maps.Keys(may))
}

// TestWhatTheChartDoesNotGrant: a target of another cluster gets no Role here, an
// own runbook the rules that it was given, and nothing is made where that is asked.
func TestWhatTheChartDoesNotGrant(t *testing.T) {
	far := objects(t, parse(t, "kubeconfig: {secret: fleet}\nconfig: {targets: [{name: here, namespace: a}, {name: there, namespace: b, context: eu}]}"))
	for _, role := range of[*rbacv1.Role](far) {
		if role.Namespace != "a" {
			t.Errorf("a Role in %s", role.Namespace)
		}
	}
	own := objects(t, parse(t, "runbook: {configMap: mine}\nconfig: {targets: [{name: a, namespace: a}]}\nrbac: {rules: [{apiGroups: [''], resources: [pods], verbs: [list]}], cluster: false}"))
	if role := only[*rbacv1.Role](t, own); len(role.Rules) != 1 || role.Rules[0].Resources[0] != "pods" {
		t.Errorf("%+v", role.Rules)
	}
	if len(of[*rbacv1.ClusterRole](own)) > 0 {
		t.Error("a ClusterRole that nobody wants")
	}
	none := objects(t, parse(t, "rbac: {create: false}\nconfig: {store: {kind: kubernetes}}"))
	if len(of[*rbacv1.Role](none))+len(of[*rbacv1.RoleBinding](none))+len(of[*rbacv1.ClusterRole](none))+len(of[*rbacv1.ClusterRoleBinding](none)) > 0 {
		t.Error("roles are made that nobody wants")
	}
}
