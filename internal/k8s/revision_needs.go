package k8s

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
)

// need is a ConfigMap or a Secret that a pod template takes something from.
type need struct {
	objectName
	keys     []string // that must be there
	optional bool     // its pods start without it
}

// needsOf lists what the pods of a template need, each once.
func needsOf(pod *corev1.PodTemplateSpec) []need {
	var all []need
	add := func(kind, name string, optional *bool, keys ...string) {
		if name == "" {
			return
		}
		can := optional != nil && *optional
		at := slices.IndexFunc(all, func(n need) bool { return n.objectName == objectName{kind, name} })
		if at < 0 {
			all, at = append(all, need{objectName: objectName{kind, name}, optional: true}), len(all)
		}
		all[at].optional = all[at].optional && can
		for _, key := range keys {
			if !can && !slices.Contains(all[at].keys, key) {
				all[at].keys = append(all[at].keys, key)
			}
		}
	}
	for _, volume := range pod.Spec.Volumes {
		if source := volume.ConfigMap; source != nil {
			add(kindConfigMap, source.Name, source.Optional, itemKeys(source.Items)...)
		}
		if source := volume.Secret; source != nil {
			add(kindSecret, source.SecretName, source.Optional, itemKeys(source.Items)...)
		}
		if volume.Projected == nil {
			continue
		}
		for _, source := range volume.Projected.Sources {
			if source.ConfigMap != nil {
				add(kindConfigMap, source.ConfigMap.Name, source.ConfigMap.Optional, itemKeys(source.ConfigMap.Items)...)
			}
			if source.Secret != nil {
				add(kindSecret, source.Secret.Name, source.Secret.Optional, itemKeys(source.Secret.Items)...)
			}
		}
	}
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		for _, from := range container.EnvFrom {
			if from.ConfigMapRef != nil {
				add(kindConfigMap, from.ConfigMapRef.Name, from.ConfigMapRef.Optional)
			}
			if from.SecretRef != nil {
				add(kindSecret, from.SecretRef.Name, from.SecretRef.Optional)
			}
		}
		for _, variable := range container.Env {
			if variable.ValueFrom == nil {
				continue
			}
			if ref := variable.ValueFrom.ConfigMapKeyRef; ref != nil {
				add(kindConfigMap, ref.Name, ref.Optional, ref.Key)
			}
			if ref := variable.ValueFrom.SecretKeyRef; ref != nil {
				add(kindSecret, ref.Name, ref.Optional, ref.Key)
			}
		}
	}
	return all
}

func itemKeys(items []corev1.KeyToPath) []string {
	var keys []string
	for _, item := range items {
		keys = append(keys, item.Key)
	}
	return keys
}

// broughtWith is how long after a revision what it needs may be written for the first
// time: kubectl apply brings a whole folder, file by file.
const broughtWith = time.Minute

// warnRollBack says what a rollback does not bring back: the ConfigMaps and
// Secrets that the revision needs, and which of them is not as it was then.
func warnRollBack(ctx context.Context, p *planner, d *draft, args json.RawMessage) ([]string, error) {
	var a rollBackArgs
	if err := decodeArgs(args, &a); err != nil {
		return nil, err
	}
	pod, err := template(d.want)
	if err != nil {
		return nil, err
	}
	all := needsOf(pod)
	if len(all) == 0 {
		return nil, nil
	}
	made, err := p.madeAt(ctx, d.base, int64(a.Revision))
	if err != nil {
		return nil, err
	}
	var names, warnings []string
	for _, one := range all {
		names = append(names, one.kind+" "+one.name)
		warnings = append(warnings, p.asThen(ctx, one, int64(a.Revision), made)...)
	}
	stay := "it stays as it is"
	if len(names) > 1 {
		stay = "they stay as they are"
	}
	return append(warnings, fmt.Sprintf("A rollback brings back the pod template alone. Revision %d needs %s: %s", a.Revision, andText(names), stay)), nil
}

