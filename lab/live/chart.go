package live

import (
	"fmt"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

// manifests are what helm install applies of the chart with these values.
func manifests(folder, release, namespace string, values map[string]any) (string, error) {
	chart, err := loader.Load(folder)
	if err != nil {
		return "", fmt.Errorf("read the chart: %w", err)
	}
	all, err := util.ToRenderValues(chart, values, common.ReleaseOptions{Name: release, Namespace: namespace, Revision: 1, IsInstall: true}, nil)
	if err != nil {
		return "", fmt.Errorf("the values: %w", err)
	}
	rendered, err := engine.Render(chart, all)
	if err != nil {
		return "", fmt.Errorf("render the chart: %w", err)
	}
	var documents []string
	for name, text := range rendered {
		var any map[string]any
		if strings.HasSuffix(name, ".yaml") && (yaml.Unmarshal([]byte(text), &any) != nil || len(any) > 0) {
			documents = append(documents, text)
		}
	}
	slices.Sort(documents)
	return strings.Join(documents, "\n---\n"), nil
}
