package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// certificates makes the lab's own authority, what it signs, the key of the
// service accounts, the administrator's token and the kubeconfig. All of it
// is made once and lives in the state folder.
func (c *Cluster) certificates() error {
	if _, err := os.Stat(c.Kubeconfig); err == nil {
		return nil
	}
	if err := os.MkdirAll(c.path("pki"), 0o700); err != nil {
		return err
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	ca, err := cert.NewSelfSignedCACert(cert.Config{CommonName: "redis-session-lab"}, caKey)
	if err != nil {
		return fmt.Errorf("make the authority: %w", err)
	}
	if err := writePEM(c.path("pki", "ca.crt"), cert.CertificateBlockType, ca.Raw); err != nil {
		return err
	}
	leaves := []struct {
		file, name string
		group      []string
		usage      x509.ExtKeyUsage
	}{
		{"apiserver", "kube-apiserver", nil, x509.ExtKeyUsageServerAuth},
		{"front-proxy", "front-proxy-client", nil, x509.ExtKeyUsageClientAuth},
		{"kubelet-client", "kube-apiserver", []string{"system:masters"}, x509.ExtKeyUsageClientAuth},
	}
	for _, leaf := range leaves {
		if err := c.sign(leaf.file, leaf.name, leaf.group, leaf.usage, ca, caKey); err != nil {
			return fmt.Errorf("sign %s: %w", leaf.file, err)
		}
	}
	accounts, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	if err := writePEM(c.path("pki", "accounts.key"), keyutil.RSAPrivateKeyBlockType, x509.MarshalPKCS1PrivateKey(accounts)); err != nil {
		return err
	}
	return c.credentials()
}

// sign makes a key and a certificate for one part of the cluster.
func (c *Cluster) sign(file, name string, groups []string, usage x509.ExtKeyUsage, ca *x509.Certificate, caKey *ecdsa.PrivateKey) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		Subject:      pkix.Name{CommonName: name, Organization: groups},
		DNSNames:     []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
		IPAddresses:  []net.IP{net.ParseIP(nodeIP), net.ParseIP("127.0.0.1"), net.ParseIP("10.96.0.1")},
		SerialNumber: serial,
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{usage},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, key.Public(), caKey)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	if err := writePEM(c.path("pki", file+".key"), keyutil.ECPrivateKeyBlockType, keyDER); err != nil {
		return err
	}
	return writePEM(c.path("pki", file+".crt"), cert.CertificateBlockType, der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// credentials writes the token file and the kubeconfig with its token.
func (c *Cluster) credentials() error {
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	token := hex.EncodeToString(random)
	if err := os.WriteFile(c.path("pki", "tokens.csv"), []byte(token+",lab-admin,lab-admin,system:masters\n"), 0o600); err != nil {
		return err
	}
	ca, err := os.ReadFile(c.path("pki", "ca.crt"))
	if err != nil {
		return err
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["lab"] = &clientcmdapi.Cluster{Server: c.APIServer, CertificateAuthorityData: ca}
	config.AuthInfos["lab"] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts["lab"] = &clientcmdapi.Context{Cluster: "lab", AuthInfo: "lab"}
	config.CurrentContext = "lab"
	data, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("write the kubeconfig: %w", err)
	}
	return write(c.Kubeconfig, string(data))
}
