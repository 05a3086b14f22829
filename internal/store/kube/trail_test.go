package kube_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"redis-session-bot/internal/chain"
	"redis-session-bot/internal/store/kube"
	"redis-session-bot/internal/store/kube/kubetest"
	"redis-session-bot/internal/store/record"
)

// long makes a trail of three segments, by two replicas in turns.
func long(t *testing.T) (*kubetest.Server, *kube.Store) {
	t.Helper()
	server := kubetest.Start(t)
	stores := []*kube.Store{kube.New(server.Clients(t), namespace), kube.New(server.Clients(t), namespace)}
	inc := create(t, stores[0])
	for round := range 7 {
		for n := range 90 {
			inc.Timeline = append(inc.Timeline, entry(fmt.Sprintf("line %d of round %d", n, round)))
		}
		var err error
		if inc, err = stores[round%2].Update(t.Context(), inc); err != nil {
			t.Fatal(err)
		}
	}
	return server, stores[1]
}

func TestTheTrailGoesOnInTheNextSegment(t *testing.T) {
	server, store := long(t)
	untouched(t, store, 631)
	if segments := server.Names("-trail-"); len(segments) != 3 {
		t.Errorf("segments: %q", segments)
	}
	// A replica that starts now goes on where the others are.
	fresh := kube.New(server.Clients(t), namespace)
	add(t, fresh, "INC-1", "after a start")
	add(t, store, "INC-1", "by the other one")
	untouched(t, fresh, 633)
}

// TestTamperingInTheCluster: what somebody who may write ConfigMaps does is found.
func TestTamperingInTheCluster(t *testing.T) {
	segment := func(server *kubetest.Server, number int, edit func([]chain.Entry) []chain.Entry) {
		name := fmt.Sprintf("redis-session-bot-trail-%06d", number)
		server.Edit(namespace, name, func(object *corev1.ConfigMap) *corev1.ConfigMap {
			var entries []chain.Entry
			if err := record.Unpack(name, object.BinaryData["record"], &entries); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			packed, err := record.Pack(name, edit(entries))
			if err != nil {
				t.Error(err)
			}
			object.BinaryData["record"] = packed
			return object
		})
	}
	gone := func(*corev1.ConfigMap) *corev1.ConfigMap { return nil }
	for name, test := range map[string]struct {
		touch func(*kubetest.Server)
		want  string
	}{
		"an entry is edited": {want: "Entry 11 (INC-1, line 11) was changed", touch: func(server *kubetest.Server) {
			segment(server, 1, func(entries []chain.Entry) []chain.Entry { entries[10].Text = "nothing"; return entries })
		}},
		"one is dropped at the end": {want: "The trail ends with entry 630", touch: func(server *kubetest.Server) {
			segment(server, 3, func(entries []chain.Entry) []chain.Entry { return entries[:len(entries)-1] })
		}},
		"a segment is deleted": {want: "are missing", touch: func(server *kubetest.Server) {
			server.Edit(namespace, "redis-session-bot-trail-000002", gone)
		}},
		"the last one is": {want: "The trail ends with entry", touch: func(server *kubetest.Server) {
			server.Edit(namespace, "redis-session-bot-trail-000003", gone)
		}},
		"the incident is deleted": {want: "INC-1 is missing", touch: func(server *kubetest.Server) {
			server.Edit(namespace, "redis-session-bot-inc-1", gone)
		}},
		"a segment is damaged": {want: "the audit trail from entry 1 to", touch: func(server *kubetest.Server) {
			server.Edit(namespace, "redis-session-bot-trail-000001", func(object *corev1.ConfigMap) *corev1.ConfigMap {
				object.BinaryData["record"][9] ^= 1
				return object
			})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			server, store := long(t)
			kept, err := store.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			test.touch(server)
			report := verify(t, kube.New(server.Clients(t), namespace), kept)
			var said strings.Builder
			for _, trouble := range report.Troubles {
				said.WriteString(trouble.Says + "\n")
			}
			if !strings.Contains(said.String(), test.want) {
				t.Errorf("want %q:\n%s", test.want, &said)
			}
		})
	}
}

// TestADamagedEndOfTheTrail does not keep the bot from its work.
func TestADamagedEndOfTheTrail(t *testing.T) {
	server := kubetest.Start(t)
	create(t, kube.New(server.Clients(t), namespace))
	server.Edit(namespace, "redis-session-bot-trail-000001", func(object *corev1.ConfigMap) *corev1.ConfigMap {
		object.BinaryData["record"] = nil
		return object
	})
	store := kube.New(server.Clients(t), namespace)
	add(t, store, "INC-1", "after it")
	create(t, store)
	head, err := store.Head(t.Context())
	if err != nil || head.N != 3 {
		t.Errorf("%s, %v", head, err)
	}
	for _, trouble := range verify(t, store).Troubles {
		if !strings.Contains(trouble.Says, "ntry 1 ") && trouble.Line > 2 {
			t.Errorf("%+v", trouble)
		}
	}
}

// TestAReplicaThatDiesBeforeItHasChained: the line is stored, and any replica
// chains it later, once.
func TestAReplicaThatDiesBeforeItHasChained(t *testing.T) {
	server := kubetest.Start(t)
	store := kube.New(server.Clients(t), namespace)
	inc := create(t, store)
	server.Break(func(r *http.Request) kubetest.Fault {
		if r.Method != http.MethodGet && strings.Contains(r.URL.Path, "-trail-") {
			return kubetest.Forbidden
		}
		return kubetest.None
	})
	var told []string
	store.Unchained = func(id string, err error) { told = append(told, id) }
	add(t, store, inc.ID, "just before it died")
	server.Break(nil)
	if len(told) != 1 || told[0] != inc.ID {
		t.Errorf("told %q", told)
	}
	if report := verify(t, store); len(report.Troubles) != 1 || report.Troubles[0].Line != 2 || !strings.Contains(report.Troubles[0].Says, "is not in the trail") {
		t.Errorf("%+v", report.Troubles)
	}
	other := kube.New(server.Clients(t), namespace)
	for range 2 {
		if err := other.Mend(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	untouched(t, other, 2)
	// One that goes on chains what is missing with what it adds.
	server.Break(once(kubetest.Forbidden, write(http.MethodPut, "-trail-")))
	add(t, store, inc.ID, "not chained")
	add(t, other, inc.ID, "chained with the one before")
	untouched(t, other, 4)
}

// TestTwoChainTheSameLines, as when one mends what the other is about to chain.
func TestTwoChainTheSameLines(t *testing.T) {
	server := kubetest.Start(t)
	store := kube.New(server.Clients(t), namespace)
	inc := create(t, store)
	other := kube.New(server.Clients(t), namespace)
	mended := false
	server.Break(func(r *http.Request) kubetest.Fault {
		if !mended && r.Method == http.MethodPut && strings.Contains(r.URL.Path, "-trail-") {
			mended = true
			go func() {
				if err := other.Mend(t.Context(), time.Now()); err != nil {
					t.Error(err)
				}
			}()
			return kubetest.LoseRequest
		}
		return kubetest.None
	})
	for n := range 5 {
		inc = add(t, store, inc.ID, fmt.Sprintf("line %d", n))
	}
	if err := other.Mend(t.Context(), time.Now()); err != nil {
		t.Error(err)
	}
	untouched(t, store, 6)
	if pending, err := store.Get(t.Context(), inc.ID); err != nil || len(pending.Timeline) != 6 {
		t.Errorf("%+v, %v", pending, err)
	}
}
