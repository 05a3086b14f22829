// Package standby writes the manifests of a highly available copy of a live
// store: three Redis that replicate, and three Sentinels that choose the master.
//
// It is pure: package k8s reads the Store, and nothing here asks a cluster or
// applies anything. Nothing secret is in the Store, and so in no manifest: the
// password is named by its Secret.
package standby

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/redisconf"
)

// Store is the live store, as far as its copy is made of it.
type Store struct {
	Target   evidence.Target
	At       time.Time
	Labels   map[string]string      // of the workload
	Pod      corev1.PodTemplateSpec // redacted
	Selected []string               // labels by which the workload and its Service find its pods
	Conf     string                 // its redis.conf, redacted; "" where there is none
	Options  []redisconf.Directive  // of its command line, redacted
	Server   evidence.Server        // with the settings of Settings
	Dir      string                 // where it keeps its files
	Volume   string                 // name of the pod's volume that Dir is on; "" for none
	Claim    *corev1.PersistentVolumeClaimSpec
	Policies []networkingv1.NetworkPolicy // that let traffic to its pods
	Nodes    int                          // that take pods; -1 when not known
	Notes    []string                     // what could not be read
}

// Settings are what the running server is asked for: what it runs with counts,
// whatever its file says.
func Settings() []string {
	return []string{"maxmemory", "maxmemory-policy", "appendonly", "appendfsync", "save", "dir"}
}

// What the pods listen on, and how many there are.
const (
	SentinelPort = 26379
	Pods         = 3
	Quorum       = 2 // Sentinels that must agree
)

// Manifests are the copy, and what people need to know to use it.
type Manifests struct {
	Target   evidence.Target
	At       time.Time
	Name     string           // of the StatefulSet and of the headless Service
	Title    string           // of the file
	Objects  []runtime.Object // in the order in which they are applied
	Pod      *corev1.Pod      // the first pod as the StatefulSet makes it, for a dry run
	Master   string           // the name by which Sentinels know the master
	Hosts    []string         // of the pods
	Is       string           // what the copy is, as people are told
	Sections []Section        // what is to be done to use it, and what it is not
	Notes    []string         // what is not as it is in the live store, one sentence each
}

// Refusal is why there are no manifests for a store, as a sentence for people.
type Refusal string

// Error is the sentence.
func (r Refusal) Error() string { return string(r) }

// Make writes the manifests. Its error is a Refusal.
func Make(s Store) (Manifests, error) {
	m, err := newMaker(s)
	if err != nil {
		return Manifests{}, err
	}
	conf, set := m.config(), m.statefulSet()
	objects := []runtime.Object{m.configMap(conf), m.service(), m.budget()}
	for _, policy := range m.policies() {
		objects = append(objects, policy)
	}
	made := Manifests{Target: s.Target, At: s.At, Name: m.name, Title: "Redis with Sentinel for " + s.Target.String(), Objects: append(objects, set), Pod: firstPod(set),
		Master: s.Target.Workload, Is: m.is(set), Notes: append(m.notes, s.Notes...)}
	for n := range Pods {
		made.Hosts = append(made.Hosts, m.host(n))
	}
	made.Sections = m.sections(made.Hosts)
	return made, nil
}

// maker is one making.
type maker struct {
	Store
	name      string
	port      int32
	container corev1.Container // of the live store
	labels    map[string]string
	server    string // program: redis-server
	client    string // program: redis-cli
	notes     []string
}

// longestName leaves room for what Kubernetes adds to a StatefulSet's name in
// a label of its pods.
const longestName = 45

func newMaker(s Store) (*maker, error) {
	m := &maker{Store: s, name: strings.TrimRight(s.Target.Workload[:min(len(s.Target.Workload), longestName)], "-") + "-ha", port: int32(s.Target.Port)}
	if m.port == 0 {
		m.port = 6379
	}
	switch {
	case s.Target.Secret == "" || s.Target.SecretKey == "":
		return nil, Refusal("The target names no Secret with the password, which the copy needs: set its secret and its secret_key in the configuration.")
	case s.Server.Info["cluster_enabled"] == "1":
		return nil, Refusal("The store is a Redis Cluster, which fails over by itself: Sentinel is for a store that is none.")
	case olderThan(s.Server.Info["redis_version"], 6, 2):
		return nil, Refusal(fmt.Sprintf("The store runs Redis %s: Sentinel knows host names, without which no pod may change its address, since 6.2. Upgrade it first.", s.Server.Info["redis_version"]))
	}
	found := false
	for _, container := range s.Pod.Spec.Containers {
		if container.Name == s.Target.Container {
			m.container, found = container, true
		} else {
			m.note("The container %s is not carried over.", container.Name)
		}
	}
	if !found {
		return nil, Refusal(fmt.Sprintf("%s has no container %q: set the target's container in the configuration.", s.Target.Workload, s.Target.Container))
	}
	m.labels = m.newLabels()
	m.server, m.client = programs(m.container)
	return m, nil
}

func (m *maker) note(format string, args ...any) {
	m.notes = append(m.notes, fmt.Sprintf(format, args...))
}

// host is the name of a pod, within the cluster.
func (m *maker) host(n int) string {
	return fmt.Sprintf("%s-%d.%s.%s.svc", m.name, n, m.name, m.Target.Namespace)
}

// olderThan is false for a version that is not known.
func olderThan(version string, major, minor int) bool {
	var is [2]int
	if _, err := fmt.Sscanf(version, "%d.%d", &is[0], &is[1]); err != nil {
		return false
	}
	return is[0] < major || is[0] == major && is[1] < minor
}

// programs are the names of the server and of the client in the store's image.
func programs(c corev1.Container) (server, client string) {
	words := strings.Join(append(append([]string{c.Image}, c.Command...), c.Args...), " ")
	for _, kind := range []string{"valkey", "keydb"} {
		if strings.Contains(words, kind) {
			return kind + "-server", kind + "-cli"
		}
	}
	return "redis-server", "redis-cli"
}

// ownerLabels mark an object as somebody's, who would delete a copy of it.
var ownerLabels = []string{"app.kubernetes.io/managed-by", "argocd.argoproj.io/", "kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/", "helm.sh/"}

// newLabels are the labels of the live pods, but for those by which they are
// found: the copy's own, so that nobody takes a copy's pod for one of the store's.
func (m *maker) newLabels() map[string]string {
	labels := map[string]string{}
	for key, value := range m.Pod.Labels {
		owned := false
		for _, prefix := range ownerLabels {
			owned = owned || strings.HasPrefix(key, prefix)
		}
		if !owned {
			labels[key] = value
		}
	}
	for _, key := range m.Selected {
		labels[key] = m.name
	}
	if len(labels) == 0 {
		labels["app"] = m.name
	}
	return labels
}

// selector are the labels by which the copy's pods are found.
func (m *maker) selector() map[string]string {
	selector := map[string]string{}
	for key, value := range m.labels {
		if value == m.name {
			selector[key] = value
		}
	}
	return selector
}
