package faults

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/lab/workload"
)

// renamedKey is what somebody who tidied the Secret calls the password.
const renamedKey = "password"

// missingConfigSecretKey is a key of the Secret under a new name. Running pods
// keep what they have read; the next one cannot be started.
func missingConfigSecretKey() fault {
	return fault{
		name: "missing-config/secret-key",
		what: "rename the password's key in the Secret, and lose the pod",
		inject: func(ctx context.Context, c *workload.Copy) error {
			err := c.EditSecret(ctx, editor, func(data map[string][]byte) {
				data[renamedKey] = data[workload.PasswordKey]
				delete(data, workload.PasswordKey)
			})
			if err != nil {
				return err
			}
			return c.DeletePods(ctx)
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			store, found, err := c.Store(ctx)
			if err != nil || !found || !strings.Contains(waits(store), "couldn't find key "+workload.PasswordKey) {
				return "", err
			}
			return fmt.Sprintf("pod %s cannot be started: %s", store.Pod.Name, waits(store)), nil
		},
	}
}

// missingConfigMap is a clean-up that took a ConfigMap which looked unused.
func missingConfigMap() fault {
	return fault{
		name: "missing-config/configmap",
		what: "delete the ConfigMap with redis.conf, and lose the pod",
		inject: func(ctx context.Context, c *workload.Copy) error {
			err := c.Clients.CoreV1().ConfigMaps(c.Namespace).Delete(ctx, workload.RedisConfig, metav1.DeleteOptions{})
			if err != nil {
				return fmt.Errorf("delete configmap %s/%s: %w", c.Namespace, workload.RedisConfig, err)
			}
			return c.DeletePods(ctx)
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			store, found, err := c.Store(ctx)
			if err != nil || !found || store.Container.Ready {
				return "", err
			}
			said, err := lastEvent(ctx, c, "FailedMount", func(e corev1.Event) bool {
				return e.InvolvedObject.UID == store.Pod.UID && strings.Contains(e.Message, workload.RedisConfig)
			})
			if err != nil || said == "" {
				return "", err
			}
			return fmt.Sprintf("pod %s waits for its volume: %s", store.Pod.Name, said), nil
		},
	}
}

// lastEvent is the message of the newest event of a reason that fits; empty
// when there is none.
func lastEvent(ctx context.Context, c *workload.Copy, reason string, fits func(corev1.Event) bool) (string, error) {
	list, err := c.Clients.CoreV1().Events(c.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "reason=" + reason})
	if err != nil {
		return "", fmt.Errorf("list the events of %s: %w", c.Namespace, err)
	}
	var newest corev1.Event
	for _, e := range list.Items {
		if fits(e) && !e.LastTimestamp.Before(&newest.LastTimestamp) {
			newest = e
		}
	}
	return newest.Message, nil
}
