package k8s

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
)

const (
	workPoll   = 300 * time.Millisecond
	maxWorkLog = 256 << 10
	// workStart is how long a pod may wait for a node, an image or a volume.
	workStart = 90 * time.Second
	// workGone is how long the end of a pod is waited for.
	workGone = 20 * time.Second
)

// runWork creates a pod, waits for its end and returns what it printed. The
// pod is gone when it returns, however that is.
func (c *Cluster) runWork(ctx context.Context, target evidence.Target, pod *corev1.Pod, redactor *objectRedactor, progress func(string)) (workOutput, error) {
	made, err := c.createWork(ctx, target, pod)
	if err != nil {
		return workOutput{}, fmt.Errorf("create pod %s: %w", pod.Name, err)
	}
	output, err := c.awaitWork(ctx, target, made, redactor, progress)
	return output, errors.Join(err, c.removeWork(ctx, target, made))
}

// createWork gives the pod more CPU than the store has, where that is little and
// nobody forbids it: a quota or a limit range may.
func (c *Cluster) createWork(ctx context.Context, target evidence.Target, pod *corev1.Pod) (*corev1.Pod, error) {
	pods, options := c.Clients.CoreV1().Pods(target.Namespace), metav1.CreateOptions{FieldManager: fieldManager}
	if fast := hastened(pod); fast != nil {
		if made, err := pods.Create(ctx, fast, options); err == nil || !apierrors.IsForbidden(err) {
			return made, err
		}
	}
	return pods.Create(ctx, pod, options)
}

// hastened is the pod with as much CPU as loads a large file soon; nil where it
// has that already.
func hastened(pod *corev1.Pod) *corev1.Pod {
	enough := resource.MustParse("1")
	limit, limited := pod.Spec.Containers[0].Resources.Limits[corev1.ResourceCPU]
	if !limited || limit.Cmp(enough) >= 0 {
		return nil
	}
	fast := pod.DeepCopy()
	fast.Spec.Containers[0].Resources.Limits[corev1.ResourceCPU] = enough
	return fast
}

// awaitWork waits until the work has ended, telling its newest step.
func (c *Cluster) awaitWork(ctx context.Context, target evidence.Target, pod *corev1.Pod, redactor *objectRedactor, progress func(string)) (workOutput, error) {
	began, said := time.Now(), ""
	ticker := time.NewTicker(workPoll)
	defer ticker.Stop()
	for {
		now, err := c.Clients.CoreV1().Pods(target.Namespace).Get(ctx, pod.Name, metav1.GetOptions{})
		switch {
		case ctx.Err() != nil:
			return workOutput{}, refuse("The work on the volume has not ended within its time; the last word was: %s.", said)
		case apierrors.IsNotFound(err) || err == nil && now.UID != pod.UID:
			return workOutput{}, refuse("Pod %s was deleted by somebody before its work was done.", pod.Name)
		case err != nil && !passing(err):
			return workOutput{}, fmt.Errorf("read pod %s: %w", pod.Name, err)
		}
		says := unanswering
		if err == nil {
			var output workOutput
			ended := false
			if output, says, ended, err = c.lookAtWork(ctx, target, now, redactor, time.Since(began) > workStart); ended {
				return output, err
			}
		}
		if says = redactor.Text(says); says != "" && says != said {
			said = says
			progress(says)
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// lookAtWork tells whether the work has ended and what came of it, or its newest
// step.
func (c *Cluster) lookAtWork(ctx context.Context, target evidence.Target, pod *corev1.Pod, redactor *objectRedactor, late bool) (output workOutput, says string, ended bool, err error) {
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		if output, err = c.endOfWork(ctx, target, pod, redactor); passing(err) {
			return workOutput{}, unanswering, false, nil
		}
		return output, "", true, err
	}
	says, trouble := waitingWork(pod)
	if trouble && (late || strings.HasPrefix(says, "its image")) {
		return workOutput{}, "", true, refuse("Pod %s does not start: %s.", pod.Name, redactor.Text(says))
	}
	if pod.Status.Phase == corev1.PodRunning {
		if log, err := c.workLog(ctx, target, pod.Name); err == nil {
			says = readWork(redactor.Text(log)).last("step")
		}
	}
	return workOutput{}, says, false, nil
}

// waitingWork says what a pod that does not run yet waits for.
func waitingWork(pod *corev1.Pod) (says string, trouble bool) {
	for _, status := range pod.Status.ContainerStatuses {
		if waiting := status.State.Waiting; waiting != nil {
			switch waiting.Reason {
			case "ContainerCreating", "PodInitializing":
				return "waiting for the volume to be mounted", true
			case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull":
				return "its image cannot be pulled: " + waiting.Message, true
			}
			return waiting.Reason + ": " + waiting.Message, true
		}
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return "no node takes it: " + condition.Message, true
		}
	}
	return "", pod.Status.Phase == corev1.PodPending
}

// endOfWork reads what a pod that has ended has printed.
func (c *Cluster) endOfWork(ctx context.Context, target evidence.Target, pod *corev1.Pod, redactor *objectRedactor) (workOutput, error) {
	log, err := c.workLog(ctx, target, pod.Name)
	if err != nil {
		return workOutput{}, fmt.Errorf("read the log of pod %s: %w", pod.Name, err)
	}
	output := readWork(redactor.Text(log))
	if pod.Status.Phase == corev1.PodSucceeded {
		return output, nil
	}
	if says := output.last("refused"); says != "" {
		return output, refuse("%s", says)
	}
	why := pod.Status.Reason
	for _, status := range pod.Status.ContainerStatuses {
		if ended := status.State.Terminated; ended != nil {
			why = fmt.Sprintf("%s, code %d", ended.Reason, ended.ExitCode)
		}
	}
	return output, refuse("The work on the volume ended with %s: %s", why, redactor.Text(output.tail))
}

// workLog reads what a pod of the bot's own has printed so far.
func (c *Cluster) workLog(ctx context.Context, target evidence.Target, name string) (string, error) {
	limit := int64(maxWorkLog)
	stream, err := c.Clients.CoreV1().Pods(target.Namespace).GetLogs(name, &corev1.PodLogOptions{Container: workContainer, LimitBytes: &limit}).Stream(ctx)
	if err != nil {
		return "", err
	}
	defer stream.Close()
	data, err := io.ReadAll(io.LimitReader(stream, limit))
	return strings.ToValidUTF8(string(data), "�"), err
}

// removeWork deletes a pod by its UID and waits until it is gone, also when
// ctx is over: two servers must not share a volume.
func (c *Cluster) removeWork(ctx context.Context, target evidence.Target, pod *corev1.Pod) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), workGone)
	defer cancel()
	pods := c.Clients.CoreV1().Pods(target.Namespace)
	options := metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(pod.UID))}
	ticker := time.NewTicker(workPoll)
	defer ticker.Stop()
	for told := false; ; {
		if !told { // it is the bot's own pod, and this one alone: to ask again does no harm
			err := pods.Delete(ctx, pod.Name, options)
			if err != nil && !passing(err) && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
				return fmt.Errorf("delete pod %s: %w", pod.Name, err)
			}
			told = !passing(err)
		}
		now, err := pods.Get(ctx, pod.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && now.UID != pod.UID {
			return nil
		}
		select {
		case <-ctx.Done():
			return refuse("Pod %s does not end; delete it: kubectl delete pod %s -n %s.", pod.Name, pod.Name, target.Namespace)
		case <-ticker.C:
		}
	}
}
