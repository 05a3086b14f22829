package k8s

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	sigsyaml "sigs.k8s.io/yaml"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/runbook"
)

// Account is the ServiceAccount that the bot runs as.
type Account struct {
	Namespace, Name string
	Store           string // the namespace where it keeps incidents; "" where it keeps them in a file
}

// RBAC is the least that the bot needs for these targets and this runbook, as
// manifests: a Role and its RoleBinding in each target's namespace, and a
// ClusterRole for what belongs to none. Each rule says by a comment what needs it.
func RBAC(book *runbook.Runbook, targets []evidence.Target, account Account, extra Extra) ([]byte, error) {
	granted := grantsFor(book, targets, account.Store, extra)
	var all []any
	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: account.Namespace, Name: account.Name}}
	meta := func(namespace string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: account.Name, Labels: map[string]string{labelManagedBy: fieldManager}}
	}
	for _, namespace := range granted.namespaces {
		all = append(all, rbacv1.Role{TypeMeta: typeMeta("Role"), ObjectMeta: meta(namespace), Rules: rulesFor(granted.in[namespace])},
			rbacv1.RoleBinding{TypeMeta: typeMeta("RoleBinding"), ObjectMeta: meta(namespace), Subjects: subjects,
				RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: account.Name}})
	}
	if len(granted.whole) > 0 {
		everywhere := meta("")
		everywhere.Name = account.Namespace + ":" + account.Name
		all = append(all, rbacv1.ClusterRole{TypeMeta: typeMeta("ClusterRole"), ObjectMeta: everywhere, Rules: rulesFor(granted.whole)},
			rbacv1.ClusterRoleBinding{TypeMeta: typeMeta("ClusterRoleBinding"), ObjectMeta: everywhere, Subjects: subjects,
				RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: everywhere.Name}})
	}
	var out bytes.Buffer
	for _, one := range all {
		text, err := withReasons(one, slices.Concat(granted.in[namespaceOf(one)], granted.whole))
		if err != nil {
			return nil, err
		}
		out.WriteString("---\n")
		out.Write(text)
	}
	return out.Bytes(), nil
}

// grants are what the Roles grant: in each namespace, and what belongs to none.
type grants struct {
	namespaces []string // in order
	in         map[string][]grounds
	whole      []grounds
}

// grantsFor is the least for these targets and this runbook, and for a store of
// incidents in a namespace; "" for none.
func grantsFor(book *runbook.Runbook, targets []evidence.Target, store string, extra Extra) grants {
	g := grants{in: map[string][]grounds{}}
	add := func(namespace string) {
		if !slices.Contains(g.namespaces, namespace) {
			g.namespaces = append(g.namespaces, namespace)
		}
	}
	for _, target := range targets {
		add(target.Namespace)
		for _, one := range append(groundsOf(book, target), extra.grounds(book)...) {
			if one.cluster {
				g.whole = append(g.whole, one)
			} else {
				g.in[target.Namespace] = append(g.in[target.Namespace], one)
			}
		}
	}
	if store != "" {
		add(store)
		for _, one := range keepsIncidents() {
			g.in[store] = append(g.in[store], grounds{one, "store"})
		}
	}
	return g
}

func typeMeta(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: kind}
}

func namespaceOf(object any) string {
	if role, ok := object.(rbacv1.Role); ok {
		return role.Namespace
	}
	return ""
}

// Extra is what the bot can do without.
type Extra struct {
	// DryRun lets it ask the API server about manifests that it has made. It
	// takes the right to create them, which the bot does not use.
	DryRun bool
}

func (e Extra) grounds(book *runbook.Runbook) (all []grounds) {
	if !e.DryRun || book.Audit == "" {
		return nil
	}
	for _, resource := range []string{"configmaps", "services", "pods", "poddisruptionbudgets.policy", "networkpolicies.networking.k8s.io", "statefulsets.apps"} {
		for _, one := range allow("create", resource) {
			all = append(all, grounds{one, "the dry run of ha"})
		}
	}
	return all
}

// grounds are a permission, and what of the runbook needs it.
type grounds struct {
	permission
	by string
}

