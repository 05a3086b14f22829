package k8s

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
)

// neededBy are the ConfigMaps and Secrets that pods of a template cannot start
// without.
func neededBy(pod *corev1.PodTemplateSpec) []objectName {
	var all []objectName
	add := func(kind, name string, optional *bool) {
		if one := (objectName{kind, name}); name != "" && (optional == nil || !*optional) && !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	for _, volume := range pod.Spec.Volumes {
		if c := volume.ConfigMap; c != nil {
			add(kindConfigMap, c.Name, c.Optional)
		}
		if s := volume.Secret; s != nil {
			add(kindSecret, s.SecretName, s.Optional)
		}
		if volume.Projected == nil {
			continue
		}
		for _, source := range volume.Projected.Sources {
			if c := source.ConfigMap; c != nil {
				add(kindConfigMap, c.Name, c.Optional)
			}
			if s := source.Secret; s != nil {
				add(kindSecret, s.Name, s.Optional)
			}
		}
	}
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		for _, from := range container.EnvFrom {
			if c := from.ConfigMapRef; c != nil {
				add(kindConfigMap, c.Name, c.Optional)
			}
			if s := from.SecretRef; s != nil {
				add(kindSecret, s.Name, s.Optional)
			}
		}
		for _, env := range container.Env {
			if env.ValueFrom == nil {
				continue
			}
			if c := env.ValueFrom.ConfigMapKeyRef; c != nil {
				add(kindConfigMap, c.Name, c.Optional)
			}
			if s := env.ValueFrom.SecretKeyRef; s != nil {
				add(kindSecret, s.Name, s.Optional)
			}
		}
	}
	return all
}

// changedSince says which of the ConfigMaps and Secrets that a revision needs
// are not what they were when it was made: a rollback does not bring them back.
func (c *Cluster) changedSince(ctx context.Context, namespace string, pod *corev1.PodTemplateSpec, revision number, made time.Time) []string {
	var all []string
	for _, needed := range neededBy(pod) {
		meta, err := c.metaOfNeeded(ctx, namespace, needed)
		switch {
		case apierrors.IsNotFound(err):
			all = append(all, fmt.Sprintf("revision %d needs the %s %s, which is not there: its pods cannot start", revision, needed.kind, needed.name))
		case err != nil:
			all = append(all, fmt.Sprintf("whether the %s %s has changed since revision %d is not known: %s", needed.kind, needed.name, revision, short(err)))
		default:
			if at, by := lastDataWrite(meta); at.After(made) {
				all = append(all, fmt.Sprintf("the %s %s was changed by %s %s ago, after revision %d was made: the rollback does not bring it back",
					needed.kind, needed.name, by, evidence.Age(c.Now().Sub(at)), revision))
			}
		}
	}
	return all
}

func (c *Cluster) metaOfNeeded(ctx context.Context, namespace string, needed objectName) (*metav1.ObjectMeta, error) {
	if needed.kind == kindSecret {
		secret, err := c.Clients.CoreV1().Secrets(namespace).Get(ctx, needed.name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		return &secret.ObjectMeta, nil
	}
	config, err := c.Clients.CoreV1().ConfigMaps(namespace).Get(ctx, needed.name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return &config.ObjectMeta, nil
}

// lastDataWrite is when the content of a ConfigMap or Secret was written last,
// and by which program.
func lastDataWrite(meta *metav1.ObjectMeta) (at time.Time, by string) {
	at, by = meta.CreationTimestamp.Time, "whoever made it"
	for _, entry := range meta.ManagedFields {
		if entry.Time == nil || entry.FieldsV1 == nil || !entry.Time.After(at) {
			continue
		}
		fields := entry.FieldsV1.GetRawString()
		if strings.Contains(fields, `"f:data"`) || strings.Contains(fields, `"f:binaryData"`) {
			at, by = entry.Time.Time, entry.Manager
		}
	}
	return at, by
}
