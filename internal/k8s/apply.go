package k8s

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

// Unchanged compares every object with what the writes were prepared against.
func (c *Cluster) Unchanged(ctx context.Context, target evidence.Target, writes []incident.Write) error {
	redactor := c.redactor(ctx, target)
	for _, write := range writes {
		if _, err := c.fresh(ctx, target, write); err != nil {
			return c.notSent(redactor, err)
		}
	}
	return nil
}

// fresh reads the object of a write again and returns *incident.Drift when it
// is not what the write was prepared against.
func (c *Cluster) fresh(ctx context.Context, target evidence.Target, write incident.Write) (any, error) {
	switch write.Verb {
	case incident.Create:
		return nil, nil // its name is of this plan alone: a second one is refused by the API server
	case incident.Delete:
		return nil, c.stillBroken(ctx, target, write)
	case incident.Command:
		return nil, c.stillAsked(ctx, target, write)
	}
	object, err := c.objectOf(ctx, target, objectName{write.Object.Kind, write.Object.Name})
	if err != nil {
		return nil, err
	}
	now, err := fingerprint(object)
	if err != nil {
		return nil, err
	}
	if now != write.Base {
		return nil, &incident.Drift{Object: write.Object, Says: c.whoChanged(object)}
	}
	return object, nil
}

// samePod is the pod that a write was prepared against.
func (c *Cluster) samePod(ctx context.Context, target evidence.Target, write incident.Write) (*corev1.Pod, error) {
	pod, err := c.Clients.CoreV1().Pods(target.Namespace).Get(ctx, write.Object.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, &incident.Drift{Object: write.Object, Says: fmt.Sprintf("pod %s is gone since this plan was made", write.Object.Name)}
	case err != nil:
		return nil, fmt.Errorf("read pod %s: %w", write.Object.Name, err)
	case string(pod.UID) != write.Base:
		return nil, &incident.Drift{Object: write.Object, Says: fmt.Sprintf("pod %s is not the one that this plan was made for", write.Object.Name)}
	}
	return pod, nil
}

// stillBroken refuses to delete a pod of the store that serves the sessions by now.
func (c *Cluster) stillBroken(ctx context.Context, target evidence.Target, write incident.Write) error {
	pod, err := c.samePod(ctx, target, write)
	if err != nil || !podReady(pod) {
		return err
	}
	ours, err := c.ourPods(ctx, target)
	if err == nil && ours[pod.Name] {
		err = &incident.Drift{Object: write.Object, Says: fmt.Sprintf("pod %s has become ready since this plan was made, and serves the sessions now", pod.Name)}
	}
	return err
}

// whoChanged names the last writer of an object, from its managed fields.
func (c *Cluster) whoChanged(object any) string {
	meta := metaOf(object)
	var last *metav1.ManagedFieldsEntry
	for i := range meta.ManagedFields {
		entry := &meta.ManagedFields[i]
		if entry.Subresource == "status" || entry.Time == nil {
			continue
		}
		if last == nil || entry.Time.After(last.Time.Time) {
			last = entry
		}
	}
	if last == nil {
		return fmt.Sprintf("%s was changed after this plan was made", meta.Name)
	}
	ago := max(c.Now().Sub(last.Time.Time).Round(time.Second), 0)
	return fmt.Sprintf("%s was edited by %s %s ago, after this plan was made", meta.Name, last.Manager, ago)
}

