package k8s

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	clienttesting "k8s.io/client-go/testing"

	"redis-session-bot/internal/checks"
	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/preflight"
	"redis-session-bot/internal/runbook"
	"redis-session-bot/runbooks"
)

func defaultBook(t *testing.T) *runbook.Runbook {
	t.Helper()
	v := runbook.Vocabulary{Audits: []string{"redis"}, Checks: map[string][]string{}, Changes: Changes()}
	for _, check := range checks.All() {
		v.Checks[check.Name] = check.Fields
	}
	book, err := runbook.Load(runbooks.DefaultName, runbooks.Default, v)
	if err != nil {
		t.Fatal(err)
	}
	return book
}

// TestPermissionsNameTheOne that is taken away: over everything that bot rbac
// prints for the default runbook, and for a store in the cluster.
func TestPermissionsNameTheOne(t *testing.T) {
	granted := grantsFor(defaultBook(t), []evidence.Target{testTarget}, "incidents", Extra{})
	for _, namespace := range append(granted.namespaces, "") {
		needed, role := granted.in[namespace], "Role in "+namespace
		if namespace == "" {
			needed, role = granted.whole, "ClusterRole"
		}
		rules := rulesFor(needed)
		if len(rules) == 0 {
			t.Fatalf("nothing is needed in %q", namespace)
		}
		if all := onlyWithout(permission{}).permissions(t.Context(), "about", namespace, rules); !(preflight.Report{Findings: all}).OK() || len(all) != len(rules) {
			t.Errorf("in %q, with everything granted: %+v", namespace, all)
		}
		for _, rule := range rules {
			for _, one := range ofRule(rule, namespace == "") {
				found := preflight.Report{Findings: onlyWithout(one).permissions(t.Context(), "about", namespace, rules)}
				wrong := found.With(preflight.Wrong)
				if len(wrong) != 1 || found.Count(preflight.Unknown) != 0 {
					t.Errorf("without %+v: %+v", one, wrong)
					continue
				}
				if want := "the bot may not " + lackingWords([]permission{one}); wrong[0].Says != want || wrong[0].What != ruleWords(rule) {
					t.Errorf("says %q of %q, want %q", wrong[0].Says, wrong[0].What, want)
				}
				if want := fmt.Sprintf("add to its %s %s, or apply what bot rbac prints", role, rulesOf([]permission{one})); wrong[0].Mend != want {
					t.Errorf("mend is %q, want %q", wrong[0].Mend, want)
				}
			}
		}
	}
}

// onlyWithout is a cluster in which the bot may do everything but one thing.
func onlyWithout(denied permission) *Cluster {
	clients := fake.NewSimpleClientset()
	clients.PrependReactor("create", "selfsubjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview).DeepCopy()
		review.Status.Allowed = askedFor(review.Spec.ResourceAttributes) != strings.TrimSpace(denied.verb+" "+denied.resource+" "+denied.name)
		return true, review, nil
	})
	return &Cluster{Clients: clients, Now: time.Now}
}

func askedFor(asked *authorizationv1.ResourceAttributes) string {
	resource := asked.Resource
	if asked.Group != "" {
		resource += "." + asked.Group
	}
	if asked.Subresource != "" {
		resource += "/" + asked.Subresource
	}
	return strings.TrimSpace(asked.Verb + " " + resource + " " + asked.Name)
}

// apiServer is an API server of nothing: it answers what is asked before the bot
// is needed, and knows no object.
type apiServer struct {
	status  int // of /version; 0: 200
	date    string
	metrics int
	denied  string
}

func (s apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if s.date != "" {
		w.Header().Set("Date", s.date)
	}
	switch {
	case r.URL.Path == "/version":
		if s.status != 0 {
			w.WriteHeader(s.status)
		}
		fmt.Fprint(w, `{"gitVersion":"v1.37.2"}`)
	case r.URL.Path == "/apis/metrics.k8s.io/v1beta1":
		w.WriteHeader(s.metrics)
		fmt.Fprint(w, `{}`)
	case strings.HasSuffix(r.URL.Path, "/selfsubjectaccessreviews"):
		review, err := readReview(r)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		review.Status.Allowed = askedFor(review.Spec.ResourceAttributes) != s.denied
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(review)
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
	}
}

