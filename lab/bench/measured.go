package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	metrics "k8s.io/metrics/pkg/client/clientset/versioned"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// measuredWithin is how long the metrics API may take to know a new pod.
const measuredWithin = 2 * time.Minute

// measured waits until the metrics API knows the store, as it does of a store
// that has run for a while.
func (b *bench) measured(ctx context.Context) error {
	config, err := clientcmd.BuildConfigFromFlags("", b.kubeconfig)
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	client, err := metrics.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("open the metrics API: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, measuredWithin)
	defer cancel()
	for {
		list, err := client.MetricsV1beta1().PodMetricses(b.namespace()).List(ctx, metav1.ListOptions{LabelSelector: "app=redis-session"})
		if err == nil && len(list.Items) > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the metrics API does not know the store: %w", ctx.Err())
		case <-time.After(time.Second):
		}
	}
}
