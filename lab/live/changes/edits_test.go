package changes

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"

	"redis-session-bot/lab/workload"
)

// somebody is the field manager under which other people edit.
const somebody = "kubectl-edit"

var bySomebody = metav1.UpdateOptions{FieldManager: somebody}

func (w *ward) editAgentConfig(edit func(data map[string]string)) {
	w.T.Helper()
	maps := w.Copy.Clients.CoreV1().ConfigMaps(w.Namespace)
	w.must(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		live, err := maps.Get(w.T.Context(), workload.AgentConfig, metav1.GetOptions{})
		if err != nil {
			return err
		}
		edit(live.Data)
		_, err = maps.Update(w.T.Context(), live, bySomebody)
		return err
	}))
}

// editWorkload changes a workload in a way that starts no pod anew.
func (w *ward) editWorkload(name string, minReadySeconds int32) {
	w.T.Helper()
	shape, err := w.Copy.Shape(w.T.Context())
	w.must(err)
	ctx, apps := w.T.Context(), w.Copy.Clients.AppsV1()
	w.must(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		if name == workload.Redis && shape == workload.StatefulSet {
			live, err := apps.StatefulSets(w.Namespace).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			live.Spec.MinReadySeconds = minReadySeconds
			_, err = apps.StatefulSets(w.Namespace).Update(ctx, live, bySomebody)
			return err
		}
		var live *appsv1.Deployment
		if live, err = apps.Deployments(w.Namespace).Get(ctx, name, metav1.GetOptions{}); err != nil {
			return err
		}
		live.Spec.MinReadySeconds = minReadySeconds
		_, err := apps.Deployments(w.Namespace).Update(ctx, live, bySomebody)
		return err
	}))
}

// duplicate makes a second server of nobody's, which never becomes ready and takes
// some seconds to end.
func (w *ward) duplicate(name string) {
	w.T.Helper()
	store, _, err := w.Copy.Store(w.T.Context())
	w.must(err)
	_, err = w.Copy.Clients.CoreV1().Pods(w.Namespace).Create(w.T.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "duplicate"}},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken:  ptr.To(false),
			TerminationGracePeriodSeconds: ptr.To[int64](5),
			Containers: []corev1.Container{{Name: workload.RedisContainer, Image: store.Pod.Spec.Containers[0].Image, ImagePullPolicy: corev1.PullIfNotPresent,
				Command:        []string{"sleep", "3600"},
				ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"false"}}}}}},
		},
	}, metav1.CreateOptions{FieldManager: somebody})
	w.must(err)
	w.until("the duplicate runs", func() bool {
		pod, err := w.Copy.Clients.CoreV1().Pods(w.Namespace).Get(w.T.Context(), name, metav1.GetOptions{})
		return err == nil && pod.Status.Phase == corev1.PodRunning
	})
}
