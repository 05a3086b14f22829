package standby

import (
	"cmp"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"redis-session-bot/internal/evidence"
)

// Section is a paragraph for people.
type Section struct {
	Title string
	Says  string   // "" where there are only steps
	Steps []string // one after the other
	Code  string   // lines to copy; "" for none
}

func (m *maker) is(set *appsv1.StatefulSet) string {
	return fmt.Sprintf("%d pods %s, each a Redis (%s) and a Sentinel; one of the three is the master, the others follow it. "+
		"When it is gone, two Sentinels agree and promote a replica within about 10 s; a drain hands over first. The store %s is left as it is.",
		Pods, m.name, m.inALine(set), m.Target.Workload)
}

// sections say what the application has to change, how the sessions move, and
// what the copy is not.
func (m *maker) sections(hosts []string) []Section {
	var sentinels []string
	for _, host := range hosts {
		sentinels = append(sentinels, fmt.Sprintf("%s:%d", host, SentinelPort))
	}
	shell := ""
	if m.passwordVariable() == "" {
		shell = fmt.Sprintf(", with %s set in that shell", unnamedPassword)
	}
	return []Section{
		{Title: "In the application", Code: strings.Join(sentinels, "\n"),
			Says: fmt.Sprintf("a client that knows Sentinel. It asks these for the master of the name %s, and asks again when a connection breaks. "+
				"Redis and Sentinel want the same password, that of today's Secret.", m.Target.Workload)},
		{Title: "To move the sessions", Code: m.copyCommand(),
			Steps: []string{
				fmt.Sprintf("Apply the file and wait until its %d pods are ready.", Pods),
				fmt.Sprintf("Run the line below in a pod of %s%s. It copies every session with its expiry.", m.Target.Workload, shell),
				"Switch the application.",
				"Run the line again without the word replace. It brings what was written in between, and says BUSYKEY for what is there.",
				fmt.Sprintf("Scale %s to 0 when nobody uses it.", m.Target.Workload),
			}},
		{Title: "What it does not do",
			Says: "a client that knows no Sentinel finds no master by itself. Replication is asynchronous: what was written in the last second before a crash can be lost, " +
				"and what a master that is cut off still takes, too. It makes no backup."},
	}
}

// inALine says what one pod's Redis is.
func (m *maker) inALine(set *appsv1.StatefulSet) string {
	words := []string{m.container.Image}
	if limit, ok := m.container.Resources.Limits[corev1.ResourceMemory]; ok {
		words = append(words, "limit "+limit.String())
	}
	if most := m.Server.Settings["maxmemory"]; most != "" && most != "0" {
		words = append(words, "maxmemory "+amount("maxmemory", most))
	}
	claim := set.Spec.VolumeClaimTemplates[0].Spec
	volume := "claim of " + evidence.Bytes(claim.Resources.Requests.Storage().Value())
	if claim.StorageClassName != nil {
		volume += " of class " + *claim.StorageClassName
	}
	return strings.Join(append(words, volume), ", ")
}

// passwordVariable is what the live container calls the password; "" where it
// has it from elsewhere.
func (m *maker) passwordVariable() string {
	for _, variable := range m.container.Env {
		if ref := variable.ValueFrom; ref != nil && ref.SecretKeyRef != nil && ref.SecretKeyRef.Name == m.Target.Secret && ref.SecretKeyRef.Key == m.Target.SecretKey {
			return variable.Name
		}
	}
	return ""
}

// unnamedPassword is the variable of the copying shell where the live container
// has none.
const unnamedPassword = "REDIS_PASSWORD"

// copyCommand copies every session with its expiry from a pod of the live store
// to the copy's first master. What is there already is written anew.
func (m *maker) copyCommand() string {
	variable := cmp.Or(m.passwordVariable(), unnamedPassword)
	return fmt.Sprintf(`export REDISCLI_AUTH="$%s"; %s -p %d --scan | xargs -r -n 100 %s -p %d migrate %s %d "" 0 5000 copy replace auth "$%s" keys`,
		variable, m.client, m.port, m.client, m.port, m.host(0), m.port, variable)
}
