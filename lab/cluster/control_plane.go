package cluster

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// controlPlane starts etcd, the API server, the controllers and the scheduler.
func (c *Cluster) controlPlane(ctx context.Context) error {
	if err := c.startKube("etcd", "--name=lab", "--data-dir="+c.path("etcd"),
		"--listen-client-urls=http://"+etcdClient, "--advertise-client-urls=http://"+etcdClient,
		"--listen-peer-urls=http://"+etcdPeer, "--initial-advertise-peer-urls=http://"+etcdPeer,
		"--initial-cluster=lab=http://"+etcdPeer, "--unsafe-no-fsync", "--log-level=warn"); err != nil {
		return err
	}
	if err := eventually(ctx, 30*time.Second, 200*time.Millisecond, func(ctx context.Context) error {
		return c.answers(ctx, "etcd", "http://"+etcdClient+"/health")
	}); err != nil {
		return err
	}
	if err := c.StartAPIServer(ctx); err != nil {
		return err
	}
	if err := c.mountVolumes(); err != nil {
		return err
	}
	if err := c.startKube("kube-controller-manager", "--kubeconfig="+c.Kubeconfig, "--bind-address=127.0.0.1", "--secure-port=20257",
		"--leader-elect=false", "--enable-hostpath-provisioner=true", "--use-service-account-credentials=false",
		"--service-account-private-key-file="+c.path("pki", "accounts.key"), "--root-ca-file="+c.path("pki", "ca.crt"),
		"--cert-dir="+c.path("certs"), "--flex-volume-plugin-dir="+c.path("volume-plugins"), "--node-monitor-grace-period=40s"); err != nil {
		return err
	}
	return c.startKube("kube-scheduler", "--kubeconfig="+c.Kubeconfig, "--bind-address=127.0.0.1", "--secure-port=20259",
		"--leader-elect=false", "--cert-dir="+c.path("certs"))
}

// StartAPIServer starts the API server, if it does not run, and returns when
// it is ready.
func (c *Cluster) StartAPIServer(ctx context.Context) error {
	pki := func(file string) string { return c.path("pki", file) }
	if err := c.startKube("kube-apiserver",
		"--etcd-servers=http://"+etcdClient, "--bind-address="+nodeIP, "--advertise-address="+nodeIP, "--secure-port="+apiPort,
		"--service-cluster-ip-range="+serviceNet, "--authorization-mode=RBAC", "--token-auth-file="+pki("tokens.csv"),
		"--client-ca-file="+pki("ca.crt"), "--tls-cert-file="+pki("apiserver.crt"), "--tls-private-key-file="+pki("apiserver.key"),
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+pki("accounts.key"),
		"--service-account-signing-key-file="+pki("accounts.key"),
		"--kubelet-client-certificate="+pki("kubelet-client.crt"), "--kubelet-client-key="+pki("kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP", "--enable-aggregator-routing=true",
		"--requestheader-client-ca-file="+pki("ca.crt"), "--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file="+pki("front-proxy.crt"), "--proxy-client-key-file="+pki("front-proxy.key"),
		"--cert-dir="+c.path("certs"), "--shutdown-delay-duration=0s", "--shutdown-send-retry-after=false"); err != nil {
		return err
	}
	client, err := c.Client()
	if err != nil {
		return err
	}
	return eventually(ctx, time.Minute, 200*time.Millisecond, func(ctx context.Context) error {
		if !c.running("kube-apiserver") {
			return fmt.Errorf("kube-apiserver has ended: %s", c.tail("kube-apiserver"))
		}
		return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
}

// StopAPIServer stops the API server alone, as if it were down.
func (c *Cluster) StopAPIServer() error { return c.stop("kube-apiserver", 20*time.Second) }

// startKube starts one of the programs of the kube binary.
func (c *Cluster) startKube(name string, args ...string) error {
	path, err := c.link(name)
	if err != nil {
		return err
	}
	return c.start(name, path, args...)
}

// answers asks an address on loopback once.
func (c *Cluster) answers(ctx context.Context, name, url string) error {
	if !c.running(name) {
		return fmt.Errorf("%s has ended: %s", name, c.tail(name))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s says %s", name, response.Status)
	}
	return nil
}
