// Package blockkit judges Block Kit: the blocks of a message, a modal or a home tab, by Slack's rules. The rules are data:
// schema.json says which types there are, what they hold and where they may stand; limits.json how long and how many.
// It judges only; it never draws, changes or sends blocks. Lengths count Unicode code points.
package blockkit

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

//go:embed schema.json
var schemaFile []byte

//go:embed limits.json
var limitsFile []byte

// Surface is a place where blocks can stand.
type Surface string

// The surfaces.
const (
	Message Surface = "message"
	Modal   Surface = "modal"
	Home    Surface = "home"
)

// Schema is the rules, read. It is immutable.
type Schema struct {
	blocks, elements, objects, views map[string]*shape
}

// shape is what an object may and must hold.
type shape struct {
	Props map[string]*rule `json:"props"`
	Needs []string         `json:"needs"`  // all of them
	AnyOf []string         `json:"any_of"` // at least one of them
	OneOf []string         `json:"one_of"` // exactly one of them
	On    []Surface        `json:"on"`     // for blocks: where they may stand
	Alone bool             `json:"alone"`  // for blocks: once a message
}

// rule is what one value must be.
type rule struct {
	Is       string   `json:"is"`       // string, boolean, number, integer, text, list, object, typed, blocks
	Of       []string `json:"of"`       // for strings the values, for typed the types
	Only     string   `json:"only"`     // for text: plain_text or mrkdwn
	Shape    string   `json:"shape"`    // for objects
	Each     *rule    `json:"each"`     // for lists
	Limit    string   `json:"limit"`    // a path in limits.json
	Item     bool     `json:"item"`     // the limit's item_max_length counts
	URL      bool     `json:"url"`      // an absolute http(s) URL
	Pattern  string   `json:"pattern"`  // for strings
	Nullable bool     `json:"nullable"` // null will do
	bounds
	pattern *regexp.Regexp
}

// bounds are the limits of one value, from limits.json or from the schema itself.
type bounds struct {
	MinLength     int      `json:"min_length"`
	MaxLength     int      `json:"max_length"`
	MinItems      int      `json:"min_items"`
	MaxItems      int      `json:"max_items"`
	ItemMaxLength int      `json:"item_max_length"`
	Min           *float64 `json:"min"`
	Max           *float64 `json:"max"`
}

// Load reads the rules that are compiled in.
func Load() (*Schema, error) {
	var limits map[string]json.RawMessage
	if err := json.Unmarshal(limitsFile, &limits); err != nil {
		return nil, fmt.Errorf("parse the Block Kit limits: %w", err)
	}
	var raw struct{ Blocks, Elements, Objects, Views map[string]*shape }
	if err := json.Unmarshal(schemaFile, &raw); err != nil {
		return nil, fmt.Errorf("parse the Block Kit schema: %w", err)
	}
	s := &Schema{blocks: raw.Blocks, elements: raw.Elements, objects: raw.Objects, views: raw.Views}
	for _, group := range []map[string]*shape{s.blocks, s.elements, s.objects, s.views} {
		for name, sh := range group {
			for prop, r := range sh.Props {
				if err := s.prepare(r, limits); err != nil {
					return nil, fmt.Errorf("read the Block Kit schema: %s.%s: %w", name, prop, err)
				}
			}
		}
	}
	return s, nil
}

// prepare fills in a rule's limits, and holds its references against what there is.
func (s *Schema) prepare(r *rule, limits map[string]json.RawMessage) error {
	if r.Limit != "" {
		b, err := lookUp(r.Limit, limits)
		if err != nil {
			return err
		}
		r.bounds = merged(b, r.bounds)
	}
	if r.Item {
		r.MaxLength, r.MinItems, r.MaxItems = r.ItemMaxLength, 0, 0
	}
	if r.Pattern != "" {
		p, err := regexp.Compile(r.Pattern)
		if err != nil {
			return err
		}
		r.pattern = p
	}
	if r.Is == "object" && s.objects[r.Shape] == nil {
		return fmt.Errorf("no object is called %q", r.Shape)
	}
	if r.Is == "typed" {
		for _, t := range r.Of {
			if s.elements[t] == nil && s.blocks[t] == nil && t != plainText && t != mrkdwn {
				return fmt.Errorf("no type is called %q", t)
			}
		}
	}
	if r.Each != nil {
		return s.prepare(r.Each, limits)
	}
	return nil
}

// lookUp finds the limits at a dotted path.
func lookUp(path string, limits map[string]json.RawMessage) (bounds, error) {
	var b bounds
	head, rest, nested := strings.Cut(path, ".")
	raw, ok := limits[head]
	if !ok {
		return b, fmt.Errorf("limits.json has no %q", path)
	}
	if !nested {
		err := json.Unmarshal(raw, &b)
		return b, err
	}
	var inner map[string]json.RawMessage
	if err := json.Unmarshal(raw, &inner); err != nil {
		return b, err
	}
	return lookUp(rest, inner)
}

// merged are the limits, with what the schema itself says over them.
func merged(limit, own bounds) bounds {
	for _, f := range []struct{ to, from *int }{
		{&limit.MinLength, &own.MinLength}, {&limit.MaxLength, &own.MaxLength},
		{&limit.MinItems, &own.MinItems}, {&limit.MaxItems, &own.MaxItems},
	} {
		if *f.from != 0 {
			*f.to = *f.from
		}
	}
	if own.Min != nil {
		limit.Min = own.Min
	}
	if own.Max != nil {
		limit.Max = own.Max
	}
	return limit
}