// groundsOf is everything that the checks and the changes of a runbook need of
// one target.
func groundsOf(book *runbook.Runbook, target evidence.Target) []grounds {
	var all []grounds
	add := func(by string, permissions []permission) {
		for _, one := range permissions {
			if one := (grounds{one, by}); !slices.Contains(all, one) {
				all = append(all, one)
			}
		}
	}
	for _, step := range book.Steps {
		add("diagnosis", checkPermissions(step.Check, target))
	}
	for _, one := range book.Verification {
		add("verification", checkPermissions(one.Check, target))
	}
	for _, fix := range book.AllFixes() {
		for _, draft := range fix.Changes {
			add(draft.Kind, draftPermissions(draft, target))
			add("telling who made a change", announces())
		}
	}
	if book.Audit != "" {
		add("audit", auditPermissions(target))
		add("ha", haPermissions(target))
	}
	return all
}

// storePermissions is what it takes to know the store and the password that its
// clients have.
func storePermissions(target evidence.Target) []permission {
	return slices.Concat(
		allow("list", "deployments.apps"), allow("get", "deployments.apps", target.Workload), allow("get", "statefulsets.apps", target.Workload),
		allow("list", "pods"), named("get", "secrets", target.Secret), named("get", "configmaps", target.Config))
}

// auditPermissions is what an audit reads.
func auditPermissions(target evidence.Target) []permission {
	all := slices.Concat(storePermissions(target), opens("pods/portforward"), allow("list", "poddisruptionbudgets.policy"), allow("list", "cronjobs.batch"))
	if target.Backup != "" {
		all = append(all, readsVolume(target)...)
	}
	return all
}

// haPermissions is what is read of a store that manifests are made of.
func haPermissions(target evidence.Target) []permission {
	return slices.Concat(storePermissions(target), opens("pods/portforward"), named("get", "services", target.Service),
		allow("get", "persistentvolumeclaims"), allow("list", "networkpolicies.networking.k8s.io"), clusterWide("list", "nodes"))
}

// keepsIncidents is what the store does with objects of its own, whose names are
// not known before.
func keepsIncidents() []permission {
	return allow("get list watch create update patch delete", "configmaps")
}

// checkPermissions is what a check reads.
func checkPermissions(check string, target evidence.Target) []permission {
	all := slices.Concat(storePermissions(target), named("get", "deployments.apps", target.App))
	switch check {
	case CheckPods:
		return slices.Concat(all, allow("list", "events"), allow("list", "replicasets.apps"), allow("list", "controllerrevisions.apps"),
			allow("list", "limitranges"), clusterWide("get list", "nodes"))
	case CheckLogs:
		return slices.Concat(all, allow("get", "pods/log"))
	case CheckEndpoints:
		return slices.Concat(all, named("get", "services", target.Service), allow("list", "endpointslices.discovery.k8s.io"))
	case CheckUsage:
		return slices.Concat(all, allow("list", "pods.metrics.k8s.io"))
	case CheckReach:
		return slices.Concat(all, named("get", "services", target.Service), opens("pods/portforward"), opens("pods/exec"), allow("get", "pods/log"),
			allow("list", "networkpolicies.networking.k8s.io"))
	case CheckVolumes:
		return slices.Concat(all, allow("list", "events"), allow("get", "persistentvolumeclaims"), clusterWide("list", "storageclasses.storage.k8s.io"))
	}
	return all
}

// draftPermissions is what one change of the document needs: to be prepared,
// sent, waited for and undone.
func draftPermissions(draft runbook.Draft, target evidence.Target) []permission {
	kind, known := changes()[draft.Kind]
	if !known {
		return nil
	}
	var all []permission
	if kind.needs != nil {
		all = kind.needs(target)
	}
	if kind.about == nil {
		return slices.Concat(all, allow("get", "deployments.apps", target.Workload), allow("get", "statefulsets.apps", target.Workload))
	}
	object := kind.about(target, draft.Args)
	if strings.Contains(object.name, "${") {
		object.name = filled(object.name, target)
	}
	if object.kind != kindWorkload {
		return slices.Concat(all, allow("get update", resourceOf(object.kind), object.name))
	}
	return slices.Concat(all, allow("get update", "deployments.apps", object.name), allow("get update", "statefulsets.apps", object.name),
		allow("list get delete", "pods"), // a StatefulSet's pod that is not ready is replaced by nobody else
		readsVolume(target))
}

// filled is a name that the document takes from the target; "", which stands
// for all names, where the evidence decides.
func filled(name string, target evidence.Target) string {
	return map[string]string{"${target.app}": target.App, "${target.workload}": target.Workload}[name]
}

// readsVolume is what it takes to say what the store will hold.
func readsVolume(target evidence.Target) []permission {
	return slices.Concat(allow("create get delete", "pods"), allow("get", "pods/log"), opens("pods/portforward"),
		allow("get", "persistentvolumeclaims"), named("get", "configmaps", target.Config), named("get", "secrets", target.Secret))
}

