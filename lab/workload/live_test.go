package workload_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"redis-session-bot/lab/cluster"
	"redis-session-bot/lab/workload"
)

// TestWorkload brings, changes and removes copies on a real cluster.
func TestWorkload(t *testing.T) {
	repo, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	lab, err := cluster.Up(t.Context(), cluster.Options{Repo: repo, Images: workload.Images, Out: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Run("up twice, then the other shape, then down", func(t *testing.T) {
		t.Parallel()
		upTwice(t, options(t, lab.Kubeconfig, "workload-up"))
	})
	t.Run("heal removes what others added", func(t *testing.T) {
		t.Parallel()
		healForeign(t, options(t, lab.Kubeconfig, "workload-heal"))
	})
	t.Run("a namespace of others is left alone", func(t *testing.T) {
		t.Parallel()
		foreignNamespace(t, workload.Options{Kubeconfig: lab.Kubeconfig, Namespace: "default"})
	})
}

// options name a copy that is gone at the test's end.
func options(t *testing.T, kubeconfig, namespace string) workload.Options {
	o := workload.Options{Kubeconfig: kubeconfig, Namespace: namespace, Out: t.Output()}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		o.Out = nil
		if err := workload.Down(ctx, o); err != nil {
			t.Error(err)
		}
	})
	return o
}

