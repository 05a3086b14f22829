package chart

import (
	"os"
	"regexp"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// TestTheInstallationDocsCanBeCopied: every values file in docs/install.md is one that
// the chart takes, and the names that people type are those of the objects.
func TestTheInstallationDocsCanBeCopied(t *testing.T) {
	content, err := os.ReadFile("../../docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(content), -1)
	if len(examples) != 3 {
		t.Fatalf("%d examples", len(examples))
	}
	for _, example := range examples {
		if _, err := render(parse(t, example[1])); err != nil {
			t.Errorf("%v\n%s", err, example[1])
		}
	}
	all := objects(t, parse(t, examples[0][1]))
	pod := only[*appsv1.Deployment](t, all).Spec.Template.Spec
	names := []string{"deployment/" + only[*appsv1.Deployment](t, all).Name, "persistentvolumeclaim " + only[*corev1.PersistentVolumeClaim](t, all).Name,
		"create secret generic " + pod.Volumes[1].Secret.SecretName + " ", "redis-session-bot:0.1.0", secretFolder + "alerts-token"}
	if image := pod.Containers[0].Image; image != "registry.example.com/redis-session-bot:0.1.0" {
		t.Errorf("the image is %s", image)
	}
	for _, name := range names {
		if !strings.Contains(string(content), name) {
			t.Errorf("nobody types %s", name)
		}
	}
}
