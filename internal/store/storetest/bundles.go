package storetest

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
)

func bundles(t *testing.T, stores Stores) {
	ctx := t.Context()
	inc := create(t, stores.One)
	empty, err := stores.Other.Bundle(ctx, inc.ID)
	if err != nil || empty.Pods != nil || len(empty.Missing) != 0 {
		t.Errorf("bundle before any was saved: %+v, %v", empty, err)
	}
	part := evidence.Bundle{Meta: evidence.Meta{Namespace: "ns", Workload: "store"}, Logs: []evidence.RawLog{{Pod: "p", Text: "line"}},
		Missing: map[string]string{evidence.FilePods: "forbidden", evidence.FileNodes: "forbidden"}}
	if err := stores.One.AddBundle(ctx, inc.ID, part); err != nil {
		t.Fatalf("add: %v", err)
	}
	part.Missing[evidence.FilePods], part.Logs[0].Text = "changed outside", "changed outside"
	pods := evidence.Bundle{Pods: &corev1.PodList{Items: []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Name: "p"}}}}}
	if err := stores.Other.AddBundle(ctx, inc.ID, pods); err != nil {
		t.Fatalf("add: %v", err)
	}
	want := evidence.Bundle{Meta: part.Meta, Pods: pods.Pods, Logs: []evidence.RawLog{{Pod: "p", Text: "line"}}, Missing: map[string]string{evidence.FileNodes: "forbidden"}}
	got, err := stores.One.Bundle(ctx, inc.ID)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("added (-) and read (+): %v\n%s", err, diff)
	}
	if after, err := stores.One.Get(ctx, inc.ID); err != nil || after.Version != 1 {
		t.Errorf("the evidence has changed the incident: version %d, %v", after.Version, err)
	}
	if other, err := stores.One.Bundle(ctx, create(t, stores.One).ID); err != nil || other.Pods != nil {
		t.Errorf("another incident has it, too: %+v, %v", other, err)
	}
}

func bundlesAtOnce(t *testing.T, stores Stores) {
	const count = 8
	inc := create(t, stores.One)
	var all sync.WaitGroup
	for n := range count {
		store := []Store{stores.One, stores.Other}[n%2]
		all.Go(func() {
			if err := store.AddBundle(t.Context(), inc.ID, evidence.Bundle{Logs: []evidence.RawLog{{Pod: fmt.Sprint(n), Text: "said"}}}); err != nil {
				t.Errorf("add: %v", err)
			}
		})
	}
	all.Wait()
	got, err := stores.Other.Bundle(t.Context(), inc.ID)
	if err != nil || len(got.Logs) != count {
		t.Errorf("%d of %d logs are there, %v", len(got.Logs), count, err)
	}
}

// Noise is lines of text that do not compress to much less than half.
func Noise(length int) string {
	raw := make([]byte, length/2+1)
	_, _ = rand.NewChaCha8([32]byte{byte(length)}).Read(raw) // it never fails
	text := []byte(hex.EncodeToString(raw))[:length]
	for n := 63; n < length; n += 64 {
		text[n] = '\n'
	}
	return string(text)
}

// largeBundle is written twice: the second one has other parts than the first.
func largeBundle(t *testing.T, stores Stores) {
	inc := create(t, stores.One)
	for _, size := range []int{3 << 20, 5 << 20, 100} {
		part := evidence.Bundle{Logs: []evidence.RawLog{{Pod: "p", Text: Noise(size)}}}
		if err := stores.One.AddBundle(t.Context(), inc.ID, part); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		got, err := stores.Other.Bundle(t.Context(), inc.ID)
		if err != nil || len(got.Logs) != 1 || got.Logs[0].Text != part.Logs[0].Text {
			t.Fatalf("%d bytes: another log comes back, %v", size, err)
		}
	}
}
