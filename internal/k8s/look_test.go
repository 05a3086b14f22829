package k8s

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metricsv1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"redis-session-bot/internal/evidence"
)

var allChecks = []string{CheckPods, CheckLogs, CheckEndpoints, CheckUsage, CheckReach, CheckVolumes}

var testTarget = evidence.Target{Namespace: "ns", Workload: "redis-session", Container: "redis", Service: "redis-session", Port: 6379,
	Config: "redis-session-config", ConfigKey: "redis.conf", Secret: "secrets", SecretKey: "redis-password", App: "agent"}

// The canaries: one at each place where a secret may stand.
const (
	canarySecret = "canary-secret-7f3a"
	canaryConf   = "canary-conf-81bc"
	canaryEnv    = "canary-env-55d0"
	canaryLog    = "canary-log-9e21"
	canaryArg    = "canary-arg-04fe"
)

// namespace is a Deployment of one pod that crashes, with canaries all over.
func namespace(now time.Time) *api {
	labels := map[string]string{"app": "redis-session"}
	seen := metav1.NewTime(now.Add(-time.Minute))
	isController := true
	container := corev1.Container{Name: "redis", Image: "redis:7",
		Command: []string{"redis-server", "/etc/redis.conf", "--requirepass", canaryArg},
		Env: []corev1.EnvVar{{Name: "EXTRA", Value: canaryEnv}, {Name: "REDIS_HOST", Value: "redis-session"},
			{Name: "REDIS_PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: "secrets"}, Key: "redis-password"}}}}}
	spec := corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{container},
		Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "redis-data"}}}}}
	deployment := func(name string) appsv1.Deployment {
		return appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns", UID: "d-1", Generation: 2,
			Annotations: map[string]string{lastApplied: `{"env":[{"name":"EXTRA","value":"` + canaryEnv + `"}]}`, "note": "password is " + canarySecret},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl", Operation: "Update", Time: &seen,
				FieldsV1: metav1.NewFieldsV1(`{"f:spec":{}}`)}}},
			Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
				Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": name}}, Spec: spec}}}
	}
	owner := []metav1.OwnerReference{{Kind: "Deployment", Name: "redis-session", UID: "d-1", Controller: &isController}}
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "redis-session-1-a", Namespace: "ns", UID: "p-1", Labels: labels}, Spec: spec,
		Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{Name: "redis", RestartCount: 3,
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}},
			State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off, said " + canarySecret}}}}}}
	event := corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: "e-1", Namespace: "ns"}, InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: pod.Name},
		Reason: "Unhealthy", Message: `probe failed: redis-cli -a ` + canaryArg + ` says AUTH ` + canarySecret, LastTimestamp: seen}
	const base = "/api/v1/namespaces/ns/"
	return &api{
		objects: map[string]any{
			"/apis/apps/v1/namespaces/ns/deployments": appsv1.DeploymentList{Items: []appsv1.Deployment{deployment("agent"), deployment("redis-session")}},
			"/apis/apps/v1/namespaces/ns/replicasets": appsv1.ReplicaSetList{Items: []appsv1.ReplicaSet{{
				ObjectMeta: metav1.ObjectMeta{Name: "redis-session-1", OwnerReferences: owner, Annotations: map[string]string{"deployment.kubernetes.io/revision": "1"}},
				Spec:       appsv1.ReplicaSetSpec{Template: corev1.PodTemplateSpec{Spec: spec}}}}},
			base + "pods?app in (agent,redis-session)": corev1.PodList{Items: []corev1.Pod{pod}},
			base + "events":                            corev1.EventList{Items: []corev1.Event{event}},
			base + "services/redis-session":            corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "redis-session"}},
			base + "persistentvolumeclaims/redis-data": corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "redis-data"}},
			base + "configmaps/redis-session-config": corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "redis-session-config"},
				Data: map[string]string{"redis.conf": "port 6379\nrequirepass " + canaryConf + "\n", "other": "not for everybody"}},
			base + "secrets/secrets": corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "secrets", Namespace: "ns", CreationTimestamp: seen,
				Annotations:   map[string]string{lastApplied: `{"data":{"api":"` + base64.StdEncoding.EncodeToString([]byte(canaryLog)) + `"}}`, "note": canarySecret},
				ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "vault", Operation: "Update", Time: &seen, FieldsV1: metav1.NewFieldsV1(`{"f:data":{}}`)}}},
				Data: map[string][]byte{"redis-password": []byte(canarySecret + "\n"), "api": []byte(canaryLog), "region": []byte("eu"), "spare": {}}},
			"/api/v1/nodes/node-1": corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}},
			"/apis/discovery.k8s.io/v1/namespaces/ns/endpointslices": discoveryv1.EndpointSliceList{Items: []discoveryv1.EndpointSlice{{}}},
			"/apis/storage.k8s.io/v1/storageclasses":                 storagev1.StorageClassList{Items: []storagev1.StorageClass{{}}},
			"/apis/metrics.k8s.io/v1beta1/namespaces/ns/pods":        metricsv1.PodMetricsList{Items: []metricsv1.PodMetrics{{}}},
		},
		texts: map[string]string{
			base + "pods/redis-session-1-a/log":          "started with " + canarySecret + "\n>>> 'requirepass " + canaryConf + " x'\ntoken " + canaryLog + "\nenv " + canaryEnv + "\n",
			base + "pods/redis-session-1-a/log?previous": "redis://:" + canarySecret + "@redis-session\nit has " + canarySecret + "\n and " + base64.StdEncoding.EncodeToString([]byte(canarySecret+"\n")) + "\n" + base64.StdEncoding.EncodeToString([]byte(canarySecret)) + "\n",
		},
	}
}

