package faults

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/lab/workload"
)

// restartedAt is the annotation by which kubectl rollout restart makes new pods.
const restartedAt = "kubectl.kubernetes.io/restartedAt"

// authFailureStore is a rotation that forgot the store: it still wants the old
// password.
func authFailureStore() fault {
	return fault{
		name:  "auth-failure/store",
		what:  "rotate the password in the Secret, and restart the application alone",
		ready: true,
		inject: func(ctx context.Context, c *workload.Copy) error {
			if err := rotate(ctx, c); err != nil {
				return err
			}
			return c.EditApplication(ctx, restarter, restart)
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			return refuses(ctx, c, func(store, secret string) bool {
				return store != secret && !strings.HasSuffix(secret, "\n")
			})
		},
	}
}

// authFailureApp is a rotation that forgot the application: only the store is
// made anew.
func authFailureApp() fault {
	return fault{
		name:  "auth-failure/app",
		what:  "rotate the password in the Secret, and lose the store's pod",
		ready: true,
		inject: func(ctx context.Context, c *workload.Copy) error {
			if err := rotate(ctx, c); err != nil {
				return err
			}
			return c.DeletePods(ctx)
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			return refuses(ctx, c, func(store, secret string) bool {
				return store == secret && !strings.HasSuffix(secret, "\n")
			})
		},
	}
}

// authFailureNewline is a Secret made by echo and base64. Redis takes the
// newline for a part of its password; the application's start script, which
// reads it by command substitution as many do, drops it.
func authFailureNewline() fault {
	return fault{
		name:  "auth-failure/newline",
		what:  "end the password in the Secret with a newline, which only the store keeps, and restart both",
		ready: true,
		inject: func(ctx context.Context, c *workload.Copy) error {
			err := c.EditSecret(ctx, editor, func(data map[string][]byte) {
				data[workload.PasswordKey] = append(data[workload.PasswordKey], '\n')
			})
			if err != nil {
				return err
			}
			if err := c.DeletePods(ctx); err != nil {
				return err
			}
			return c.EditApplication(ctx, editor, readBySubstitution)
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			return refuses(ctx, c, func(store, secret string) bool {
				return store == secret && strings.HasSuffix(secret, "\n")
			})
		},
	}
}

// rotate puts a new password into the Secret.
func rotate(ctx context.Context, c *workload.Copy) error {
	return c.EditSecret(ctx, editor, func(data map[string][]byte) { data[workload.PasswordKey] = []byte(rand.Text()) })
}

// restart changes a pod template as kubectl rollout restart does.
func restart(template *corev1.PodTemplateSpec) {
	metav1.SetMetaDataAnnotation(&template.ObjectMeta, restartedAt, time.Now().UTC().Format(time.RFC3339))
}

// readBySubstitution starts the application by a script that reads the password
// once more.
func readBySubstitution(template *corev1.PodTemplateSpec) {
	for i := range template.Spec.Containers {
		container := &template.Spec.Containers[i]
		if container.Name == workload.Agent {
			container.Command = []string{"sh", "-c", `export REDIS_PASSWORD="$(echo "$REDIS_PASSWORD")"; exec langgraph-agent`}
		}
	}
}

// refuses says how the store, which is ready, refuses every pod of the
// application; empty when it does not, or when by does not hold for the
// password that it started with and the one in the Secret.
func refuses(ctx context.Context, c *workload.Copy, by func(store, secret string) bool) (string, error) {
	lines, all, err := c.Complaints(ctx)
	if err != nil || !all || !strings.Contains(lines[0], "WRONGPASS") {
		return "", err
	}
	store, found, err := c.Store(ctx)
	if err != nil || !found || !store.Container.Ready {
		return "", err
	}
	holds, err := c.Exec(ctx, store.Pod.Name, "sh", "-c", `printf %s "$REDIS_PASSWORD"`)
	if err != nil {
		return "", err
	}
	secret, err := c.Clients.CoreV1().Secrets(c.Namespace).Get(ctx, workload.Secrets, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	if !by(holds, string(secret.Data[workload.PasswordKey])) {
		return "", nil
	}
	return fmt.Sprintf("pod %s is ready and refuses the application: %s", store.Pod.Name, lines[0]), nil
}
