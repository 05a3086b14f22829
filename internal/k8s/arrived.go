package k8s

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

// Arrived tells whether a write is in the cluster now: see incident.Cluster.
func (c *Cluster) Arrived(ctx context.Context, target evidence.Target, write incident.Write) (arrived bool, after string, err error) {
	switch write.Verb {
	case incident.Delete:
		arrived, err = c.deleted(ctx, target, write)
	case incident.Create:
		arrived, err = c.created(ctx, target, write)
	case incident.Command:
		arrived, err = c.obeyed(ctx, target, write)
	default:
		arrived, after, err = c.updated(ctx, target, write)
	}
	if err != nil {
		return false, "", c.notSent(c.redactor(ctx, target), err)
	}
	return arrived, after, nil
}

// deleted reports whether a pod is gone, or on its way.
func (c *Cluster) deleted(ctx context.Context, target evidence.Target, write incident.Write) (bool, error) {
	pod, err := c.samePod(ctx, target, write)
	var drift *incident.Drift
	if errors.As(err, &drift) {
		return true, nil
	}
	return err == nil && pod.DeletionTimestamp != nil, err
}

func (c *Cluster) created(ctx context.Context, target evidence.Target, write incident.Write) (bool, error) {
	var err error
	if write.Object.Kind == kindClaim {
		_, err = c.Clients.CoreV1().PersistentVolumeClaims(target.Namespace).Get(ctx, write.Object.Name, metav1.GetOptions{})
	} else {
		_, err = c.Clients.CoreV1().Pods(target.Namespace).Get(ctx, write.Object.Name, metav1.GetOptions{})
	}
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

func (c *Cluster) updated(ctx context.Context, target evidence.Target, write incident.Write) (bool, string, error) {
	object, err := c.objectOf(ctx, target, objectName{write.Object.Kind, write.Object.Name})
	if err != nil {
		return false, "", err
	}
	now, err := fingerprint(object)
	if err != nil || now == write.Base {
		return false, "", err
	}
	is, err := c.isWanted(ctx, target, object, write)
	if err == nil && !is {
		err = refuse("%s is neither as it was nor as the plan would have it.", write.Object.Name)
	}
	return is, now, err
}

// isWanted reports whether an object is as a write would have it: by its
// content, or, where the API server has filled in what the write left out, since
// making the edits once more changes nothing.
func (c *Cluster) isWanted(ctx context.Context, target evidence.Target, object any, write incident.Write) (bool, error) {
	has, err := contentHash(object)
	if err != nil || has == write.Want || has == "" {
		return has != "" && err == nil, err
	}
	again := deepCopy(object)
	for _, one := range write.Changes {
		change, known := changes()[one.Kind]
		if !known || change.edit == nil {
			return false, nil
		}
		if _, err := change.edit(ctx, c, target, again, one.Args); err != nil {
			return false, nil // it cannot be made of this object: it is another one
		}
	}
	after, err := contentHash(again)
	return err == nil && after == has, err
}