// Apply sends one write: see incident.Cluster.
func (c *Cluster) Apply(ctx context.Context, target evidence.Target, write incident.Write, _ incident.Actor) (string, error) {
	redactor := c.redactor(ctx, target)
	object, err := c.fresh(ctx, target, write)
	if err != nil {
		return "", c.notSent(redactor, err)
	}
	switch write.Verb {
	case incident.Delete:
		options := metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(write.Base)}
		err := c.Clients.CoreV1().Pods(target.Namespace).Delete(ctx, write.Object.Name, options)
		return "", c.sent(redactor, write, err)
	case incident.Create, incident.Command:
		one := write.Changes[0]
		change, known := changes()[one.Kind]
		if !known || change.send == nil {
			return "", refuse("There is no change %q.", one.Kind)
		}
		return "", c.sent(redactor, write, change.send(ctx, c, target, write, one.Args))
	}
	for _, one := range write.Changes {
		change, known := changes()[one.Kind]
		if !known {
			return "", refuse("There is no change %q.", one.Kind)
		}
		if _, err := change.edit(ctx, c, target, object, one.Args); err != nil {
			return "", c.notSent(redactor, err)
		}
	}
	if want, err := contentHash(object); err != nil || want != write.Want {
		return "", &incident.Drift{Object: write.Object, Says: write.Object.Name + " would become something else than the plan shows"}
	}
	written, err := c.update(ctx, target, object, false)
	if err != nil {
		return "", c.sent(redactor, write, err)
	}
	return fingerprint(written)
}

// update sends an object with the resourceVersion that it was read with. A dry
// run goes without: whether the content is accepted does not depend on what the
// controllers write into the status meanwhile.
func (c *Cluster) update(ctx context.Context, target evidence.Target, object any, dry bool) (any, error) {
	options := metav1.UpdateOptions{FieldManager: fieldManager}
	if dry {
		options.DryRun = []string{metav1.DryRunAll}
		if own := metaOf(object); own != nil {
			version := own.ResourceVersion
			own.ResourceVersion = ""
			defer func() { own.ResourceVersion = version }()
		}
	}
	switch o := object.(type) {
	case *appsv1.Deployment:
		return c.Clients.AppsV1().Deployments(target.Namespace).Update(ctx, o, options)
	case *appsv1.StatefulSet:
		return c.Clients.AppsV1().StatefulSets(target.Namespace).Update(ctx, o, options)
	case *corev1.ConfigMap:
		return c.Clients.CoreV1().ConfigMaps(target.Namespace).Update(ctx, o, options)
	case *corev1.Secret:
		return c.Clients.CoreV1().Secrets(target.Namespace).Update(ctx, o, options)
	case *corev1.Service:
		return c.Clients.CoreV1().Services(target.Namespace).Update(ctx, o, options)
	}
	return nil, errUnknownObject
}

// notSent is an error of what comes before a write: nothing was written.
func (c *Cluster) notSent(redactor *objectRedactor, err error) error {
	err = c.readable(redactor, err)
	var drift *incident.Drift
	var refusal *incident.Refusal
	if errors.As(err, &drift) || errors.As(err, &refusal) {
		return err
	}
	return &incident.Refusal{Says: "The cluster could not be read: " + redactor.Text(reason(err)) + ".", Err: err}
}

// sent sorts the answer to a write: an answer of the API server's means that
// nothing was written; no answer means that nobody knows.
func (c *Cluster) sent(redactor *objectRedactor, write incident.Write, err error) error {
	switch {
	case err == nil || isRefusal(err):
		return err
	case apierrors.IsAlreadyExists(err):
		return &incident.Refusal{Says: fmt.Sprintf("%s exists already: nothing was sent a second time.", write.Object), Err: err}
	case apierrors.IsConflict(err):
		return &incident.Drift{Object: write.Object, Says: write.Object.Name + " was changed by somebody in this very moment"}
	case apierrors.ReasonForError(err) != metav1.StatusReasonUnknown && !uncertain(err):
		return &incident.Refusal{Says: "The API server refused: " + redactor.Text(reason(err)), Err: errors.New(redactor.Text(err.Error()))}
	}
	return fmt.Errorf("%s %s: %s", write.Verb, write.Object, redactor.Text(err.Error()))
}

func isRefusal(err error) bool {
	var refusal *incident.Refusal
	return errors.As(err, &refusal)
}

// uncertain reports whether an answer leaves open if the write arrived.
func uncertain(err error) bool {
	return apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err) || apierrors.IsInternalError(err) ||
		apierrors.IsServiceUnavailable(err) || apierrors.IsUnexpectedServerError(err)
}