// madeAt is when a revision of a workload was made; the zero time where that is
// not known.
func (p *planner) madeAt(ctx context.Context, workload any, revision int64) (time.Time, error) {
	meta, selector := metaOf(workload), metav1.FormatLabelSelector(selectorOf(workload))
	options := metav1.ListOptions{LabelSelector: selector, Limit: maxRevisions}
	switch workload.(type) {
	case *appsv1.Deployment:
		list, err := p.Clients.AppsV1().ReplicaSets(p.target.Namespace).List(ctx, options)
		if err != nil {
			return time.Time{}, fmt.Errorf("list the revisions of %s: %w", meta.Name, err)
		}
		for i := range list.Items {
			if set := &list.Items[i]; metav1.IsControlledBy(set, meta) && set.Annotations[evidence.RevisionAnnotation] == fmt.Sprint(revision) {
				return set.CreationTimestamp.Time, nil
			}
		}
	case *appsv1.StatefulSet:
		list, err := p.Clients.AppsV1().ControllerRevisions(p.target.Namespace).List(ctx, options)
		if err != nil {
			return time.Time{}, fmt.Errorf("list the revisions of %s: %w", meta.Name, err)
		}
		for i := range list.Items {
			if one := &list.Items[i]; metav1.IsControlledBy(one, meta) && one.Revision == revision {
				return one.CreationTimestamp.Time, nil
			}
		}
	}
	return time.Time{}, nil
}

// asThen compares what a revision needs with what was there when it was made.
func (p *planner) asThen(ctx context.Context, one need, revision int64, made time.Time) []string {
	meta, keys, err := p.keysOf(ctx, p.target.Namespace, one.objectName)
	switch {
	case apierrors.IsNotFound(err) && one.optional:
		return nil
	case apierrors.IsNotFound(err):
		return []string{fmt.Sprintf("Revision %d needs %s %s, which is gone: its pods cannot start before it is there again", revision, one.kind, one.name)}
	case err != nil:
		why := p.redactor.Text(reason(err))
		if lack, ok := lacking(err); ok {
			lack.name = one.name
			why = fmt.Sprintf("the bot may not %s: add to its Role %s", lackingWords([]permission{lack}), rulesOf([]permission{lack}))
		}
		return []string{fmt.Sprintf("Whether %s %s is as it was when revision %d was made is not known: %s", one.kind, one.name, revision, why)}
	}
	for _, key := range one.keys {
		if !slices.Contains(keys, key) {
			return []string{fmt.Sprintf("Revision %d needs the key %s of %s %s, which is gone: its pods cannot start before it is there again", revision, key, one.kind, one.name)}
		}
	}
	written, by := writtenAt(meta)
	if made.IsZero() || written.Sub(made) <= broughtWith {
		return nil
	}
	if by != "" {
		by = " by " + by
	}
	now := p.Now()
	return []string{fmt.Sprintf("%s %s was changed%s %s ago, after revision %d was made (%s ago): the two may not fit", one.kind, one.name, by,
		evidence.Duration(now.Sub(written)), revision, evidence.Duration(now.Sub(made)))}
}

// keysOf reads when an object was written and which keys it has, and none of its values.
func (c *Cluster) keysOf(ctx context.Context, namespace string, name objectName) (*metav1.ObjectMeta, []string, error) {
	if name.kind == kindSecret {
		secret, err := c.Clients.CoreV1().Secrets(namespace).Get(ctx, name.name, metav1.GetOptions{})
		if err != nil {
			return nil, nil, err
		}
		return &secret.ObjectMeta, slices.Collect(maps.Keys(secret.Data)), nil
	}
	configMap, err := c.Clients.CoreV1().ConfigMaps(namespace).Get(ctx, name.name, metav1.GetOptions{})
	if err != nil {
		return nil, nil, err
	}
	return &configMap.ObjectMeta, slices.Concat(slices.Collect(maps.Keys(configMap.Data)), slices.Collect(maps.Keys(configMap.BinaryData))), nil
}

// writtenAt is when the content of an object was last written, and by whom: a
// label that somebody has added is no change of it.
func writtenAt(meta *metav1.ObjectMeta) (at time.Time, by string) {
	at = meta.CreationTimestamp.Time
	for _, entry := range meta.ManagedFields {
		if entry.Time == nil || !entry.Time.After(at) || entry.FieldsV1 == nil {
			continue
		}
		raw := string(entry.FieldsV1.GetRawBytes())
		if strings.Contains(raw, `"f:data"`) || strings.Contains(raw, `"f:binaryData"`) {
			at, by = entry.Time.Time, entry.Manager
		}
	}
	return at, by
}
