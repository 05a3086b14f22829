package k8s

import (
	"context"
	"fmt"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

// reasonChanged is the reason of the Events on what the bot has changed.
const reasonChanged = "ChangedFromChat"

// maxEvent is how many bytes an Event's message may have.
const maxEvent = 1024

// announces is what an Event needs.
func announces() []permission { return allow("create", "events") }

// Announce puts an Event on an object that a write has changed, so that kubectl
// describe tells who did it. Its errors change nothing about the write.
func (c *Cluster) Announce(ctx context.Context, target evidence.Target, object incident.Object, says string) error {
	now := metav1.NewTime(c.Now())
	event := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{GenerateName: object.Name + ".", Namespace: target.Namespace},
		InvolvedObject: corev1.ObjectReference{Kind: object.Kind, APIVersion: apiVersionOf(object.Kind), Namespace: target.Namespace,
			Name: object.Name, UID: types.UID(object.UID)},
		Reason: reasonChanged, Message: cutEvent(says), Type: corev1.EventTypeNormal, Count: 1, FirstTimestamp: now, LastTimestamp: now,
		Source: corev1.EventSource{Component: fieldManager}, ReportingController: fieldManager,
	}
	if _, err := c.Clients.CoreV1().Events(target.Namespace).Create(ctx, event, metav1.CreateOptions{FieldManager: fieldManager}); err != nil {
		if says := sentenceOfLacking(err); says != "" {
			return fmt.Errorf("put an event on %s: %s", object, says)
		}
		return fmt.Errorf("put an event on %s: %w", object, err)
	}
	return nil
}

// Announce puts an Event on an object of the target's cluster.
func (c *Clusters) Announce(ctx context.Context, target evidence.Target, object incident.Object, says string) error {
	cluster, err := c.Cluster(target.Context)
	if err != nil {
		return err
	}
	return cluster.Announce(ctx, target, object, says)
}

func apiVersionOf(kind string) string {
	switch kind {
	case evidence.KindDeployment, evidence.KindStatefulSet:
		return "apps/v1"
	}
	return "v1"
}

// cutEvent shortens a message on the border of a rune.
func cutEvent(text string) string {
	if len(text) <= maxEvent {
		return text
	}
	cut := maxEvent - len("…")
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
