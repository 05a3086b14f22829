// Package chart holds the Helm chart against Helm's own engine, the types of the
// API, the restricted Pod Security standard, and the bot that it installs.
//
// It stands in this module since Helm's packages bring more than the bot itself
// may.
package chart

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
)

const (
	chartFolder = "../../deploy/chart"
	release     = "redis-session-bot"
	namespace   = "ops"
)

// shapes are the values that real installations have. The first are the defaults.
var shapes = []string{"", "statefulset-values.yaml", "replicas-values.yaml"}

// each runs a test for every shape.
func each(t *testing.T, test func(t *testing.T, values map[string]any)) {
	t.Helper()
	for _, shape := range shapes {
		name := strings.TrimSuffix(shape, "-values.yaml")
		if shape == "" {
			name = "defaults"
		}
		t.Run(name, func(t *testing.T) { test(t, valuesOf(t, shape)) })
	}
}

func valuesOf(t *testing.T, shape string) map[string]any {
	t.Helper()
	if shape == "" {
		return map[string]any{}
	}
	content, err := os.ReadFile(filepath.Join(chartFolder, "ci", shape))
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(content))
}

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	values, err := loader.LoadValues(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// render gives the manifests by their template's name, as helm install does.
func render(values map[string]any) (map[string]string, error) {
	loaded, err := loader.Load(chartFolder)
	if err != nil {
		return nil, err
	}
	options := common.ReleaseOptions{Name: release, Namespace: namespace, Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(loaded, values, options, nil)
	if err != nil {
		return nil, err
	}
	return engine.Render(loaded, all)
}

// objects decodes what is rendered: a field that its type does not have, or that
// stands twice, fails the test.
func objects(t *testing.T, values map[string]any) []runtime.Object {
	t.Helper()
	rendered, err := render(values)
	if err != nil {
		t.Fatal(err)
	}
	types := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, monitoringv1.AddToScheme} {
		if err := add(types); err != nil {
			t.Fatal(err)
		}
	}
	strict := serializer.NewCodecFactory(types, serializer.EnableStrict).UniversalDeserializer()
	var all []runtime.Object
	for name, text := range rendered {
		if strings.HasSuffix(name, "NOTES.txt") || strings.HasSuffix(name, ".tpl") {
			continue
		}
		reader := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
		for {
			document, err := reader.Read()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if len(bytes.TrimSpace(document)) == 0 {
				continue
			}
			object, _, err := strict.Decode(document, nil, nil)
			if err != nil {
				t.Errorf("%s: %v\n%s", name, err, document)
				continue
			}
			all = append(all, object)
		}
	}
	return all
}

// TestHelmLintsTheChart: no error and no warning, for any of the shapes.
func TestHelmLintsTheChart(t *testing.T) {
	each(t, func(t *testing.T, values map[string]any) {
		for _, message := range lint.RunAll(chartFolder, values, namespace).Messages {
			if !slices.Contains([]string{"icon is recommended"}, fmt.Sprint(message.Err)) {
				t.Errorf("%v", message)
			}
		}
	})
}