// readReview reads one as clients send it, in JSON or not.
func readReview(r *http.Request) (*authorizationv1.SelfSubjectAccessReview, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	if err != nil {
		return nil, err
	}
	review, ok := object.(*authorizationv1.SelfSubjectAccessReview)
	if !ok {
		return nil, fmt.Errorf("it is a %T", object)
	}
	review.SetGroupVersionKind(authorizationv1.SchemeGroupVersion.WithKind("SelfSubjectAccessReview"))
	return review, nil
}

func TestQuestions(t *testing.T) {
	const token = "canary-token-31c7"
	book := defaultBook(t)
	for name, test := range map[string]struct {
		server apiServer
		gone   bool
		wrong  []string // what, without that no workload is there
		says   string
	}{
		"all is well":          {server: apiServer{metrics: 200}},
		"no metrics API":       {server: apiServer{metrics: 404}},
		"metrics API is down":  {server: apiServer{metrics: 503}, wrong: []string{"metrics API"}, says: "metrics-server is down or still starting"},
		"a permission":         {server: apiServer{metrics: 200, denied: "get pods/log"}, wrong: []string{"get pods/log"}, says: "the bot may not get pods/log"},
		"the clock":            {server: apiServer{metrics: 200, date: "Fri, 02 Jan 2026 03:04:05 GMT"}, wrong: []string{"clock"}, says: "ahead of the API server's"},
		"the credentials":      {server: apiServer{metrics: 200, status: 401}, wrong: []string{"API server"}, says: "it does not accept the bot's credentials (401)", gone: true},
		"a sick API server":    {server: apiServer{metrics: 200, status: 503}, wrong: []string{"API server"}, says: "it answers 503 Service Unavailable", gone: true},
		"no version for it":    {server: apiServer{metrics: 200, status: 403}},
		"nobody listens there": {gone: true, wrong: []string{"API server"}, says: "it does not answer: connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(test.server)
			defer server.Close()
			if test.wrong != nil && test.server == (apiServer{}) {
				server.Close()
			}
			file := filepath.Join(t.TempDir(), "config")
			config := strings.NewReplacer("http://127.0.0.1:1", server.URL, "token: t", "token: "+token).Replace(twoContexts)
			if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
				t.Fatal(err)
			}
			target := testTarget
			target.Context, target.Name = "prod", "production"
			clusters := &Clusters{Kubeconfig: file, Now: time.Now}
			report := preflight.Runner{Now: time.Now, Within: 30 * time.Second}.Run(t.Context(), clusters.Questions(book, []evidence.Target{target}, ""), nil)
			var wrong []string
			says := ""
			for _, one := range report.With(preflight.Wrong) {
				says += one.Sentence() + "\n"
				if one.What != "Redis of "+target.String() {
					wrong = append(wrong, one.What)
				}
			}
			if !slices.Equal(wrong, test.wrong) || !strings.Contains(says, test.says) {
				t.Errorf("wrong is %q, want %q:\n%s", wrong, test.wrong, says)
			}
			if want := "There is no Deployment and no StatefulSet redis-session in ns"; !test.gone && !strings.Contains(says, want) {
				t.Errorf("no %q in %s", want, says)
			}
			if test.gone != (report.Unasked() > 0) {
				t.Errorf("not known: %+v", report.With(preflight.Unknown))
			}
			if strings.Contains(fmt.Sprint(report), token) {
				t.Error("the token is told")
			}
		})
	}
}

// TestQuestionsOfTwoClusters: each is asked about its own targets, and the one
// that the bot runs in about the store of incidents, too.
func TestQuestionsOfTwoClusters(t *testing.T) {
	first, second := testTarget, testTarget
	first.Context, second.Context, second.Namespace = "prod", "staging", "other"
	var about []string
	for _, one := range (&Clusters{Now: time.Now}).Questions(defaultBook(t), []evidence.Target{first, second}, "incidents") {
		if !slices.Contains(about, one.About) {
			about = append(about, one.About)
		}
	}
	want := []string{"cluster prod", "permissions in ns of prod", "permissions in the whole cluster of prod", "cluster staging", "permissions in other of staging",
		"permissions in the whole cluster of staging", "cluster", "permissions in incidents"}
	if !slices.Equal(about, want) {
		t.Errorf("got %q", about)
	}
}
