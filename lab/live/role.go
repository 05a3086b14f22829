package live

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
)

// Account is the ServiceAccount that the bot acts as in a patient's namespace.
const Account = "redis-session-bot"

// Grants are the manifests that `bot rbac` prints for the patient, with more arguments.
func (p *Patient) Grants(args ...string) []runtime.Object {
	p.T.Helper()
	command := exec.CommandContext(p.T.Context(), p.Bot, append([]string{"rbac", "-n", p.Namespace, "--service-account", p.Namespace + "/" + Account}, args...)...)
	command.Dir, command.Stderr = p.T.TempDir(), os.Stderr
	output, err := command.Output()
	if err != nil {
		p.T.Fatalf("bot rbac: %v", err)
	}
	return p.Manifests(output)
}

// Manifests reads the objects of a YAML file.
func (p *Patient) Manifests(text []byte) []runtime.Object {
	p.T.Helper()
	var all []runtime.Object
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			p.T.Fatal(err)
		}
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode(document, nil, nil)
		if err != nil {
			p.T.Fatalf("no manifest: %v\n%s", err, document)
		}
		all = append(all, object)
	}
}

// Grant creates the roles, replacing those of the same names, until the test ends.
func (p *Patient) Grant(manifests []runtime.Object) {
	p.T.Helper()
	rbac, ctx := p.Copy.Clients.RbacV1(), context.Background()
	for _, object := range manifests {
		var err error
		switch o := object.(type) {
		case *rbacv1.Role:
			if _, err = rbac.Roles(p.Namespace).Update(ctx, o, metav1.UpdateOptions{}); err != nil {
				_, err = rbac.Roles(p.Namespace).Create(ctx, o, metav1.CreateOptions{})
			}
		case *rbacv1.RoleBinding:
			if _, err = rbac.RoleBindings(p.Namespace).Update(ctx, o, metav1.UpdateOptions{}); err != nil {
				_, err = rbac.RoleBindings(p.Namespace).Create(ctx, o, metav1.CreateOptions{})
			}
		case *rbacv1.ClusterRole:
			if _, err = rbac.ClusterRoles().Update(ctx, o, metav1.UpdateOptions{}); err != nil {
				_, err = rbac.ClusterRoles().Create(ctx, o, metav1.CreateOptions{})
			}
		case *rbacv1.ClusterRoleBinding:
			if _, err = rbac.ClusterRoleBindings().Update(ctx, o, metav1.UpdateOptions{}); err != nil {
				_, err = rbac.ClusterRoleBindings().Create(ctx, o, metav1.CreateOptions{})
			}
		default:
			p.T.Fatalf("bot rbac prints a %T", object)
		}
		if err != nil {
			p.T.Fatal(err)
		}
	}
}

// asAccount lets the bot act as its ServiceAccount, with what `bot rbac` grants
// it and no more.
func (p *Patient) asAccount() {
	p.T.Helper()
	p.Grant(p.Grants())
	p.T.Cleanup(func() { // the namespace takes the rest with it
		rbac, name := p.Copy.Clients.RbacV1(), p.Namespace+":"+Account
		err := errors.Join(rbac.ClusterRoles().Delete(context.Background(), name, metav1.DeleteOptions{}),
			rbac.ClusterRoleBindings().Delete(context.Background(), name, metav1.DeleteOptions{}))
		if err != nil {
			p.T.Error(err)
		}
	})
	config, err := clientcmd.LoadFromFile(p.Admin)
	if err != nil {
		p.T.Fatal(err)
	}
	for _, user := range config.AuthInfos {
		user.Impersonate = "system:serviceaccount:" + p.Namespace + ":" + Account
		// The API server adds these groups to every ServiceAccount.
		user.ImpersonateGroups = []string{"system:serviceaccounts", "system:serviceaccounts:" + p.Namespace, "system:authenticated"}
	}
	p.Kubeconfig = filepath.Join(p.T.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, p.Kubeconfig); err != nil {
		p.T.Fatal(err)
	}
}
