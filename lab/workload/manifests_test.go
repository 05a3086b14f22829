package workload

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// update is read by the golden test: go test ./workload -update
var update = flag.Bool("update", false, "write the golden files anew")

func spec(shape string) Spec {
	return Spec{Namespace: "sessions", Shape: shape, Password: "from-the-secret",
		RedisImage: "lab.local/redis:7.0.15", AgentImage: "lab.local/langgraph-agent:1"}
}

// TestObjects holds every object of both shapes against its golden.
func TestObjects(t *testing.T) {
	for _, shape := range Shapes() {
		var text strings.Builder
		for _, object := range Objects(spec(shape)) {
			document, err := yaml.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			text.WriteString("---\n")
			text.Write(document)
		}
		golden := filepath.Join("testdata", shape+".yaml")
		if *update {
			if err := os.WriteFile(golden, []byte(text.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), text.String()); diff != "" {
			t.Errorf("%s (-want +got); -update accepts it:\n%s", shape, diff)
		}
	}
}

// TestPasswordStandsOnlyInTheSecret: no manifest carries it by value.
func TestPasswordStandsOnlyInTheSecret(t *testing.T) {
	for _, shape := range Shapes() {
		for _, object := range Objects(spec(shape)) {
			if _, secret := object.(*corev1.Secret); secret {
				continue
			}
			document, err := yaml.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(document), "from-the-secret") {
				t.Errorf("%s %s holds the password", shape, object.GetName())
			}
		}
	}
}

func TestEveryObjectIsInTheNamespace(t *testing.T) {
	for _, shape := range Shapes() {
		for _, object := range Objects(spec(shape)) {
			if object.GetNamespace() != "sessions" {
				t.Errorf("%s: %s is in namespace %q", shape, object.GetName(), object.GetNamespace())
			}
		}
	}
}