// TestLookReads runs all six at once: each fills what it is for, and together
// they cost few requests.
func TestLookReads(t *testing.T) {
	now := time.Date(2026, 11, 23, 2, 50, 0, 0, time.UTC)
	server := namespace(now)
	bundle := lookAll(t, server.cluster(t, now), testTarget)
	for source, ok := range map[string]bool{
		evidence.FilePods: len(bundle.Pods.Items) == 1, evidence.FileEvents: len(bundle.Events.Items) == 1,
		evidence.FileServices: len(bundle.Services.Items) == 1, evidence.FileSlices: len(bundle.Slices.Items) == 1,
		evidence.FileClaims: len(bundle.Claims.Items) == 1, evidence.FileDeployments: len(bundle.Deployments.Items) == 2,
		evidence.FileReplicaSets: len(bundle.ReplicaSets.Items) == 1, evidence.FileConfigMaps: len(bundle.ConfigMaps.Items) == 1,
		evidence.FileClasses: len(bundle.Classes.Items) == 1, evidence.FileNodes: len(bundle.Nodes.Items) == 1,
		evidence.FileMetrics: len(bundle.Metrics.Items) == 1, evidence.SourceLogs: len(bundle.Logs) == 2,
	} {
		if !ok || bundle.Missing[source] != "" {
			t.Errorf("%s was not read: %s", source, bundle.Missing[source])
		}
	}
	if got := bundle.ConfigMaps.Items[0].Data; len(got) != 1 || !strings.Contains(got["redis.conf"], "port 6379") {
		t.Errorf("of the ConfigMap left: %v", got)
	}
	secret := bundle.Secrets.Items[0]
	for key, want := range map[string]string{"redis-password": "***\n", "api": "***", "region": "***", "spare": ""} {
		if got := string(secret.Data[key]); got != want || len(secret.Data) != 4 {
			t.Errorf("of %s in the Secret left %q, want %q", key, got, want)
		}
	}
	if secret.Name != "secrets" || secret.Annotations != nil || secret.CreationTimestamp.IsZero() || len(secret.ManagedFields) != 1 || secret.ManagedFields[0].FieldsV1 != nil {
		t.Errorf("of the Secret left: %+v", secret)
	}
	if bundle.Meta.At != now || bundle.Meta.Workload != "redis-session" {
		t.Errorf("meta is %+v", bundle.Meta)
	}
	if fields := bundle.Deployments.Items[0].ManagedFields; len(fields) != 1 || fields[0].Manager != "kubectl" || fields[0].FieldsV1 != nil {
		t.Errorf("managedFields are %+v", fields)
	}
	if len(server.asked) > 13 {
		t.Errorf("%d requests:\n%s", len(server.asked), strings.Join(server.asked, "\n"))
	}
}

// TestCanaries looks for every canary in everything that leaves.
func TestCanaries(t *testing.T) {
	now := time.Date(2026, 11, 23, 2, 50, 0, 0, time.UTC)
	for _, forbidden := range []string{"", "configmaps", "/pods", "replicasets"} {
		t.Run("without "+forbidden, func(t *testing.T) {
			server := namespace(now)
			if forbidden != "" {
				server.forbidden = []string{forbidden}
			}
			bundle := lookAll(t, server.cluster(t, now), testTarget)
			data, err := json.Marshal(bundle)
			if err != nil {
				t.Fatal(err)
			}
			all := string(data) + fmt.Sprint(bundle.Logs)
			for _, canary := range []string{canarySecret, canaryConf, canaryEnv, canaryLog, canaryArg,
				canarySecret + "\n", canarySecret + `\n`,
				base64.StdEncoding.EncodeToString([]byte(canarySecret)), base64.StdEncoding.EncodeToString([]byte(canarySecret + "\n")),
				base64.StdEncoding.EncodeToString([]byte(canaryLog))} {
				if at := strings.Index(all, canary); at >= 0 {
					t.Errorf("%s leaves: …%s…", canary, all[max(0, at-80):min(len(all), at+80)])
				}
			}
			if forbidden == "" && !strings.Contains(all, `"redis-session-1-a"`) {
				t.Error("redaction broke the pod's name")
			}
		})
	}
}

