package kube_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/store/kube"
	"redis-session-bot/internal/store/kube/kubetest"
	"redis-session-bot/internal/store/storetest"
)

func log(text string) evidence.Bundle {
	return evidence.Bundle{Logs: []evidence.RawLog{{Pod: "p", Text: text}}}
}

// TestEvidenceInParts: it takes as many objects as it needs, and those of before
// are gone.
func TestEvidenceInParts(t *testing.T) {
	server := kubetest.Start(t)
	store := kube.New(server.Clients(t), namespace)
	inc := create(t, store)
	for _, test := range []struct{ size, objects int }{{1000, 1}, {4 << 20, 3}, {2 << 20, 2}, {10, 1}} {
		if err := store.AddBundle(t.Context(), inc.ID, log(storetest.Noise(test.size))); err != nil {
			t.Fatal(err)
		}
		if names := server.Names("-evidence"); len(names) != test.objects {
			t.Errorf("%d bytes are in %q, not in %d objects", test.size, names, test.objects)
		}
	}
}

// TestMoreEvidenceThanTheStoreTakes loses the oldest lines of its longest log, and
// says so.
func TestMoreEvidenceThanTheStoreTakes(t *testing.T) {
	server := kubetest.Start(t)
	store := kube.New(server.Clients(t), namespace)
	inc := create(t, store)
	long := storetest.Noise(16 << 20)
	bundle := log(long)
	bundle.Logs = append(bundle.Logs, evidence.RawLog{Pod: "q", Text: "short"})
	if err := store.AddBundle(t.Context(), inc.ID, bundle); err != nil {
		t.Fatal(err)
	}
	got, err := store.Bundle(t.Context(), inc.ID)
	if err != nil || len(got.Logs) != 2 || got.Logs[1].Text != "short" || got.Logs[1].Truncated {
		t.Fatalf("%v", err)
	}
	if kept := got.Logs[0]; !kept.Truncated || len(kept.Text) < 4<<20 || !strings.HasSuffix(long, "\n"+kept.Text) {
		t.Errorf("%d bytes are kept, truncated %v", len(kept.Text), kept.Truncated)
	}
}

// TestWhatIsReadWhileItIsReplaced is one write's, whole.
func TestWhatIsReadWhileItIsReplaced(t *testing.T) {
	server := kubetest.Start(t)
	store, reader := kube.New(server.Clients(t), namespace), kube.New(server.Clients(t), namespace)
	inc := create(t, store)
	first, second := storetest.Noise(2<<20), storetest.Noise(2<<20+1)
	if err := store.AddBundle(t.Context(), inc.ID, log(first)); err != nil {
		t.Fatal(err)
	}
	replaced := false
	server.Break(func(r *http.Request) kubetest.Fault {
		// The reader has the first object, and asks for the second part.
		if !replaced && r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "-1") && strings.Contains(r.URL.Path, "-evidence-") {
			replaced = true
			return kubetest.LoseRequest
		}
		return kubetest.None
	})
	done := make(chan error, 1)
	go func() { done <- store.AddBundle(t.Context(), inc.ID, log(second)) }()
	for {
		got, err := reader.Bundle(t.Context(), inc.ID)
		if err != nil || len(got.Logs) != 1 || got.Logs[0].Text != first && got.Logs[0].Text != second {
			t.Fatalf("%d logs, %v", len(got.Logs), err)
		}
		if got.Logs[0].Text == second {
			break
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// TestEvidenceOfAReplicaThatDied: the parts of a write that did not come to its
// end are deleted, once it cannot come to it any more.
func TestEvidenceOfAReplicaThatDied(t *testing.T) {
	server := kubetest.Start(t)
	store := kube.New(server.Clients(t), namespace)
	inc := create(t, store)
	if err := store.AddBundle(t.Context(), inc.ID, log(storetest.Noise(2<<20))); err != nil {
		t.Fatal(err)
	}
	server.Break(func(r *http.Request) kubetest.Fault {
		if r.Method == http.MethodPut {
			return kubetest.Forbidden
		}
		return kubetest.None
	})
	if err := store.AddBundle(t.Context(), inc.ID, log(storetest.Noise(3<<20))); err == nil {
		t.Fatal("it is stored")
	}
	server.Break(nil)
	before := len(server.Names("-evidence"))
	if err := store.Mend(t.Context(), time.Now().Add(time.Minute)); err != nil || len(server.Names("-evidence")) != before {
		t.Errorf("after a minute: %q of %d, %v", server.Names("-evidence"), before, err)
	}
	if err := store.Mend(t.Context(), time.Now().Add(2*time.Hour)); err != nil || len(server.Names("-evidence")) != 2 || before <= 2 {
		t.Errorf("after two hours: %q of %d, %v", server.Names("-evidence"), before, err)
	}
	if got, err := store.Bundle(t.Context(), inc.ID); err != nil || len(got.Logs[0].Text) != 2<<20 {
		t.Errorf("what was there before: %v", err)
	}
}

// TestEvidenceThatIsDamaged is told, and replaced by what is read anew.
func TestEvidenceThatIsDamaged(t *testing.T) {
	for name, damage := range map[string]func(*kubetest.Server){
		"a byte": func(server *kubetest.Server) {
			server.Edit(namespace, "redis-session-bot-inc-1-evidence", func(object *corev1.ConfigMap) *corev1.ConfigMap {
				object.BinaryData["record"][100] ^= 1
				return object
			})
		},
		"a part": func(server *kubetest.Server) {
			for _, name := range server.Names("-evidence-") {
				server.Edit(namespace, strings.TrimPrefix(name, namespace+"/"), func(*corev1.ConfigMap) *corev1.ConfigMap { return nil })
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := kubetest.Start(t)
			store := kube.New(server.Clients(t), namespace)
			inc := create(t, store)
			if err := store.AddBundle(t.Context(), inc.ID, log(storetest.Noise(2<<20))); err != nil {
				t.Fatal(err)
			}
			damage(server)
			if _, err := store.Bundle(t.Context(), inc.ID); err == nil || !strings.Contains(err.Error(), "the evidence of INC-1 is damaged") {
				t.Errorf("%v", err)
			}
			if err := store.AddBundle(t.Context(), inc.ID, log("anew")); err != nil {
				t.Fatal(err)
			}
			if got, err := store.Bundle(t.Context(), inc.ID); err != nil || got.Logs[0].Text != "anew" {
				t.Errorf("%v", err)
			}
		})
	}
}
