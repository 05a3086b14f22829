package evidence

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	storagev1 "k8s.io/api/storage/v1"
	metricsv1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
)

// Bundle is what kubectl itself would print about a target, before anything
// is read out of it. A nil list was not read; Missing says why.
type Bundle struct {
	Meta         Meta
	Pods         *corev1.PodList
	Events       *corev1.EventList
	Services     *corev1.ServiceList
	Slices       *discoveryv1.EndpointSliceList
	Claims       *corev1.PersistentVolumeClaimList
	Deployments  *appsv1.DeploymentList
	StatefulSets *appsv1.StatefulSetList
	ReplicaSets  *appsv1.ReplicaSetList
	Revisions    *appsv1.ControllerRevisionList
	ConfigMaps   *corev1.ConfigMapList
	Secrets      *corev1.SecretList // every value replaced, but for the line breaks at its end
	Classes      *storagev1.StorageClassList
	Nodes        *corev1.NodeList
	Ranges       *corev1.LimitRangeList
	Policies     *networkingv1.NetworkPolicyList
	Metrics      *metricsv1.PodMetricsList
	Logs         []RawLog // nil: no log was read
	Probes       *Probes
	Alerts       *[]Alert    // nil: no alert is known
	Prometheus   *Prometheus // nil: not asked

	// Missing tells for a source (File… constants, SourceLogs) why it is not here.
	Missing map[string]string
}

// The names of the bundle's files; also the keys of Bundle.Missing.
const (
	FilePods         = "pods.json"
	FileEvents       = "events.json"
	FileServices     = "services.json"
	FileSlices       = "endpointslices.json"
	FileClaims       = "persistentvolumeclaims.json"
	FileDeployments  = "deployments.json"
	FileStatefulSets = "statefulsets.json"
	FileReplicaSets  = "replicasets.json"
	FileRevisions    = "controllerrevisions.json"
	FileConfigMaps   = "configmaps.json"
	FileSecrets      = "secrets.json"
	FileClasses      = "storageclasses.json"
	FileNodes        = "nodes.json"
	FileRanges       = "limitranges.json"
	FilePolicies     = "networkpolicies.json"
	FileMetrics      = "podmetrics.json"
	FileProbes       = "probes.json"
	FileAlerts       = "alerts.json"
	FilePrometheus   = "prometheus.json"
	FileMeta         = "meta.json"
	SourceLogs       = "logs"
)

// Meta says when and where a bundle was taken.
type Meta struct {
	At        time.Time `json:"at,omitzero"`
	Namespace string    `json:"namespace,omitempty"`
	Workload  string    `json:"workload,omitempty"`
	// Missing keeps Bundle.Missing in the folder; empty otherwise.
	Missing map[string]string `json:"missing,omitempty"`
}

// RawLog is the text of one run of one container.
type RawLog struct {
	Pod       string
	Container string
	Previous  bool
	Text      string
	Truncated bool   // more was written than was read
	Err       string // why it could not be read; Text is empty then
}

// UnmarshalJSON reads a probe whose number of keys may be left out.
func (r *Redis) UnmarshalJSON(data []byte) error {
	type plain Redis
	read := plain{Keys: -1}
	if err := json.Unmarshal(data, &read); err != nil {
		return err
	}
	*r = Redis(read)
	return nil
}

// MissingExporters is the reason of a bundle whose Deployments are only those that
// were asked for by name: an exporter beside them is not known.
const MissingExporters = FileDeployments + "#exporters"

// Probes is probes.json.
type Probes struct {
	Reach []Reach `json:"reach"`
	Redis []Redis `json:"redis"`
}

// Add takes over every list that part has read, and its reasons for what it
// could not read. What part does not mention stays as it is.
func (b *Bundle) Add(part Bundle) {
	if part.Meta.At.After(b.Meta.At) {
		b.Meta.At = part.Meta.At
	}
	if part.Meta.Workload != "" {
		b.Meta.Namespace, b.Meta.Workload = part.Meta.Namespace, part.Meta.Workload
	}
	if b.Missing == nil {
		b.Missing = map[string]string{}
	}
	take(b, &b.Pods, part.Pods, FilePods)
	take(b, &b.Events, part.Events, FileEvents)
	take(b, &b.Services, part.Services, FileServices)
	take(b, &b.Slices, part.Slices, FileSlices)
	take(b, &b.Claims, part.Claims, FileClaims)
	take(b, &b.Deployments, part.Deployments, FileDeployments)
	take(b, &b.StatefulSets, part.StatefulSets, FileStatefulSets)
	take(b, &b.ReplicaSets, part.ReplicaSets, FileReplicaSets)
	take(b, &b.Revisions, part.Revisions, FileRevisions)
	take(b, &b.ConfigMaps, part.ConfigMaps, FileConfigMaps)
	take(b, &b.Secrets, part.Secrets, FileSecrets)
	take(b, &b.Classes, part.Classes, FileClasses)
	take(b, &b.Nodes, part.Nodes, FileNodes)
	take(b, &b.Ranges, part.Ranges, FileRanges)
	take(b, &b.Policies, part.Policies, FilePolicies)
	take(b, &b.Metrics, part.Metrics, FileMetrics)
	take(b, &b.Probes, part.Probes, FileProbes)
	take(b, &b.Alerts, part.Alerts, FileAlerts)
	take(b, &b.Prometheus, part.Prometheus, FilePrometheus)
	b.addLogs(part.Logs)
	for source, why := range part.Missing {
		b.Missing[source] = why
	}
}

// addLogs takes over the logs of one check beside those of the others: the
// store's and the application's are read by different checks. A run that was
// read again replaces what was read of it before.
func (b *Bundle) addLogs(logs []RawLog) {
	if logs == nil {
		return
	}
	kept := slices.DeleteFunc(slices.Clone(b.Logs), func(old RawLog) bool {
		return slices.ContainsFunc(logs, func(l RawLog) bool {
			return l.Pod == old.Pod && l.Container == old.Container && (l.Previous == old.Previous || !l.Previous)
		})
	})
	b.Logs = append(kept, logs...)
}

func take[T any](b *Bundle, have **T, got *T, source string) {
	if got == nil {
		return
	}
	*have = got
	maps.DeleteFunc(b.Missing, func(missing, _ string) bool { return missing == source || strings.HasPrefix(missing, source+"#") })
}

// Clone returns a bundle that shares no map and no slice of its own with b.
// The lists themselves are never changed once read, and are shared.
func (b *Bundle) Clone() Bundle {
	clone := *b
	clone.Logs, clone.Missing = slices.Clone(b.Logs), maps.Clone(b.Missing)
	return clone
}
