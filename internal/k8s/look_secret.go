package k8s

import (
	"bytes"
	"context"
	"slices"
	"unicode"

	corev1 "k8s.io/api/core/v1"

	"redis-session-bot/internal/evidence"
)

// mask stands for a Secret's value in what is shown of it.
const mask = "***"

// noteSecret tells of the target's Secret when it was written, by whom, and
// which keys it has, since a password is stale on the side that started before
// that. It was read for the redactor already.
func (l *look) noteSecret(ctx context.Context, n *notes) {
	if l.target.Secret == "" {
		n.missing(evidence.FileSecrets, "No Secret is configured for this target: set its secret.")
		return
	}
	found, err := l.readSecrets(ctx)
	if err == nil {
		err = found.shownErr
	}
	n.note(evidence.FileSecrets, err, func(b *evidence.Bundle) {
		b.Secrets = &corev1.SecretList{Items: []corev1.Secret{}}
		if found.shown != nil {
			b.Secrets.Items = append(b.Secrets.Items, *found.shown)
		}
	})
}

// shownOf is what may be shown of a Secret. Its annotations may not: kubectl
// keeps a copy of the data there.
func shownOf(secret *corev1.Secret) *corev1.Secret {
	if secret == nil {
		return nil
	}
	shown := &corev1.Secret{Type: secret.Type, Data: map[string][]byte{}}
	shown.Name, shown.Namespace, shown.CreationTimestamp = secret.Name, secret.Namespace, secret.CreationTimestamp
	shown.ManagedFields = slices.Clone(secret.ManagedFields)
	for i := range shown.ManagedFields {
		shown.ManagedFields[i].FieldsV1 = nil
	}
	for key, value := range secret.Data {
		shown.Data[key] = masked(value)
	}
	return shown
}

// masked is the mask with the white space that a value ends in, which tells a
// password that was written by echo. An empty value stays empty.
func masked(value []byte) []byte {
	if len(value) == 0 {
		return []byte{}
	}
	text := bytes.TrimRightFunc(value, unicode.IsSpace)
	if len(text) == 0 {
		return []byte(mask) // the white space is the value
	}
	return slices.Concat([]byte(mask), value[len(text):])
}
