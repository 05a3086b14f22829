package evidence_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redis-session-bot/internal/evidence"
)

func TestHistoryIsReadOutOfSeries(t *testing.T) {
	none := evidence.History{Up: -1, RedisUp: -1, Keys: -1, MostKeys: -1, KeysBefore: -1, KeysAfter: -1, Memory: -1, MostMemory: -1, MaxMemory: -1}
	known := func(change func(h *evidence.History)) evidence.History {
		h := none
		h.Known = true
		change(&h)
		return h
	}
	tests := map[string]struct {
		file string
		want evidence.History
	}{
		"nothing was kept": {`{}`, none},
		"it fell over a gap": {`{"up":[[1000,"1"],[1200,"1"]],"keys":[[1000,"12403"],[1200,"12"],[1230,"14"]]}`, known(func(h *evidence.History) {
			h.Up, h.Keys, h.MostKeys, h.KeysBefore, h.KeysAfter, h.FellAt = 1, 14, 12403, 12403, 12, time.Unix(1200, 0).UTC()
		})},
		"the target is gone": {`{"up":[[1000,"1"]],"redisUp":[[1000,"1"]],"memory":[[1000,"5e6"],[1300,"4000000"]],"maxMemory":[[1300,"8000000"]]}`, known(func(h *evidence.History) {
			h.Memory, h.MostMemory, h.MaxMemory = 4_000_000, 5_000_000, 8_000_000
		})},
		"the exporter says no": {`{"up":[[1000,"1"]],"redisUp":[[1000,"0"]]}`, known(func(h *evidence.History) { h.Up, h.RedisUp = 1, 0 })},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var kept evidence.Prometheus
			if err := json.Unmarshal([]byte(test.file), &kept); err != nil {
				t.Fatal(err)
			}
			got := evidence.Read(evidence.Bundle{Prometheus: &kept}, evidence.Target{}).History
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("want (-), read (+):\n%s", diff)
			}
		})
	}
	for _, bad := range []string{`{"up":[[1000,"NaN"]]}`, `{"up":[["1000","1"]]}`, `{"up":[[1000]]}`, `{"up":[1]}`} {
		if err := json.Unmarshal([]byte(bad), &evidence.Prometheus{}); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}
