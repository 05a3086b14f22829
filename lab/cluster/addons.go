package cluster

import (
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"
)

// objects are what the add-ons need in the API: CoreDNS and metrics-server
// run as processes on the node, behind Services with addresses written by hand.
const objects = `
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: standard
  annotations: {storageclass.kubernetes.io/is-default-class: "true"}
provisioner: kubernetes.io/host-path
reclaimPolicy: Delete
volumeBindingMode: Immediate
---
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system}
spec:
  clusterIP: ` + dnsIP + `
  ports:
  - {name: dns, port: 53, protocol: UDP}
  - {name: dns-tcp, port: 53, protocol: TCP}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: kube-dns-lab, namespace: kube-system, labels: {kubernetes.io/service-name: kube-dns}}
addressType: IPv4
ports:
- {name: dns, port: 53, protocol: UDP}
- {name: dns-tcp, port: 53, protocol: TCP}
endpoints:
- addresses: [` + nodeIP + `]
---
apiVersion: v1
kind: Service
metadata: {name: metrics-server, namespace: kube-system}
spec:
  ports:
  - {name: https, port: 443, targetPort: ` + metricsPort + `, protocol: TCP}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: metrics-server-lab, namespace: kube-system, labels: {kubernetes.io/service-name: metrics-server}}
addressType: IPv4
ports:
- {name: https, port: ` + metricsPort + `, protocol: TCP}
endpoints:
- addresses: [` + nodeIP + `]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1beta1.metrics.k8s.io}
spec:
  group: metrics.k8s.io
  version: v1beta1
  groupPriorityMinimum: 100
  versionPriority: 100
  insecureSkipTLSVerify: true
  service: {name: metrics-server, namespace: kube-system}
`

const corefile = `.:53 {
    bind ` + nodeIP + `
    errors
    ready 127.0.0.1:20181
    cache 5
    kubernetes cluster.local {
        kubeconfig %s lab
    }
}
`

// addons brings names and measurements.
func (c *Cluster) addons(ctx context.Context) error {
	if err := c.apply(ctx, objects); err != nil {
		return err
	}
	if err := write(c.path("Corefile"), fmt.Sprintf(corefile, c.Kubeconfig)); err != nil {
		return err
	}
	if err := c.startKube("coredns", "-conf", c.path("Corefile")); err != nil {
		return err
	}
	if err := c.startKube("metrics-server", "--kubeconfig="+c.Kubeconfig, "--authentication-kubeconfig="+c.Kubeconfig,
		"--authorization-kubeconfig="+c.Kubeconfig, "--bind-address="+nodeIP, "--secure-port="+metricsPort, "--cert-dir="+c.path("certs", "metrics"),
		"--kubelet-insecure-tls", "--kubelet-use-node-status-port", "--kubelet-preferred-address-types=InternalIP", "--metric-resolution=11s", "--kubelet-request-timeout=5s"); err != nil {
		return err
	}
	if err := eventually(ctx, 30*time.Second, 200*time.Millisecond, func(ctx context.Context) error {
		return c.answers(ctx, "coredns", "http://127.0.0.1:20181/ready")
	}); err != nil {
		return err
	}
	client, err := c.Client()
	if err != nil {
		return err
	}
	return eventually(ctx, 30*time.Second, 300*time.Millisecond, func(ctx context.Context) error {
		if !c.running("metrics-server") {
			return fmt.Errorf("metrics-server has ended: %s", c.tail("metrics-server"))
		}
		if _, err := client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{}); err != nil {
			return err
		}
		return client.Discovery().RESTClient().Get().AbsPath("/apis/metrics.k8s.io/v1beta1").Do(ctx).Error()
	})
}

// apply makes the objects of a YAML text as they are written, whoever changed
// them since.
func (c *Cluster) apply(ctx context.Context, text string) error {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		return err
	}
	client, err := c.Client()
	if err != nil {
		return err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client.Discovery()))
	dynamicClient, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	for _, document := range strings.Split(text, "\n---\n") {
		var object unstructured.Unstructured
		if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
			return err
		}
		kind := object.GroupVersionKind()
		mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
		if err != nil {
			return fmt.Errorf("%s: %w", kind.Kind, err)
		}
		resource := dynamicClient.Resource(mapping.Resource).Namespace(object.GetNamespace())
		_, err = resource.Apply(ctx, object.GetName(), &object, metav1.ApplyOptions{FieldManager: "lab", Force: true})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("apply %s %s: %w", kind.Kind, object.GetName(), err)
		}
	}
	return nil
}
