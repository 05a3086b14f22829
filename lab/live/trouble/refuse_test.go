package trouble

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"redis-session-bot/lab/faults"
	"redis-session-bot/lab/live"
	"redis-session-bot/lab/workload"
)

// deadKubeconfig names an API server that is not there.
func deadKubeconfig(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["dead"] = &clientcmdapi.Cluster{Server: "https://" + address}
	config.Contexts["dead"] = &clientcmdapi.Context{Cluster: "dead"}
	config.CurrentContext = "dead"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRefusals: whatever must not be done is refused in a sentence, with
// nothing written.
func TestRefusals(t *testing.T) {
	t.Parallel()
	p := live.Admit(t, "trouble-refusals", workload.Deployment, "")
	if err := faults.Break(t.Context(), faults.Options{Kubeconfig: p.Admin, Namespace: p.Namespace}, "config-error"); err != nil {
		t.Fatal(err)
	}
	before := p.Objects()
	unchanged := func(when string) {
		t.Helper()
		if diff := cmp.Diff(before, p.Objects()); diff != "" {
			t.Fatalf("%s: something was written:\n%s", when, diff)
		}
	}
	r := p.Serve()
	for user, says := range map[string]string{"U_MEMBER": "You may not diagnose", "U_GUEST": "Guests may not"} {
		r.Command(user, "diagnose")
		r.Whispered(user, says)
	}
	r.Command("U_RESPONDER", "diagnoze")
	r.Whispered("U_RESPONDER", "Did you mean /redis-session diagnose?")

	r.Diagnose("U_RESPONDER")
	r.Press("U_RESPONDER", "Run all")
	r.Press("U_RESPONDER", "Plan:")
	first := r.Wait("Apply")
	r.Click("U_RESPONDER", first, false)
	r.Whispered("U_RESPONDER", "You may diagnose, not apply")
	r.Click("U_GUEST", first, false)
	r.Whispered("U_GUEST", "Guests may not")
	unchanged("a click without the role")

	// Somebody edits the file: the plan is not applied, and a new one is offered.
	if err := p.Copy.EditConfig(t.Context(), "kubectl-edit", func(text string) string { return text + "# a note\n" }); err != nil {
		t.Fatal(err)
	}
	before = p.Objects()
	r.Click("U_APPROVER", first, false)
	r.Until("the drift is told", 20*time.Second, func() bool {
		return strings.Contains(r.Seen(true), "Nothing was changed: "+workload.RedisConfig+" was edited by kubectl-edit")
	})
	unchanged("a plan after drift")

	// An old button stays old.
	r.Press("U_RESPONDER", "Plan again")
	var second live.Button
	r.Until("there is a second plan", 2*time.Minute, func() bool {
		found := r.Find("Apply")
		if found == nil || found.Value == first.Value {
			return false
		}
		second = *found
		return true
	})
	r.Click("U_SECOND", first, true)
	r.Whispered("U_SECOND", "Plan 1 is drifted and cannot be applied")
	unchanged("an old button")

	// Two approvers press at once: one execution.
	var both sync.WaitGroup
	for _, user := range []string{"U_APPROVER", "U_SECOND"} {
		both.Go(func() { r.Click(user, second, true) })
	}
	both.Wait()
	r.Until("the store is fixed", 120*time.Second, func() bool { return strings.Contains(r.Seen(false), "Fixed") })
	told := 0
	for _, user := range []string{"U_APPROVER", "U_SECOND"} {
		for _, m := range r.Messages(user, r.Root) {
			var b strings.Builder
			live.Words(&b, m["blocks"])
			if m["is_ephemeral"] == true && (strings.Contains(b.String(), "already being applied") || strings.Contains(b.String(), "was applied by")) {
				told++
			}
		}
	}
	if told != 1 {
		t.Errorf("%d of the two were told that the other was first, want 1", told)
	}
	revision := revisions(p)
	if revision != 2 {
		t.Errorf("the workload is at revision %d, want 2: one rollout for two clicks", revision)
	}
}

// revisions counts the rollouts of the store.
func revisions(p *live.Patient) int {
	p.T.Helper()
	sets, err := p.Copy.Clients.AppsV1().ReplicaSets(p.Namespace).List(p.T.Context(), listOf(workload.Redis))
	if err != nil {
		p.T.Fatal(err)
	}
	return len(sets.Items)
}

// TestNoSecretAnywhere plants passwords wherever one can be and looks at
// everything that the bot says, saves and logs.
func TestNoSecretAnywhere(t *testing.T) {
	t.Parallel()
	canaries := []string{"kanari-im-geheimnis-4711", "kanari-in-der-datei-4712", "kanari-in-der-umgebung-4713", "kanari-im-protokoll-4714"}
	p := live.Admit(t, "trouble-canary", workload.StatefulSet, canaries[0])
	// The line with open quotes makes Redis itself write its password into the log.
	err := p.Copy.EditConfig(t.Context(), "somebody", func(text string) string {
		return text + "requirepass " + canaries[1] + "\nrequirepass \"" + canaries[3] + "\n"
	})
	if err != nil {
		t.Fatal(err)
	}
	err = p.Copy.EditTemplate(t.Context(), "somebody", "add a variable", func(pod *corev1.PodTemplateSpec) {
		pod.Spec.Containers[0].Env = append(pod.Spec.Containers[0].Env, corev1.EnvVar{Name: "BACKUP_TOKEN", Value: canaries[2]})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Copy.DeletePods(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := p.Serve()
	r.Until("Redis refuses the line", 60*time.Second, func() bool {
		d, _, _ := p.Diagnose()
		return d.Verdict.Scenario == "config-error"
	})
	bundle := filepath.Join(t.TempDir(), "bundle")
	_, _, printed := p.Diagnose("--save", bundle)
	said := []string{printed}
	r.Diagnose("U_RESPONDER")
	r.Press("U_RESPONDER", "Run all")
	r.Press("U_RESPONDER", "Plan:")
	r.Press("U_APPROVER", "Apply")
	r.Until("the plan has ended", 150*time.Second, func() bool {
		return strings.Contains(r.Seen(false), "Fixed at") || strings.Contains(r.Seen(false), "not fixed")
	})
	r.Press("U_RESPONDER", "kubectl")
	for _, user := range []string{"U_RESPONDER", "U_APPROVER"} {
		said = append(said, r.Transcript(user))
	}
	said = append(said, r.Log.String())
	files := 0
	err = filepath.WalkDir(bundle, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		said = append(said, string(data))
		return err
	})
	if err != nil || files < 5 {
		t.Fatalf("the bundle has %d files: %v", files, err)
	}
	for _, text := range said {
		for _, canary := range canaries {
			if at := strings.Index(text, canary); at >= 0 {
				t.Errorf("%s is told: …%s…", canary, text[max(0, at-200):min(len(text), at+60)])
			}
		}
	}
}
