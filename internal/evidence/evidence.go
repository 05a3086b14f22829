// Package evidence holds what the checks saw, as plain data, and the bundle
// that it can be saved to and replayed from.
//
// It owns the shape of the facts and how they are read out of Kubernetes'
// own objects. It never talks to a cluster, never judges, and never holds a
// secret: package k8s redacts before anything arrives here.
package evidence

import (
	"reflect"
	"time"
)

// Target is what a runbook acts on in one environment.
type Target struct {
	Name      string `json:"name,omitempty" yaml:"name,omitempty"`           // what people call it, such as "production"
	Context   string `json:"context,omitempty" yaml:"context,omitempty"`     // kubeconfig context; empty: the current one, or in-cluster
	Namespace string `json:"namespace" yaml:"namespace"`                     // where everything below lives
	Workload  string `json:"workload" yaml:"workload"`                       // Deployment or StatefulSet that runs the store
	Container string `json:"container,omitempty" yaml:"container,omitempty"` // the store's container in it
	Service   string `json:"service,omitempty" yaml:"service,omitempty"`
	Port      int    `json:"port,omitempty" yaml:"port,omitempty"`           // port of the service and of the store
	Config    string `json:"config,omitempty" yaml:"config,omitempty"`       // ConfigMap with the store's configuration
	ConfigKey string `json:"configKey,omitempty" yaml:"configKey,omitempty"` // its key
	Secret    string `json:"secret,omitempty" yaml:"secret,omitempty"`       // Secret with the store's password
	SecretKey string `json:"secretKey,omitempty" yaml:"secretKey,omitempty"`
	App       string `json:"app,omitempty" yaml:"app,omitempty"` // Deployment of the application that uses the store
	AppConfig string `json:"appConfig,omitempty" yaml:"appConfig,omitempty"`
	Backup    string `json:"backup,omitempty" yaml:"backup,omitempty"` // claim with backups of the store's files
}

// String names the target as the bot's messages do: namespace/workload.
func (t Target) String() string { return t.Namespace + "/" + t.Workload }

// Same reports whether both name the same workload of the same cluster,
// whatever people call it.
func (t Target) Same(other Target) bool {
	return t.Context == other.Context && t.Namespace == other.Namespace && t.Workload == other.Workload
}

// Evidence is everything that is known about one target at one moment. The
// JSON names are the names that a runbook's signs use.
type Evidence struct {
	At         time.Time         `json:"at"`
	Target     Target            `json:"target"`
	Pods       []Pod             `json:"pods"`       // pods of the workload
	Neighbours []Pod             `json:"neighbours"` // other pods of the namespace that were read
	Events     []Event           `json:"events"`     // newest last
	Logs       []Log             `json:"logs"`       // of the workload's pods
	Failing    []Log             `json:"failing"`    // those of Logs whose run went wrong
	Workload   Workload          `json:"workload"`
	Revisions  []Revision        `json:"revisions"` // newest first
	Config     Config            `json:"config"`
	Service    Service           `json:"service"`
	Endpoints  []Endpoint        `json:"endpoints"`
	Usage      []Usage           `json:"usage"`
	Reach      []Reach           `json:"reach"`
	Redis      []Redis           `json:"redis"`
	Claims     []Claim           `json:"claims"` // claims that the workload mounts
	Classes    []StorageClass    `json:"classes"`
	Nodes      []Node            `json:"nodes"`
	Secret     Secret            `json:"secret"`
	App        App               `json:"app"`
	Exporters  []Exporter        `json:"exporters"` // Deployments that watch a Redis for Prometheus
	Quotas     []Quota           `json:"quotas"`    // what a ResourceQuota lacked for the newest pod that it refused
	Ranges     []Range           `json:"ranges"`    // what LimitRanges allow one container; read where pods are refused
	Policies   []Policy          `json:"policies"`  // NetworkPolicies on the way from the application to the store; read where it does not get through
	Heard      []Heard           `json:"heard"`     // what clients of the store heard that was not a success, oldest first
	History    History           `json:"history"`   // what Prometheus kept, where config names one
	Alerts     []Alert           `json:"alerts"`    // alerts of the incident, oldest first
	Unknown    map[string]string `json:"unknown"`   // name of a field above -> why it is not known
	Inferred   map[string]string `json:"inferred"`  // name of a field above that others tell of -> why it was not read: enough to be likely, never to be certain
}

// Knows reports whether the field of that JSON name was read.
func (e Evidence) Knows(name string) bool {
	_, missing := e.Unknown[name]
	return !missing
}