func up(t *testing.T, o workload.Options) *workload.Copy {
	t.Helper()
	if err := workload.Up(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	c, err := workload.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func upTwice(t *testing.T, o workload.Options) {
	c := up(t, o)
	before := identities(t, c)
	up(t, o)
	if diff := cmp.Diff(before, identities(t, c)); diff != "" {
		t.Errorf("a second up changed the pods:\n%s", diff)
	}
	o.Shape = workload.StatefulSet
	up(t, o)
	if shape, err := workload.Shape(t.Context(), o); err != nil || shape != workload.StatefulSet {
		t.Errorf("the shape is %q, %v", shape, err)
	}
	claims, err := c.Clients.CoreV1().PersistentVolumeClaims(o.Namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(claims.Items) != 1 || claims.Items[0].Name != "data-redis-session-0" {
		t.Errorf("the claims are %v, %v", claims.Items, err)
	}
	if err := workload.Down(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if shape, err := workload.Shape(t.Context(), o); err != nil || shape != "" {
		t.Errorf("after down the shape is %q, %v", shape, err)
	}
	if err := workload.Down(t.Context(), o); err != nil {
		t.Errorf("a second down: %v", err)
	}
}

// identities are the UIDs and restarts of every pod.
func identities(t *testing.T, c *workload.Copy) map[types.UID]int32 {
	t.Helper()
	found := map[types.UID]int32{}
	for _, app := range []string{workload.Redis, workload.Agent} {
		pods, err := c.Pods(t.Context(), app)
		if err != nil {
			t.Fatal(err)
		}
		for _, pod := range pods {
			found[pod.UID] = pod.Status.ContainerStatuses[0].RestartCount
		}
	}
	return found
}

// healForeign spoils everything that a person with kubectl can reach in the
// namespace.
func healForeign(t *testing.T, o workload.Options) {
	c := up(t, o)
	core, ns := c.Clients.CoreV1(), o.Namespace
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(core.ResourceQuotas(ns).Create(t.Context(), &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "none"},
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}}}, metav1.CreateOptions{}))
	must(c.Clients.NetworkingV1().NetworkPolicies(ns).Create(t.Context(), &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "none"}}, metav1.CreateOptions{}))
	must(core.Namespaces().Patch(t.Context(), ns, types.MergePatchType,
		[]byte(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}`), metav1.PatchOptions{}))
	must(core.Services(ns).Patch(t.Context(), workload.Redis, types.MergePatchType,
		[]byte(`{"metadata":{"annotations":{"who":"me"}},"spec":{"selector":{"app":"nobody","tier":"db"}}}`), metav1.PatchOptions{}))
	must(core.ConfigMaps(ns).Patch(t.Context(), workload.RedisConfig, types.MergePatchType,
		[]byte(`{"data":{"redis.conf":"port 1","users.acl":"user default off"}}`), metav1.PatchOptions{}))
	must(core.ConfigMaps(ns).Patch(t.Context(), workload.AgentConfig, types.MergePatchType,
		[]byte(`{"data":{"session_backend":"memory"}}`), metav1.PatchOptions{}))
	must(c.Clients.StorageV1().StorageClasses().Create(t.Context(), &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{Name: ns + "-none", Labels: map[string]string{workload.CopyLabel: ns}}, Provisioner: "example.com/none"}, metav1.CreateOptions{}))
	before := password(t, c)
	must(core.Secrets(ns).Patch(t.Context(), workload.Secrets, types.MergePatchType,
		[]byte(`{"stringData":{"redis-password":"`+before+`\n"}}`), metav1.PatchOptions{}))
	must(c.Clients.AppsV1().Deployments(ns).Patch(t.Context(), workload.Redis, types.StrategicMergePatchType,
		[]byte(`{"spec":{"paused":true,"replicas":3,"template":{"spec":{"nodeSelector":{"disk":"none"},"containers":[{"name":"redis","env":[{"name":"EXTRA","value":"1"}]}]}}}}`), metav1.PatchOptions{}))

	if err := workload.Heal(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if got := password(t, c); got != before {
		t.Error("the password is not as it was")
	}
	quotas, err := core.ResourceQuotas(ns).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(quotas.Items) > 0 {
		t.Errorf("the quotas are %v, %v", quotas.Items, err)
	}
	if _, err := c.Clients.StorageV1().StorageClasses().Get(t.Context(), ns+"-none", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the storage class of the copy: %v", err)
	}
	policies, err := c.Clients.NetworkingV1().NetworkPolicies(ns).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(policies.Items) > 0 {
		t.Errorf("the network policies are %v, %v", policies.Items, err)
	}
	space, err := core.Namespaces().Get(t.Context(), ns, metav1.GetOptions{})
	if err != nil || len(space.Labels) != 2 {
		t.Errorf("the namespace has the labels %v, %v", space.Labels, err)
	}
	service, err := core.Services(ns).Get(t.Context(), workload.Redis, metav1.GetOptions{})
	must(nil, err)
	if diff := cmp.Diff(map[string]string{"app": workload.Redis}, service.Spec.Selector); diff != "" || len(service.Annotations) > 0 {
		t.Errorf("the service selects (-want +got):\n%s\nwith the annotations %v", diff, service.Annotations)
	}
	config, err := core.ConfigMaps(ns).Get(t.Context(), workload.RedisConfig, metav1.GetOptions{})
	must(nil, err)
	if len(config.Data) != 1 || !strings.Contains(config.Data[workload.RedisConfigKey], "appendonly yes\n") {
		t.Errorf("the configuration is %v", config.Data)
	}
	deployment, err := c.Clients.AppsV1().Deployments(ns).Get(t.Context(), workload.Redis, metav1.GetOptions{})
	must(nil, err)
	if pod := deployment.Spec.Template.Spec; *deployment.Spec.Replicas != 1 || deployment.Spec.Paused || len(pod.NodeSelector) > 0 || len(pod.Containers[0].Env) != 2 {
		t.Errorf("the deployment is %v", deployment.Spec)
	}
}

func password(t *testing.T, c *workload.Copy) string {
	t.Helper()
	secret, err := c.Clients.CoreV1().Secrets(c.Namespace).Get(t.Context(), workload.Secrets, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return string(secret.Data[workload.PasswordKey])
}

// foreignNamespace: whatever is asked for, a namespace that the lab did not
// make is left alone.
func foreignNamespace(t *testing.T, o workload.Options) {
	for name, do := range map[string]func(context.Context, workload.Options) error{
		"up": workload.Up, "heal": workload.Heal, "down": workload.Down,
	} {
		if err := do(t.Context(), o); err == nil || !strings.Contains(err.Error(), "was not made by the lab") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
