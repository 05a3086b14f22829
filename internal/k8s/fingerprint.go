package k8s

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/redact"
	"redis-session-bot/internal/redisconf"
)

var errUnknownObject = errors.New("an object that no change is about")

// refOf names an object.
func refOf(object any) incident.Object {
	switch o := object.(type) {
	case *appsv1.Deployment:
		return incident.Object{Kind: evidence.KindDeployment, Name: o.Name, UID: string(o.UID)}
	case *appsv1.StatefulSet:
		return incident.Object{Kind: evidence.KindStatefulSet, Name: o.Name, UID: string(o.UID)}
	case *corev1.ConfigMap:
		return incident.Object{Kind: kindConfigMap, Name: o.Name, UID: string(o.UID)}
	case *corev1.Secret:
		return incident.Object{Kind: kindSecret, Name: o.Name, UID: string(o.UID)}
	case *corev1.Service:
		return incident.Object{Kind: kindService, Name: o.Name, UID: string(o.UID)}
	}
	return incident.Object{}
}

// metaOf gives an object's metadata; nil for one that is not known.
func metaOf(object any) *metav1.ObjectMeta {
	switch o := object.(type) {
	case *appsv1.Deployment:
		return &o.ObjectMeta
	case *appsv1.StatefulSet:
		return &o.ObjectMeta
	case *corev1.ConfigMap:
		return &o.ObjectMeta
	case *corev1.Secret:
		return &o.ObjectMeta
	case *corev1.Service:
		return &o.ObjectMeta
	}
	return nil
}

func deepCopy(object any) any {
	switch o := object.(type) {
	case *appsv1.Deployment:
		return o.DeepCopy()
	case *appsv1.StatefulSet:
		return o.DeepCopy()
	case *corev1.ConfigMap:
		return o.DeepCopy()
	case *corev1.Secret:
		return o.DeepCopy()
	case *corev1.Service:
		return o.DeepCopy()
	}
	return object
}

// fingerprint tells whether an object is still what a plan was made against:
// UID and generation of a workload, UID and content of a ConfigMap or Service.
// Not the resourceVersion, which moves with every status write; a Secret has none.
func fingerprint(object any) (string, error) {
	switch o := object.(type) {
	case *appsv1.Deployment:
		return fmt.Sprintf("%s/%d", o.UID, o.Generation), nil
	case *appsv1.StatefulSet:
		return fmt.Sprintf("%s/%d", o.UID, o.Generation), nil
	case *corev1.ConfigMap:
		hash, err := contentHash(o)
		return string(o.UID) + "/" + hash, err
	case *corev1.Service:
		hash, err := contentHash(o)
		return string(o.UID) + "/" + hash, err
	case *corev1.Secret:
		// Nothing of its content, not even a hash: a short password could be guessed from it.
		return fmt.Sprintf("%s/%s", o.UID, o.ResourceVersion), nil
	}
	return "", errUnknownObject
}

// contentHash is a hash of what a write sets: the spec of a workload, the
// data of a ConfigMap.
func contentHash(object any) (string, error) {
	var content any
	switch o := object.(type) {
	case *appsv1.Deployment:
		content = o.Spec
	case *appsv1.StatefulSet:
		content = o.Spec
	case *corev1.ConfigMap:
		content = []any{o.Data, o.BinaryData}
	case *corev1.Service:
		content = []any{o.Spec.Selector, o.Spec.Ports}
	case *corev1.Secret:
		// What is written is made in the very moment and kept nowhere, not even its hash.
		return o.Annotations[rotatedAt], nil
	default:
		return "", errUnknownObject
	}
	data, err := json.Marshal(content)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8]), nil
}

// diffOf is the unified diff of an object: of its YAML, or of a ConfigMap's
// files as their own text.
func diffOf(target evidence.Target, base, want any) (string, error) {
	if before, ok := base.(*corev1.ConfigMap); ok {
		after := want.(*corev1.ConfigMap)
		var b strings.Builder
		keys := make([]string, 0, len(after.Data))
		for key := range after.Data {
			keys = append(keys, key)
		}
		for key := range before.Data {
			if _, stays := after.Data[key]; !stays {
				keys = append(keys, key)
			}
		}
		sort.Strings(keys)
		for _, key := range keys {
			b.WriteString(udiff.Unified(before.Name+"/"+key, after.Name+"/"+key, redisconf.Redact(before.Data[key]), redisconf.Redact(after.Data[key])))
		}
		return b.String(), nil
	}
	if before, ok := base.(*corev1.Secret); ok {
		return diffOfKeys(before, want.(*corev1.Secret)), nil
	}
	before, err := specYAML(base)
	if err != nil {
		return "", err
	}
	after, err := specYAML(want)
	if err != nil {
		return "", err
	}
	name := refOf(base).String()
	return udiff.Unified(name, name, before, after), nil
}

// diffOfKeys says which keys of a Secret change, and nothing of their values.
func diffOfKeys(before, after *corev1.Secret) string {
	lines := func(secret *corev1.Secret, mark func(key string) string) string {
		keys := make([]string, 0, len(secret.Data))
		for key := range secret.Data {
			keys = append(keys, key)
		}
		sort.Strings(keys)
		var b strings.Builder
		if at, there := secret.Annotations[rotatedAt]; there {
			fmt.Fprintf(&b, "annotation %s: %s\n", rotatedAt, at)
		}
		for _, key := range keys {
			fmt.Fprintf(&b, "%s: %s\n", key, mark(key))
		}
		return b.String()
	}
	name := refOf(before).String()
	return udiff.Unified(name, name, lines(before, func(string) string { return redact.Mark }),
		lines(after, func(key string) string {
			if string(before.Data[key]) == string(after.Data[key]) {
				return redact.Mark
			}
			return redact.Mark + ", new"
		}))
}

// specYAML writes an object's spec, a workload's with its literal environment
// values taken out: they may be secrets.
func specYAML(object any) (string, error) {
	copied := deepCopy(object)
	if service, ok := copied.(*corev1.Service); ok {
		data, err := yaml.Marshal(map[string]any{"spec": map[string]any{"selector": service.Spec.Selector, "ports": service.Spec.Ports}})
		return string(data), err
	}
	pod, err := template(copied)
	if err != nil {
		return "", err
	}
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for c := range containers {
			for e := range containers[c].Env {
				if containers[c].Env[e].Value != "" {
					containers[c].Env[e].Value = redact.Mark
				}
			}
		}
	}
	var spec any
	switch o := copied.(type) {
	case *appsv1.Deployment:
		spec = map[string]any{"spec": o.Spec}
	case *appsv1.StatefulSet:
		spec = map[string]any{"spec": o.Spec}
	}
	data, err := yaml.Marshal(spec)
	return string(data), err
}
