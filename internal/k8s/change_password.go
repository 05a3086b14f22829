package k8s

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
)

const changePassword = "rotate-password"

// rotatedAt is an annotation of the Secret that tells when the bot has put a new
// password into it, and so whether it has: of the password itself nothing is
// kept that could be compared.
const rotatedAt = "redis-session-bot/rotated-at"

// passwordArgs are those of rotate-password. At is filled in when the plan is
// made.
type passwordArgs struct {
	At string `json:"at,omitempty"` // RFC 3339
}

// passwordChange puts a new password into the Secret. It is made in the moment
// in which it is written and goes nowhere else: a plan cannot carry it, and its
// dry run writes another one than the apply.
func passwordChange() change {
	return change{
		says:     "puts a new random password into the Secret; nobody is shown it, and the old one is kept nowhere. Restart the store and the application after it",
		validate: func(args json.RawMessage) error { return decodeArgs(args, &passwordArgs{}) },
		resolve: func(_ context.Context, c *Cluster, _ evidence.Target, _ json.RawMessage) (json.RawMessage, error) {
			return json.Marshal(passwordArgs{c.Now().UTC().Format(time.RFC3339Nano)})
		},
		about: theSecret,
		needs: func(evidence.Target) []permission { return allow("list", "pods") },
		edit: func(ctx context.Context, c *Cluster, target evidence.Target, object any, args json.RawMessage) (edited, error) {
			secret, ok := object.(*corev1.Secret)
			if !ok {
				return edited{}, errors.New("rotate-password is about a Secret")
			}
			var a passwordArgs
			if err := decodeArgs(args, &a); err != nil {
				return edited{}, err
			}
			return c.rotate(ctx, target, secret, a.At)
		},
	}
}

// theSecret is the one with the store's password.
func theSecret(target evidence.Target, _ json.RawMessage) objectName {
	return objectName{kindSecret, target.Secret}
}

func (c *Cluster) rotate(ctx context.Context, target evidence.Target, secret *corev1.Secret, at string) (edited, error) {
	if secret.Immutable != nil && *secret.Immutable {
		return edited{}, refuse("Secret %s is immutable: make a new one, and let the store and the application read that.", secret.Name)
	}
	if target.SecretKey == "" {
		return edited{}, refuse("The target does not say which key of Secret %s is the password: set its secretKey.", secret.Name)
	}
	if err := c.readsSecret(ctx, target); err != nil {
		return edited{}, err
	}
	if secret.Data == nil {
		secret.Data = map[string][]byte{}
	}
	secret.Data[target.SecretKey] = []byte(newPassword())
	metav1.SetMetaDataAnnotation(&secret.ObjectMeta, rotatedAt, at)
	e := edited{
		title:    fmt.Sprintf("put a new random password into %s of Secret %s; nobody is shown it", target.SecretKey, secret.Name),
		kubectl:  fmt.Sprintf("kubectl edit secret/%s -n %s", secret.Name, target.Namespace),
		noUndo:   "the old password is kept nowhere",
		warnings: []string{"between the restart of the store and that of the application the application's login is refused"},
	}
	if keeper := secretKeeper(secret); keeper != "" {
		e.warnings = append(e.warnings, fmt.Sprintf("%s keeps Secret %s and may put the old password back: rotate it there instead", keeper, secret.Name))
	}
	others, err := c.otherReaders(ctx, target)
	switch {
	case err != nil:
		e.warnings = append(e.warnings, "whether others read this password is not known: "+reason(err))
	case len(others) > 0:
		e.warnings = append(e.warnings, fmt.Sprintf("%s read this password too, and are refused until they are restarted", strings.Join(others, ", ")))
	}
	return e, nil
}

// newPassword has 52 letters and digits, about 256 bits: it stands as it is in
// a configuration file, an environment variable and a URL.
func newPassword() string { return rand.Text() + rand.Text() }