// TestLookForbidden is that one source that is refused stops nothing else.
func TestLookForbidden(t *testing.T) {
	now := time.Date(2026, 11, 23, 2, 50, 0, 0, time.UTC)
	server := namespace(now)
	server.forbidden = []string{"/log", "/nodes", "secrets/"}
	bundle := lookAll(t, server.cluster(t, now), testTarget)
	for source, want := range map[string]string{
		evidence.SourceLogs:  `The bot may not get pods/log. Add to its Role in ns: {apiGroups: [""], resources: [pods/log], verbs: [get]}. Or run: kubectl -n ns logs -l app=redis-session`,
		evidence.FileNodes:   `Add to its ClusterRole: {apiGroups: [""], resources: [nodes], verbs: [get]}`,
		evidence.FileSecrets: `Add to its Role in ns: {apiGroups: [""], resources: [secrets], verbs: [get]}`,
	} {
		if !strings.Contains(bundle.Missing[source], want) {
			t.Errorf("%s: %q", source, bundle.Missing[source])
		}
	}
	if bundle.Pods == nil || bundle.Events == nil {
		t.Error("the others were not read")
	}
}

// TestLookHangs is that a source that never answers becomes unknown in time.
func TestLookHangs(t *testing.T) {
	now := time.Date(2026, 11, 23, 2, 50, 0, 0, time.UTC)
	server := namespace(now)
	server.silent = []string{"/events"}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	begun := time.Now()
	bundle, err := server.cluster(t, now).Look(testTarget).Check(ctx, CheckPods)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("took %s", took)
	}
	if bundle.Pods == nil || bundle.Events != nil || !strings.Contains(bundle.Missing[evidence.FileEvents], "did not answer in time") {
		t.Errorf("missing: %v", bundle.Missing)
	}
}

func TestLookUnreachable(t *testing.T) {
	server := namespace(time.Now())
	cluster := server.cluster(t, time.Now())
	config := *cluster.REST
	config.Host = "http://127.0.0.1:1"
	clusters := &Clusters{Now: time.Now, open: map[string]*Cluster{"": openAt(t, &config)}}
	_, err := clusters.Look(testTarget).Check(t.Context(), CheckPods)
	var unreachable *Unreachable
	if !errors.As(err, &unreachable) || err.Error() != "The Kubernetes API server http://127.0.0.1:1 cannot be reached: connection refused. Check the cluster, the network and the kubeconfig." {
		t.Errorf("got %v", err)
	}
}

// TestLookSilent is that an API server that answers nothing is an error, not
// six reasons.
func TestLookSilent(t *testing.T) {
	server := namespace(time.Now())
	server.silent = []string{"/"}
	l := server.cluster(t, time.Now()).look(testTarget)
	l.patience = 50 * time.Millisecond
	_, err := l.Check(t.Context(), CheckPods)
	var unreachable *Unreachable
	if !errors.As(err, &unreachable) || !strings.Contains(err.Error(), "cannot be reached: it did not answer in time.") {
		t.Errorf("got %v", err)
	}
}

func TestLookNothingThere(t *testing.T) {
	now := time.Now()
	server := &api{objects: map[string]any{"/api/v1/namespaces/ns/pods": corev1.PodList{}, "/api/v1/namespaces/ns/events": corev1.EventList{}}}
	bundle := lookAll(t, server.cluster(t, now), testTarget)
	if bundle.Deployments == nil || bundle.StatefulSets == nil || len(bundle.Services.Items) != 0 || len(bundle.ConfigMaps.Items) != 0 {
		t.Errorf("missing: %v", bundle.Missing)
	}
	if evidence.Read(bundle, testTarget).Workload.Exists || !evidence.Read(bundle, testTarget).Knows("workload") {
		t.Error("that there is no workload is known")
	}
}

func lookAll(t *testing.T, cluster *Cluster, target evidence.Target) evidence.Bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	look := cluster.Look(target)
	var (
		mu     sync.Mutex
		bundle evidence.Bundle
		group  sync.WaitGroup
	)
	for _, check := range allChecks {
		group.Go(func() {
			part, err := look.Check(ctx, check)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("%s: %v", check, err)
			}
			bundle.Add(part)
		})
	}
	group.Wait()
	return bundle
}
