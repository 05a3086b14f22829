package k8s

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/redact"
)

// lastApplied repeats the whole object as somebody once wrote it, secrets and all.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// identities are the fields that name things. They hold no secret, and a
// password that is also a word of a name must not break them.
var identities = map[string]bool{
	"name": true, "generateName": true, "namespace": true, "uid": true, "resourceVersion": true, "kind": true,
	"apiVersion": true, "nodeName": true, "image": true, "imageID": true, "containerID": true, "labels": true,
	"matchLabels": true, "selector": true, "claimName": true, "secretName": true, "configMapName": true, "key": true,
	"type": true, "reason": true, "phase": true, "status": true, "serviceName": true, "manager": true, "from": true, "pod": true,
	"stage": true, "via": true, "storageClassName": true, "volumeName": true, "container": true,
	"ownerReferences": true, "time": true, "operation": true, "fieldPath": true,
}

// objectRedactor takes secrets out of objects, too: what a field holds depends
// on its name.
type objectRedactor struct{ *redact.Redactor }

// bundle redacts everything that a bundle holds. The error is a fault of this
// program: the bundle must not leave then.
func (r *objectRedactor) bundle(b *evidence.Bundle) error {
	if err := redactInto(r, b); err != nil {
		return err
	}
	for i := range b.Logs {
		b.Logs[i].Text, b.Logs[i].Err = r.Text(b.Logs[i].Text), r.Text(b.Logs[i].Err)
	}
	return nil
}

// redactInto rewrites every list and sentence of a bundle but its logs.
func redactInto(r *objectRedactor, b *evidence.Bundle) error {
	logs := b.Logs
	b.Logs = nil
	data, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("redact: %w", err)
	}
	var tree any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&tree); err != nil {
		return fmt.Errorf("redact: %w", err)
	}
	if data, err = json.Marshal(r.walk(tree)); err != nil {
		return fmt.Errorf("redact: %w", err)
	}
	var clean evidence.Bundle
	if err := json.Unmarshal(data, &clean); err != nil {
		return fmt.Errorf("redact: %w", err)
	}
	clean.Logs = logs
	*b = clean
	return nil
}

// walk returns a JSON value without secrets.
func (r *objectRedactor) walk(node any) any {
	switch node := node.(type) {
	case string:
		return r.Text(node)
	case []any:
		return r.walkList(node)
	case map[string]any:
		for key, child := range node {
			node[key] = r.walkField(key, child)
		}
	}
	return node
}

func (r *objectRedactor) walkField(key string, child any) any {
	if text, ok := child.(string); ok && identities[key] {
		return text
	}
	switch key {
	case "labels", "matchLabels", "selector":
		return child
	case "env", "httpHeaders":
		return r.walk(withoutValues(child))
	case "managedFields":
		return withoutFields(child)
	case lastApplied:
		return redact.Mark
	}
	return r.walk(child)
}

// walkList knows that in a command line the secret is the word after its flag.
func (r *objectRedactor) walkList(list []any) any {
	flagged := false
	for i, item := range list {
		word, ok := item.(string)
		switch {
		case !ok:
			list[i] = r.walk(item)
			flagged = false
		case flagged && !redact.IsVariable(word):
			list[i] = redact.Mark
			flagged = false
		default:
			list[i] = r.Text(word)
			flagged = isSecretFlag(word)
		}
	}
	return list
}

// isSecretFlag reports whether the next word of a command line is a secret.
func isSecretFlag(word string) bool {
	switch strings.ToLower(word) {
	case "-a", "--pass", "--password", "--requirepass", "--masterauth", "--primaryauth", "--tls-key-file-pass", "--tls-client-key-file-pass",
		"requirepass", "masterauth", "primaryauth", "auth":
		return true
	}
	return false
}

// finds reports whether a JSON value holds a secret: a word that is one, or one
// by the word before it, as after a flag or a directive.
func (r *objectRedactor) finds(node any) bool {
	secret := func(before string, node any) bool {
		text, ok := node.(string)
		text = before + " " + text
		return ok && r.Text(text) != text
	}
	switch node := node.(type) {
	case string:
		return r.Text(node) != node
	case []any:
		for i, item := range node {
			before, _ := node[max(i-1, 0)].(string)
			if r.finds(item) || i > 0 && secret(before, item) {
				return true
			}
		}
	case map[string]any:
		for key, child := range node {
			if r.finds(child) || secret(key, child) {
				return true
			}
		}
	}
	return false
}

// withoutValues takes the literal values out of a container's environment or
// of a probe's headers; names and references stay.
func withoutValues(env any) any {
	list, _ := env.([]any)
	for _, item := range list {
		if variable, ok := item.(map[string]any); ok && variable["value"] != nil && variable["value"] != "" {
			variable["value"] = redact.Mark
		}
	}
	return env
}

// withoutFields keeps who wrote an object and when, and drops what: it is
// large, and nobody reads it.
func withoutFields(managed any) any {
	list, _ := managed.([]any)
	for _, item := range list {
		if entry, ok := item.(map[string]any); ok {
			delete(entry, "fieldsV1")
		}
	}
	return managed
}