// readsSecret refuses where the store takes its password from somewhere else:
// a new one in the Secret would lock everybody out.
func (c *Cluster) readsSecret(ctx context.Context, target evidence.Target) error {
	object, err := c.workloadOf(ctx, target)
	if err != nil {
		return err
	}
	pod, err := template(object)
	if err != nil {
		return err
	}
	if !readsKey(&pod.Spec, target.Secret, target.SecretKey) {
		return refuse("%s does not read %s of Secret %s: its password comes from somewhere else. Change it there by hand.", target.Workload, target.SecretKey, target.Secret)
	}
	if target.Config == "" {
		return nil
	}
	config, err := c.objectOf(ctx, target, objectName{kindConfigMap, target.Config})
	if err != nil {
		return nil // no such file, or none that can be read: the Secret is what is left
	}
	line := requirepass(config.(*corev1.ConfigMap).Data[target.ConfigKey])
	if line != "" && !onCommandLine(&pod.Spec, "--requirepass") {
		return refuse("The password stands in ConfigMap %s (requirepass): a new one in the Secret would not reach the store. Change it there by hand.", target.Config)
	}
	return nil
}

func onCommandLine(spec *corev1.PodSpec, flag string) bool {
	return slices.ContainsFunc(spec.Containers, func(c corev1.Container) bool {
		return strings.Contains(strings.Join(slices.Concat(c.Command, c.Args), " "), flag)
	})
}

// readsKey reports whether a pod takes a key of a Secret when it starts.
func readsKey(spec *corev1.PodSpec, secret, key string) bool {
	for _, container := range slices.Concat(spec.InitContainers, spec.Containers) {
		for _, variable := range container.Env {
			if from := variable.ValueFrom; from != nil && from.SecretKeyRef != nil && from.SecretKeyRef.Name == secret && from.SecretKeyRef.Key == key {
				return true
			}
		}
		for _, all := range container.EnvFrom {
			if all.SecretRef != nil && all.SecretRef.Name == secret {
				return true
			}
		}
	}
	return slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool {
		if v.Projected != nil {
			return slices.ContainsFunc(v.Projected.Sources, func(s corev1.VolumeProjection) bool { return s.Secret != nil && s.Secret.Name == secret })
		}
		return v.Secret != nil && v.Secret.SecretName == secret
	})
}

// otherReaders lists who else runs with the password, by their controllers.
func (c *Cluster) otherReaders(ctx context.Context, target evidence.Target) ([]string, error) {
	pods, err := c.Clients.CoreV1().Pods(target.Namespace).List(ctx, metav1.ListOptions{Limit: maxPods})
	if err != nil {
		return nil, err
	}
	ours, err := c.ourPods(ctx, target)
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range pods.Items {
		pod := &pods.Items[i]
		if ours[pod.Name] || pod.DeletionTimestamp != nil || pod.Status.Phase != corev1.PodRunning || !readsKey(&pod.Spec, target.Secret, target.SecretKey) {
			continue
		}
		name := pod.Name
		if owner := metav1.GetControllerOf(pod); owner != nil {
			name = owner.Name
			if hash := pod.Labels["pod-template-hash"]; owner.Kind == "ReplicaSet" && hash != "" {
				name = strings.TrimSuffix(name, "-"+hash)
			}
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// ourPods are those of the store and of the application.
func (c *Cluster) ourPods(ctx context.Context, target evidence.Target) (map[string]bool, error) {
	ours := map[string]bool{}
	for _, name := range []string{target.Workload, target.App} {
		if name == "" {
			continue
		}
		object, err := c.workloadNamed(ctx, target, name)
		if isRefusal(err) {
			continue // it is not there
		}
		if err != nil {
			return nil, err
		}
		pods, err := c.podsOf(ctx, target, object)
		if err != nil {
			return nil, err
		}
		for _, pod := range pods {
			ours[pod.Name] = true
		}
	}
	return ours, nil
}

// secretKeeper names a controller that writes the Secret from somewhere else,
// beside those that owners knows.
func secretKeeper(secret *corev1.Secret) string {
	if secret.Labels["reconcile.external-secrets.io/managed"] == "true" || secret.Annotations["reconcile.external-secrets.io/data-hash"] != "" {
		return "External Secrets"
	}
	if secret.Annotations["sealedsecrets.bitnami.com/managed"] == "true" {
		return "Sealed Secrets"
	}
	for _, entry := range secret.ManagedFields {
		for _, known := range []struct{ manager, name string }{{"external-secrets", "External Secrets"}, {"vault-secrets-operator", "Vault Secrets Operator"}, {"secrets-store", "Secrets Store CSI"}} {
			if strings.Contains(entry.Manager, known.manager) {
				return known.name
			}
		}
	}
	return ""
}
