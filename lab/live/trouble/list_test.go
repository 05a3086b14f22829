package trouble

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// listOf selects what belongs to an application by its label.
func listOf(app string) metav1.ListOptions {
	return metav1.ListOptions{LabelSelector: "app=" + app}
}
