package live

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/lab/workload"
)

// Objects is what a plan may change in the patient's namespace: the specs of all
// workloads and Services, and the files of all ConfigMaps.
func (p *Patient) Objects() map[string]any {
	p.T.Helper()
	ctx, all, list := context.Background(), map[string]any{}, metav1.ListOptions{}
	deployments, err := p.Copy.Clients.AppsV1().Deployments(p.Namespace).List(ctx, list)
	if err != nil {
		p.T.Fatal(err)
	}
	for _, one := range deployments.Items {
		all["Deployment/"+one.Name] = one.Spec
	}
	sets, err := p.Copy.Clients.AppsV1().StatefulSets(p.Namespace).List(ctx, list)
	if err != nil {
		p.T.Fatal(err)
	}
	for _, one := range sets.Items {
		all["StatefulSet/"+one.Name] = one.Spec
	}
	services, err := p.Copy.Clients.CoreV1().Services(p.Namespace).List(ctx, list)
	if err != nil {
		p.T.Fatal(err)
	}
	for _, one := range services.Items {
		all["Service/"+one.Name] = one.Spec
	}
	maps, err := p.Copy.Clients.CoreV1().ConfigMaps(p.Namespace).List(ctx, list)
	if err != nil {
		p.T.Fatal(err)
	}
	for _, one := range maps.Items {
		all["ConfigMap/"+one.Name] = one.Data
	}
	return all
}

// Password is the one in the Secret now; "" where there is none.
func (p *Patient) Password() string {
	p.T.Helper()
	secret, err := p.Copy.Clients.CoreV1().Secrets(p.Namespace).Get(context.Background(), workload.Secrets, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		p.T.Fatal(err)
	}
	return strings.TrimSpace(string(secret.Data[workload.PasswordKey]))
}

// Settled is when the newest pod of either workload became ready.
func (p *Patient) Settled() time.Time {
	p.T.Helper()
	var newest time.Time
	for _, app := range []string{workload.Redis, workload.Agent} {
		pods, err := p.Copy.Pods(context.Background(), app)
		if err != nil {
			p.T.Fatal(err)
		}
		for _, pod := range pods {
			for _, condition := range pod.Status.Conditions {
				if condition.Type == corev1.PodReady && condition.LastTransitionTime.After(newest) {
					newest = condition.LastTransitionTime.Time
				}
			}
		}
	}
	return newest
}

// Folder is the folder of the store's volume on this machine.
func (p *Patient) Folder() string {
	p.T.Helper()
	claim, err := p.Copy.Claim(p.T.Context())
	if err != nil {
		p.T.Fatal(err)
	}
	volume, err := p.Copy.Clients.CoreV1().PersistentVolumes().Get(p.T.Context(), claim.Spec.VolumeName, metav1.GetOptions{})
	if err != nil {
		p.T.Fatal(err)
	}
	return volume.Spec.HostPath.Path
}

// Files are the store's own files on its volume, by what is in them; what a plan
// has kept beside them is not among them.
func (p *Patient) Files() map[string]string {
	p.T.Helper()
	folder, all := p.Folder(), map[string]string{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			if err == nil && strings.HasPrefix(entry.Name(), "backup-") {
				return filepath.SkipDir
			}
			return err
		}
		data, err := os.ReadFile(path)
		sum := sha256.Sum256(data)
		name, _ := filepath.Rel(folder, path)
		all[name] = fmt.Sprintf("%d bytes, %s", len(data), hex.EncodeToString(sum[:]))
		return err
	})
	if err != nil {
		p.T.Fatal(err)
	}
	return all
}