// worksOnVolume is what a course needs that stops the store, works on its
// volume in a pod of its own, and starts it again.
func worksOnVolume(target evidence.Target) []permission {
	return slices.Concat(readsVolume(target), asksWhoScales(target), allow("list", "pods"),
		allow("get update", "deployments.apps", target.Workload), allow("get update", "statefulsets.apps", target.Workload))
}

// commandsServer is what a command to the running server needs.
func commandsServer(target evidence.Target) []permission {
	return slices.Concat(allow("get list", "pods"), opens("pods/portforward"), named("get", "secrets", target.Secret))
}

// named is for one object; nothing where the target has no name for it.
func named(verbs, resource, name string) []permission {
	if name == "" {
		return nil
	}
	return allow(verbs, resource, name)
}

// opens is for a stream to a pod: over a WebSocket, which begins with a GET, or
// over SPDY, which begins with a POST.
func opens(subresource string) []permission { return allow("create get", subresource) }

func clusterWide(verbs, resource string) []permission {
	all := allow(verbs, resource)
	for i := range all {
		all[i].cluster = true
	}
	return all
}

// rulesFor are the rules of a role that grants what is needed and no more.
func rulesFor(needed []grounds) []rbacv1.PolicyRule {
	var all []permission
	for _, one := range needed {
		all = append(all, one.permission)
	}
	return policyRules(all)
}

// policyRules writes permissions as rules: one for each resource and set of
// names. Who may do something to all objects needs no rule for one of them.
func policyRules(all []permission) []rbacv1.PolicyRule {
	all = inOrder(all)
	var rules []rbacv1.PolicyRule
	for _, one := range all {
		whole := one
		whole.name = ""
		if one.name != "" && slices.Contains(all, whole) {
			continue
		}
		group, resource := splitResource(one.resource)
		var names []string
		for _, other := range all {
			if other.verb == one.verb && other.resource == one.resource && other.name != "" && one.name != "" {
				names = append(names, other.name)
			}
		}
		same := func(r rbacv1.PolicyRule) bool {
			return r.APIGroups[0] == group && r.Resources[0] == resource && slices.Equal(r.ResourceNames, names)
		}
		if i := slices.IndexFunc(rules, same); i < 0 {
			rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{one.verb}, ResourceNames: names})
		} else if !slices.Contains(rules[i].Verbs, one.verb) {
			rules[i].Verbs = append(rules[i].Verbs, one.verb)
		}
	}
	return rules
}

// splitResource parts deployments.apps and pods/log into group and resource.
func splitResource(full string) (group, resource string) {
	resource, subresource, nested := strings.Cut(full, "/")
	gr := schema.ParseGroupResource(resource)
	if nested {
		gr.Resource += "/" + subresource
	}
	return gr.Group, gr.Resource
}

// withReasons is the manifest with a comment at each rule.
func withReasons(object any, reasons []grounds) ([]byte, error) {
	text, err := sigsyaml.Marshal(object)
	if err != nil {
		return nil, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	for i := 0; i+1 < len(document.Content[0].Content); i += 2 {
		if document.Content[0].Content[i].Value != "rules" {
			continue
		}
		for _, rule := range document.Content[0].Content[i+1].Content {
			if rule.HeadComment, err = whyOf(rule, reasons); err != nil {
				return nil, err
			}
			for j := 1; j < len(rule.Content); j += 2 {
				rule.Content[j].Style = yaml.FlowStyle
			}
		}
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		return nil, err
	}
	return out.Bytes(), encoder.Close()
}

// whyOf names what needs a rule: "for diagnosis, restart".
func whyOf(node *yaml.Node, reasons []grounds) (string, error) {
	var written map[string]any
	if err := node.Decode(&written); err != nil {
		return "", err
	}
	raw, err := json.Marshal(written)
	if err != nil {
		return "", err
	}
	var rule rbacv1.PolicyRule
	if err := json.Unmarshal(raw, &rule); err != nil {
		return "", err
	}
	var by []string
	for _, one := range reasons {
		group, resource := splitResource(one.resource)
		covers := slices.Contains(rule.APIGroups, group) && slices.Contains(rule.Resources, resource) && slices.Contains(rule.Verbs, one.verb) &&
			(len(rule.ResourceNames) == 0 || slices.Contains(rule.ResourceNames, one.name))
		if covers && !slices.Contains(by, one.by) {
			by = append(by, one.by)
		}
	}
	return fmt.Sprintf("for %s", strings.Join(by, ", ")), nil
}
