package evidence

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// Prometheus is prometheus.json: series of the last hours, each as the values
// of Prometheus' own range query, [[unix seconds, "value"], …]. A series that
// is not there was not kept.
type Prometheus struct {
	Up        []Sample `json:"up,omitempty"`        // of the scrape, the least over the targets
	RedisUp   []Sample `json:"redisUp,omitempty"`   // what the exporter says, the least over the servers
	Keys      []Sample `json:"keys,omitempty"`      // the most over the servers
	Memory    []Sample `json:"memory,omitempty"`    // bytes, the most over the servers
	MaxMemory []Sample `json:"maxMemory,omitempty"` // bytes
}

// Sample is one value of a series.
type Sample struct {
	At    time.Time
	Value float64
}

// MarshalJSON writes it as Prometheus does.
func (s Sample) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{float64(s.At.UnixMilli()) / 1000, strconv.FormatFloat(s.Value, 'f', -1, 64)})
}

// UnmarshalJSON reads what Prometheus writes.
func (s *Sample) UnmarshalJSON(data []byte) error {
	var pair [2]json.RawMessage
	if err := json.Unmarshal(data, &pair); err != nil {
		return fmt.Errorf("a sample is [seconds, \"value\"]: %w", err)
	}
	var seconds float64
	var value string
	if err := json.Unmarshal(pair[0], &seconds); err != nil {
		return fmt.Errorf("the time of a sample: %w", err)
	}
	if err := json.Unmarshal(pair[1], &value); err != nil {
		return fmt.Errorf("the value of a sample: %w", err)
	}
	number, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return fmt.Errorf("the value of a sample: %w", err)
	}
	if math.IsNaN(number) || math.IsInf(number, 0) {
		return fmt.Errorf("the value of a sample: %s is no number", value)
	}
	s.At, s.Value = time.UnixMilli(int64(seconds*1000)).UTC(), number
	return nil
}

// History is what Prometheus kept about the store over the last hours. A
// number that it does not know is -1.
type History struct {
	Known      bool      `json:"known"`      // Prometheus was asked and had something
	Up         int64     `json:"up"`         // the last scrape: 1 it worked, 0 it failed, -1 there is no target
	RedisUp    int64     `json:"redisUp"`    // what the exporter last said: 1 Redis answers it, 0 it does not
	Keys       int64     `json:"keys"`       // newest number of keys
	MostKeys   int64     `json:"mostKeys"`   // most keys of the time
	KeysBefore int64     `json:"keysBefore"` // before their deepest fall
	KeysAfter  int64     `json:"keysAfter"`  // right after it
	FellAt     time.Time `json:"fellAt"`     // when it was seen; zero for no fall
	Memory     int64     `json:"memory"`     // newest, in bytes
	MostMemory int64     `json:"mostMemory"` // most of the time, in bytes
	MaxMemory  int64     `json:"maxMemory"`  // newest, in bytes; 0 for no limit
}

// readHistory takes the numbers out of the series.
func (r *reader) readHistory() {
	h := History{Up: -1, RedisUp: -1, Keys: -1, MostKeys: -1, KeysBefore: -1, KeysAfter: -1, Memory: -1, MostMemory: -1, MaxMemory: -1}
	p := r.bundle.Prometheus
	switch {
	case p == nil && r.bundle.Missing[FilePrometheus] != "":
		r.unknown("history", FilePrometheus)
	case p != nil:
		h.Known = len(p.Up)+len(p.RedisUp)+len(p.Keys)+len(p.Memory) > 0
		end := p.End()
		h.Up, h.RedisUp = now(p.Up, end), now(p.RedisUp, end)
		h.Keys, h.MostKeys = last(p.Keys), most(p.Keys)
		h.Memory, h.MostMemory, h.MaxMemory = last(p.Memory), most(p.Memory), last(p.MaxMemory)
		h.KeysBefore, h.KeysAfter, h.FellAt = fall(p.Keys)
	}
	r.evidence.History = h
}

// Lately is how old a sample may be to speak for now.
const Lately = 2 * time.Minute

// End is when the newest sample of any series was taken; zero for none.
func (p Prometheus) End() time.Time {
	var end time.Time
	for _, series := range [][]Sample{p.Up, p.RedisUp, p.Keys, p.Memory, p.MaxMemory} {
		if n := len(series); n > 0 && series[n-1].At.After(end) {
			end = series[n-1].At
		}
	}
	return end
}

// now is the newest value, unless the series has ended before the others.
func now(series []Sample, end time.Time) int64 {
	if n := len(series); n > 0 && end.Sub(series[n-1].At) <= Lately {
		return int64(series[n-1].Value)
	}
	return -1
}

func last(series []Sample) int64 {
	if len(series) == 0 {
		return -1
	}
	return int64(series[len(series)-1].Value)
}

func most(series []Sample) int64 {
	if len(series) == 0 {
		return -1
	}
	return int64(slices.MaxFunc(series, func(a, b Sample) int { return cmp.Compare(a.Value, b.Value) }).Value)
}

// fall finds the two samples in a row between which most was lost, over a gap
// as well.
func fall(series []Sample) (before, after int64, at time.Time) {
	before, after = -1, -1
	deepest := 0.0
	for i := 1; i < len(series); i++ {
		if lost := series[i-1].Value - series[i].Value; lost > deepest {
			deepest, before, after, at = lost, int64(series[i-1].Value), int64(series[i].Value), series[i].At
		}
	}
	return before, after, at
}

// MemoryLimit is that of the store's container, in bytes: the highest of its
// pods, else that of the workload; 0 for none, or where it is not known.
func (e Evidence) MemoryLimit() int64 {
	limit := int64(0)
	most := func(containers []Container) {
		for _, c := range containers {
			if c.Name == e.Target.Container {
				limit = max(limit, c.Memory)
			}
		}
	}
	for _, pod := range e.Pods {
		most(pod.Containers)
	}
	if limit == 0 {
		most(e.Workload.Containers)
	}
	return limit
}
