package slacktest

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"strings"
)

//go:embed methods/*.json
var methodFiles embed.FS

// method is what the API reference says of one Web API method.
type method struct {
	Scope struct {
		Bot []string `json:"bot"`
	} `json:"scope"`
	Tier      string `json:"rate_limits"`
	TakesJSON bool   `json:"json_input_supported"`
	Args      struct {
		Required   []string            `json:"required"`
		Properties map[string]property `json:"properties"`
	} `json:"args"`
}

// property is the type of one argument; what it leaves out, it allows.
type property struct {
	Type      string     `json:"type"`
	Subtype   string     `json:"subtype"`
	AnyOf     []property `json:"anyOf"`
	Enum      []string   `json:"enum"`
	Minimum   *float64   `json:"minimum"`
	Maximum   *float64   `json:"maximum"`
	MaxLength int        `json:"maxLength"`
}

func loadMethods() (map[string]method, error) {
	entries, err := methodFiles.ReadDir("methods")
	if err != nil {
		return nil, fmt.Errorf("read the Slack methods: %w", err)
	}
	out := map[string]method{}
	for _, e := range entries {
		raw, err := methodFiles.ReadFile(path.Join("methods", e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read the Slack method %s: %w", e.Name(), err)
		}
		var m method
		if err := json.Unmarshal(raw, &m); err != nil {
			return nil, fmt.Errorf("parse the Slack method %s: %w", e.Name(), err)
		}
		out[strings.TrimSuffix(e.Name(), ".json")] = m
	}
	return out, nil
}
