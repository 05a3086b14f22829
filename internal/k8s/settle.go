package k8s

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kubectl/pkg/polymorphichelpers"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

// settlePoll is the pause between two looks at a rollout.
const settlePoll = time.Second

// hopeless is how many restarts of a new pod end the waiting for it.
const hopeless = 2

// Settle waits for what a write sets going: see incident.Cluster.
func (c *Cluster) Settle(ctx context.Context, target evidence.Target, write incident.Write, progress func(string)) ([]string, error) {
	redactor := c.redactor(ctx, target)
	switch write.Await {
	case incident.Rollout:
		began := c.Now()
		return nil, c.wait(ctx, redactor, progress, func() (bool, string, error) { return c.rollout(ctx, target, write.Awaited.Name, began) })
	case incident.Saved:
		return nil, c.wait(ctx, redactor, progress, func() (bool, string, error) { return c.saved(ctx, target, write) })
	case incident.Gone:
		return nil, c.wait(ctx, redactor, progress, func() (bool, string, error) { return c.noPods(ctx, target, write.Awaited.Name) })
	case incident.Job:
		return c.settleWork(ctx, target, write, redactor, progress)
	}
	return nil, nil
}

// unanswering is the word while the API server does not answer: what was set
// going goes on without it.
const unanswering = "the API server does not answer; asking it again"

// passing reports whether a read that has failed may be answered a moment later:
// nobody has answered, or the API server could not.
func passing(err error) bool {
	var request *url.Error
	return err != nil && !isRefusal(err) && (errors.As(err, &request) || uncertain(err))
}

// wait asks until it is done, telling the newest word. That the API server is
// gone for a while says nothing about what is waited for.
func (c *Cluster) wait(ctx context.Context, redactor *objectRedactor, progress func(string), ask func() (done bool, says string, err error)) error {
	said := ""
	ticker := time.NewTicker(settlePoll)
	defer ticker.Stop()
	for {
		done, says, err := ask()
		switch {
		case passing(err):
			says = unanswering
		case err != nil && ctx.Err() == nil:
			return c.readable(redactor, err)
		}
		if says = redactor.Text(says); says != said && says != "" {
			said = says
			progress(says)
		}
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return refuse("It has not ended within its time: %s", said)
		case <-ticker.C:
		}
	}
}

// rollout asks kubectl's own status of a rollout, once.
func (c *Cluster) rollout(ctx context.Context, target evidence.Target, name string, began time.Time) (done bool, says string, err error) {
	object, err := c.workloadNamed(ctx, target, name)
	if err != nil {
		return false, "", err
	}
	kind := schema.GroupKind{Group: "apps", Kind: refOf(object).Kind}
	viewer, err := polymorphichelpers.StatusViewerFor(kind)
	if err != nil {
		return false, "", err
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return false, "", err
	}
	says, done, err = viewer.Status(asUnstructured(kind, content), 0)
	if err != nil {
		return false, "", refuse("The rollout cannot end: %s.", reason(err))
	}
	if done {
		return c.podsGone(ctx, target, object)
	}
	if trouble, err := c.stuck(ctx, target, object, began); err != nil || trouble != "" {
		if trouble != "" {
			err = refuse("The rollout cannot end: %s.", trouble)
		}
		return false, "", err
	}
	return false, says, nil
}

// noPods waits until no pod of a workload is left.
func (c *Cluster) noPods(ctx context.Context, target evidence.Target, name string) (bool, string, error) {
	object, err := c.workloadNamed(ctx, target, name)
	if err != nil {
		return false, "", err
	}
	pods, err := c.podsOf(ctx, target, object)
	if err != nil || len(pods) == 0 {
		return err == nil, "", err
	}
	return false, fmt.Sprintf("waiting for pod %s to end", pods[0].Name), nil
}

// podsGone waits for the old pods to end: until then two servers may answer.
func (c *Cluster) podsGone(ctx context.Context, target evidence.Target, object any) (bool, string, error) {
	pods, err := c.podsOf(ctx, target, object)
	if err != nil {
		return false, "", err
	}
	for _, pod := range pods {
		if pod.DeletionTimestamp != nil {
			return false, fmt.Sprintf("waiting for the old pod %s to end", pod.Name), nil
		}
	}
	return true, "", nil
}

func (c *Cluster) podsOf(ctx context.Context, target evidence.Target, object any) ([]corev1.Pod, error) {
	list, err := c.Clients.CoreV1().Pods(target.Namespace).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(selectorOf(object)), Limit: maxPods})
	if err != nil {
		return nil, fmt.Errorf("list the pods of %s: %w", metaOf(object).Name, err)
	}
	return list.Items, nil
}

// stuck says why a pod that was made since the plan began cannot become
// ready; "" while there is hope.
func (c *Cluster) stuck(ctx context.Context, target evidence.Target, object any, began time.Time) (string, error) {
	pods, err := c.podsOf(ctx, target, object)
	if err != nil {
		return "", err
	}
	for _, pod := range pods {
		// Times of pods have whole seconds.
		if pod.DeletionTimestamp != nil || pod.CreationTimestamp.Time.Before(began.Truncate(time.Second).Add(-2*time.Second)) {
			continue
		}
		for _, status := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
			if trouble := hopelessContainer(status); trouble != "" {
				return fmt.Sprintf("the new pod %s does not start: %s", pod.Name, trouble), nil
			}
		}
	}
	return "", nil
}

func hopelessContainer(status corev1.ContainerStatus) string {
	if waiting := status.State.Waiting; waiting != nil {
		switch waiting.Reason {
		case "ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError", "CreateContainerError":
			return fmt.Sprintf("%s: %s", waiting.Reason, waiting.Message)
		}
	}
	if status.RestartCount < hopeless || status.Ready || status.LastTerminationState.Terminated == nil {
		return ""
	}
	ended := status.LastTerminationState.Terminated
	return fmt.Sprintf("%s ended %d times, the last time with %s, code %d", status.Name, status.RestartCount, ended.Reason, ended.ExitCode)
}

// asUnstructured is the form that kubectl's status viewers read.
func asUnstructured(kind schema.GroupKind, content map[string]any) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: content}
	object.SetGroupVersionKind(kind.WithVersion("v1"))
	return object
}
