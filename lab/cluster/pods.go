package cluster

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// removePods has containerd remove every pod, so that it takes back what it
// has made for it: network, mounts, shims. A containerd that was killed is
// started once more for that.
func (c *Cluster) removePods(ctx context.Context) error {
	if _, err := os.Stat(c.path("containerd.toml")); err != nil {
		return nil // there never was one
	}
	if err := c.startContainerd(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	connection, err := grpc.NewClient("unix://"+c.socket(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("connect to containerd: %w", err)
	}
	defer connection.Close()
	client := runtime.NewRuntimeServiceClient(connection)
	pods, err := client.ListPodSandbox(ctx, &runtime.ListPodSandboxRequest{})
	if err != nil {
		return fmt.Errorf("list the lab's pods: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for _, pod := range pods.Items {
		group.Go(func() error {
			if _, err := client.StopPodSandbox(ctx, &runtime.StopPodSandboxRequest{PodSandboxId: pod.Id}); err != nil {
				return fmt.Errorf("stop pod %s: %w", pod.Metadata.GetName(), err)
			}
			if _, err := client.RemovePodSandbox(ctx, &runtime.RemovePodSandboxRequest{PodSandboxId: pod.Id}); err != nil {
				return fmt.Errorf("remove pod %s: %w", pod.Metadata.GetName(), err)
			}
			return nil
		})
	}
	return group.Wait()
}
