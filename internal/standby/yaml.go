package standby

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// YAML is the manifests as one file for kubectl apply.
func (m Manifests) YAML() ([]byte, error) {
	var out bytes.Buffer
	secret := m.Pod.Spec.Containers[0].Env[0].ValueFrom.SecretKeyRef
	fmt.Fprintf(&out, `# Redis with Sentinel: a copy of %s that stays up when one pod or one node is lost.
# Made from the live store at %s by redis-session-bot, which has applied nothing.
# No secret is in this file: the password comes from the Secret %s, key %s.
#
#   kubectl apply --dry-run=server -f FILE
#   kubectl apply -f FILE
#
# Sentinels: %s:%d and its two neighbours. They know the master as %s.
`, m.Target, m.At.UTC().Format(time.RFC3339), secret.Name, secret.Key, m.Hosts[0], SentinelPort, m.Master)
	for _, note := range m.Notes {
		fmt.Fprintf(&out, "# Note: %s\n", strings.Join(strings.Fields(note), " ")) // a line of its own would be a manifest
	}
	for _, object := range m.Objects {
		text, err := manifest(object)
		if err != nil {
			return nil, fmt.Errorf("write the manifests: %w", err)
		}
		out.WriteString("---\n")
		out.Write(text)
	}
	return out.Bytes(), nil
}

// manifest is an object as people write one: without a status.
func manifest(object any) ([]byte, error) {
	data, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	without(fields)
	return yaml.Marshal(fields)
}

// without drops what is empty and what only the API server writes.
func without(node any) {
	switch n := node.(type) {
	case map[string]any:
		for key, child := range n {
			without(child)
			if inner, is := child.(map[string]any); key == "status" || key == "creationTimestamp" || is && len(inner) == 0 && (key == "resources" || key == "updateStrategy" || key == "strategy") {
				delete(n, key)
			}
		}
	case []any:
		for _, child := range n {
			without(child)
		}
	}
}