// Pod is one pod as its status tells.
type Pod struct {
	Name        string            `json:"name"`
	UID         string            `json:"uid"`
	Phase       string            `json:"phase"`
	Reason      string            `json:"reason"`
	Message     string            `json:"message"`
	Ready       bool              `json:"ready"`
	Deleting    bool              `json:"deleting"`
	Node        string            `json:"node"`
	IP          string            `json:"ip"`
	Owner       string            `json:"owner"`    // Kind/name of the controller, "" for a bare pod
	Workload    string            `json:"workload"` // Kind/name of what people scale: the Deployment behind a ReplicaSet, else the owner
	Claims      []string          `json:"claims"`   // names of the claims that it mounts
	Revision    string            `json:"revision"` // pod-template-hash or controller-revision-hash
	HostNetwork bool              `json:"hostNetwork"`
	CreatedAt   time.Time         `json:"createdAt"`
	Labels      map[string]string `json:"labels"`
	Conditions  []Condition       `json:"conditions"`
	Containers  []Container       `json:"containers"` // init containers too
}

// Condition is one condition of a pod, workload or node.
type Condition struct {
	Type    string `json:"type"`
	Status  string `json:"status"` // True, False, Unknown
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// Container is one container, spec and status together.
type Container struct {
	Name      string    `json:"name"`
	Image     string    `json:"image"`
	Init      bool      `json:"init"`
	Watches   bool      `json:"watches"` // it asks Redis for its metrics, for Prometheus; the store works without it
	Ready     bool      `json:"ready"`
	Started   bool      `json:"started"`
	Restarts  int64     `json:"restarts"`
	State     string    `json:"state"` // running, waiting, terminated, "" when not yet reported
	Reason    string    `json:"reason"`
	Message   string    `json:"message"`
	Since     time.Time `json:"since"` // start of the present run; zero when not running
	LastExit  Exit      `json:"lastExit"`
	Memory    int64     `json:"memory"`        // memory limit in bytes, 0 for none
	MemoryAsk int64     `json:"memoryRequest"` // memory request in bytes, 0 for none
	Ports     []int64   `json:"ports"`
	HostPorts []int64   `json:"hostPorts"`
	Liveness  Probe     `json:"liveness"`
	Readiness Probe     `json:"readiness"`
	Startup   Probe     `json:"startup"`
}

// Exit is how a run of a container ended; the newest run that ended.
type Exit struct {
	Happened   bool      `json:"happened"`
	Reason     string    `json:"reason"`
	Message    string    `json:"message"`
	Code       int64     `json:"code"`
	Signal     int64     `json:"signal"`
	StartedAt  time.Time `json:"startedAt"`
	FinishedAt time.Time `json:"finishedAt"`
	Recent     bool      `json:"recent"` // within the last hour, or at an unknown time
}

// Probe is a container's probe; Kind is "" where there is none.
type Probe struct {
	Kind     string `json:"kind"`   // exec, http, tcp, grpc
	Detail   string `json:"detail"` // the command line, or the port and path
	Delay    int64  `json:"delay"`  // seconds
	Period   int64  `json:"period"` // seconds
	Timeout  int64  `json:"timeout"`
	Failures int64  `json:"failures"` // failureThreshold
}

// Event is one Kubernetes event, merged over its repeats.
type Event struct {
	Type    string    `json:"type"` // Normal, Warning
	Reason  string    `json:"reason"`
	Message string    `json:"message"`
	Kind    string    `json:"kind"` // of the object that it is about
	Name    string    `json:"name"`
	Count   int64     `json:"count"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
}

// Log is what one run of one container wrote.
type Log struct {
	Pod       string   `json:"pod"`
	Container string   `json:"container"`
	Previous  bool     `json:"previous"` // the run before the present one
	Failing   bool     `json:"failing"`  // this run ended or its container is not ready now
	Lines     []string `json:"lines"`    // oldest first
	Truncated bool     `json:"truncated"`
}

// Workload is the Deployment or StatefulSet that runs the store.
type Workload struct {
	Exists      bool              `json:"exists"`
	Kind        string            `json:"kind"`
	Name        string            `json:"name"`
	UID         string            `json:"uid"`
	Generation  int64             `json:"generation"`
	Observed    int64             `json:"observed"`
	Replicas    int64             `json:"replicas"` // wanted
	Ready       int64             `json:"ready"`
	Updated     int64             `json:"updated"`
	Current     int64             `json:"current"` // pods that exist
	Strategy    string            `json:"strategy"`
	Paused      bool              `json:"paused"`
	Claims      []string          `json:"claims"` // names of the claims its pods mount
	ConfigMaps  []string          `json:"configMaps"`
	Secrets     []string          `json:"secrets"`
	Conditions  []Condition       `json:"conditions"`
	Containers  []Container       `json:"containers"` // from the template; no status
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	Selector    map[string]string `json:"selector"`
	PodLabels   map[string]string `json:"podLabels"`
	Managers    []Manager         `json:"managers"` // newest last

	NodeSelector map[string]string `json:"nodeSelector"`
	Data         Data              `json:"data"`
}

// Data is where the store's container keeps its files; all of it is empty where
// that is on no volume.
type Data struct {
	Path     string `json:"path"`     // where the volume is mounted
	Volume   string `json:"volume"`   // name in the pod template
	Claim    string `json:"claim"`    // "" where it is no claim
	EmptyDir bool   `json:"emptyDir"` // it goes with the pod
	Limit    int64  `json:"limit"`    // of an emptyDir, in bytes, 0 for none
	ReadOnly bool   `json:"readOnly"`
}

// Manager is one field manager that wrote an object.
type Manager struct {
	Name string    `json:"name"`
	At   time.Time `json:"at"`
	Verb string    `json:"verb"` // Apply, Update
	Sub  string    `json:"sub"`  // subresource, such as status
}

// Revision is one entry of the rollout history.
type Revision struct {
	Number   int64     `json:"number"`
	Name     string    `json:"name"` // of the ReplicaSet or ControllerRevision
	At       time.Time `json:"at"`
	Cause    string    `json:"cause"` // kubernetes.io/change-cause
	Images   []string  `json:"images"`
	Hash     string    `json:"hash"`
	Current  bool      `json:"current"`
	Ready    int64     `json:"ready"`    // pods of it that are ready now
	Pods     int64     `json:"pods"`     // pods of it that exist now
	Unstable bool      `json:"unstable"` // it has pods and none of them is ready
	Changes  []string  `json:"changes"`  // against the revision before it, one short line each, secrets redacted
}

// Config is the store's configuration file as its ConfigMap holds it.
type Config struct {
	Exists     bool        `json:"exists"` // the ConfigMap and its key are there
	Name       string      `json:"name"`   // ConfigMap
	Key        string      `json:"key"`
	Text       string      `json:"text"` // secrets redacted
	Directives []Directive `json:"directives"`
	Refused    Refused     `json:"refused"`
	Memory     int64       `json:"memory"` // maxmemory in bytes, 0 when unset
	Managers   []Manager   `json:"managers"`
}

// Directive is one setting of a configuration file.
type Directive struct {
	Name string `json:"name"` // lower case
	Args string `json:"args"` // redacted where it is a secret
	Line int64  `json:"line"` // from 1
}

// Refused is the directive that the server itself named when it would not start.
type Refused struct {
	Happened  bool   `json:"happened"`
	Line      int64  `json:"line"`
	Text      string `json:"text"` // the line as the server quoted it
	Directive string `json:"directive"`
	Reason    string `json:"reason"`
	Meant     string `json:"meant"` // the directive that was likely meant, "" where nobody can say
}

// Service is the Service in front of the store.
type Service struct {
	Exists   bool              `json:"exists"`
	Name     string            `json:"name"`
	Type     string            `json:"type"`
	Headless bool              `json:"headless"`
	Selector map[string]string `json:"selector"`
	Ports    []ServicePort     `json:"ports"`
	Selects  []string          `json:"selects"` // names of the workload's pods that the selector matches
}

// ServicePort is one port of a Service.
type ServicePort struct {
	Name       string `json:"name"`
	Port       int64  `json:"port"`
	TargetPort string `json:"targetPort"`
}

// Endpoint is one address behind the Service.
type Endpoint struct {
	Address string  `json:"address"`
	Pod     string  `json:"pod"`
	Ready   bool    `json:"ready"`
	Ports   []int64 `json:"ports"`
}

// Usage is what the metrics API measured for one container.
type Usage struct {
	Pod       string `json:"pod"`
	Container string `json:"container"`
	CPU       int64  `json:"cpu"`    // millicores
	Memory    int64  `json:"memory"` // bytes, working set
}

// Reach is one try to connect to the service.
type Reach struct {
	From  string `json:"from"` // "app" or "bot"
	OK    bool   `json:"ok"`
	Error string `json:"error"`
	Via   string `json:"via,omitempty"` // the tool that was used, such as nc or bash
	Pod   string `json:"pod,omitempty"` // where it ran
}

// Redis is one server asked directly: dial, AUTH, PING, INFO and a session-like round trip.
type Redis struct {
	Pod   string            `json:"pod"`
	OK    bool              `json:"ok"`    // the whole round trip worked
	Error string            `json:"error"` // the first thing a client heard that was not a success
	Stage string            `json:"stage"` // where it heard that: dial, auth, ping, info, write; "" when OK
	Pong  bool              `json:"pong"`
	Keys  int64             `json:"keys"` // -1 when not known
	Info  map[string]string `json:"info"`
}

// Claim is a PersistentVolumeClaim and the volume behind it.
type Claim struct {
	Name     string    `json:"name"`
	Exists   bool      `json:"exists"`
	Phase    string    `json:"phase"`
	Class    string    `json:"class"`
	Volume   string    `json:"volume"`
	Capacity int64     `json:"capacity"` // bytes
	Deleting bool      `json:"deleting"`
	Since    time.Time `json:"since"` // creation
}

// StorageClass is one StorageClass of the cluster.
type StorageClass struct {
	Name        string `json:"name"`
	Provisioner string `json:"provisioner"`
	WaitsForPod bool   `json:"waitsForPod"` // volumeBindingMode WaitForFirstConsumer
	Default     bool   `json:"default"`
}

// Quota is what a ResourceQuota lacks of one resource for a pod that it refused.
type Quota struct {
	Name     string `json:"name"`
	Resource string `json:"resource"` // such as pods or limits.memory
	Limit    string `json:"limit"`
	Needs    string `json:"needs"` // what the limit would have to be
}

// Range is what one item of a LimitRange allows a container.
type Range struct {
	Name   string `json:"name"`
	Index  int64  `json:"index"`  // of the item in the object, from 0
	Memory int64  `json:"memory"` // the most, in bytes; 0 for no bound
}

// Policy is a NetworkPolicy that selects the store's pods for what comes in, or
// the application's for what goes out.
type Policy struct {
	Name    string `json:"name"`
	Ingress bool   `json:"ingress"` // it is about what comes to the store; else about what leaves the application
	Admits  bool   `json:"admits"`  // the application may reach the store by it
}

// Node is one node that carries, or could carry, the store.
type Node struct {
	Name        string      `json:"name"`
	Ready       bool        `json:"ready"`
	Cordoned    bool        `json:"cordoned"`
	Allocatable int64       `json:"allocatable"` // memory in bytes
	Conditions  []Condition `json:"conditions"`
	Taints      []string    `json:"taints"` // key=value:effect
}

// Secret is what is known about the Secret with the store's password; never
// what is in it.
type Secret struct {
	Exists   bool      `json:"exists"`
	Name     string    `json:"name"`
	Key      string    `json:"key"`
	HasKey   bool      `json:"hasKey"`
	Empty    bool      `json:"empty"`   // the key is there, without a value
	Newline  bool      `json:"newline"` // the value ends in a line break, as echo adds one
	Written  time.Time `json:"written"` // the last write of it
	Managers []Manager `json:"managers"`
}

// Heard is one refusal or failure, in the words that a client of the store heard.
type Heard struct {
	By   string    `json:"by"`   // bot, app, log (the application's) or probe
	Text string    `json:"text"` // one line
	At   time.Time `json:"at"`   // zero when not known
}

// Exporter is a Deployment that asks Redis for its metrics and serves them to
// Prometheus. The alert looks at it, not at Redis.
type Exporter struct {
	Name   string `json:"name"`
	Wanted int64  `json:"wanted"` // pods
	Ready  int64  `json:"ready"`  // pods
}

// Alert is one alert that opened the incident or joined it.
type Alert struct {
	Name   string            `json:"name"`
	Firing bool              `json:"firing"`
	Since  time.Time         `json:"since"` // when it began to fire
	Until  time.Time         `json:"until"` // when it was resolved; zero while it fires
	Says   string            `json:"says"`  // its summary
	Labels map[string]string `json:"labels"`
}

// App is the application that keeps its sessions in the store.
type App struct {
	Name      string            `json:"name"`
	Pods      int64             `json:"pods"`
	Ready     int64             `json:"ready"`
	PodLabels map[string]string `json:"podLabels"`
	StartedAt time.Time         `json:"startedAt"` // start of its oldest container that runs; zero when not known
	Said      []string          `json:"said"`      // its newest log lines about the store, oldest first
	Created   string            `json:"created"`   // newest line that tells of a session created
	CreatedAt time.Time         `json:"createdAt"` // when that line was written; zero when the log has no times
	FirstAt   time.Time         `json:"firstAt"`   // when the oldest such line was written, as far back as the log was read
}

// Or fills every empty name of t with that of defaults.
func (t Target) Or(defaults Target) Target {
	filled := reflect.ValueOf(&t).Elem()
	from := reflect.ValueOf(defaults)
	for i := range filled.NumField() {
		if filled.Field(i).IsZero() {
			filled.Field(i).Set(from.Field(i))
		}
	}
	return t
}
