package faults

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"redis-session-bot/lab/workload"
)

// exporter is what Prometheus asks about the store. Its image is not on the
// node, and no registry answers.
const (
	exporter      = "redis-exporter"
	exporterImage = "registry.invalid/oliver006/redis_exporter:v1.62.0"
)

// falseAlarm is a store that is well, and an exporter that is not: the scrape
// fails, and the alert says that Redis is down.
func falseAlarm() fault {
	return fault{
		name:  "false-alarm",
		what:  "leave the store alone, and run its exporter from an image that cannot be pulled",
		ready: true,
		inject: func(ctx context.Context, c *workload.Copy) error {
			_, err := c.Clients.AppsV1().Deployments(c.Namespace).Create(ctx, exporterDeployment(c.Namespace), metav1.CreateOptions{FieldManager: installer})
			if err != nil && !apierrors.IsAlreadyExists(err) {
				return fmt.Errorf("create deployment %s: %w", exporter, err)
			}
			return nil
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			pods, err := c.Pods(ctx, exporter)
			if err != nil {
				return "", err
			}
			for _, pod := range pods {
				for _, status := range pod.Status.ContainerStatuses {
					if waiting := status.State.Waiting; waiting != nil && (waiting.Reason == "ErrImagePull" || waiting.Reason == "ImagePullBackOff") {
						return fmt.Sprintf("pod %s, which only watches the store, waits: %s", pod.Name, waiting.Reason), nil
					}
				}
			}
			return "", nil
		},
	}
}

func exporterDeployment(namespace string) *appsv1.Deployment {
	labels := map[string]string{"app": exporter}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: exporter, Namespace: namespace, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](1),
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{
					AutomountServiceAccountToken: ptr.To(false),
					Containers: []corev1.Container{{
						Name: exporter, Image: exporterImage,
						Env:   []corev1.EnvVar{{Name: "REDIS_ADDR", Value: "redis://" + workload.Redis + ":6379"}, passwordVariable("REDIS_PASSWORD")},
						Ports: []corev1.ContainerPort{{Name: "metrics", ContainerPort: 9121}},
					}},
				},
			},
		},
	}
}

// passwordVariable is the store's password for another client of it.
func passwordVariable(name string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: workload.Secrets}, Key: workload.PasswordKey,
	}}}
}
