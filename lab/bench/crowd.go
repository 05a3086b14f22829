package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// crowd fills the namespace of the store with what is not the store's, and the
// store's log with lines. The namespace's end is the end of all of it.
type crowd struct {
	clients   kubernetes.Interface
	namespace string
	podLogs   string

	file string // the log that was made large last
	size int    // its size in MB
}

// atOnce is how many requests the crowd is made with at a time.
const atOnce = 16

func (b *bench) crowd() (*crowd, error) {
	config, err := clientcmd.BuildConfigFromFlags("", b.kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	config.QPS = -1
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("open the cluster: %w", err)
	}
	return &crowd{clients: clients, namespace: b.namespace(), podLogs: b.podLogs}, nil
}

func (c *crowd) many(from, to int, create func(i int) error) error {
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i := from; i < to; i++ {
		group.Go(func() error {
			if err := create(i); !apierrors.IsAlreadyExists(err) {
				return err
			}
			return nil
		})
	}
	return group.Wait()
}

// pods creates pods that no scheduler takes.
func (c *crowd) pods(ctx context.Context, from, to int) error {
	return c.many(from, to, func(i int) error {
		_, err := c.clients.CoreV1().Pods(c.namespace).Create(ctx, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("other-%d", i), Labels: map[string]string{"app": "other"}},
			Spec: corev1.PodSpec{SchedulingGates: []corev1.PodSchedulingGate{{Name: "bench.example/never"}},
				Containers: []corev1.Container{{Name: "other", Image: "other"}}}}, metav1.CreateOptions{})
		return err
	})
}

// events creates fresh events about other pods. Their names come before the
// store's, so that those are on the last page.
func (c *crowd) events(ctx context.Context, from, to int) error {
	return c.many(from, to, func(i int) error {
		name := fmt.Sprintf("other-%d", i%2000)
		_, err := c.clients.CoreV1().Events(c.namespace).Create(ctx, &corev1.Event{
			ObjectMeta:     metav1.ObjectMeta{Name: fmt.Sprintf("another-%d", i)},
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: c.namespace, Name: name},
			Reason:         "FailedScheduling", Message: "0/3 nodes are available: 1 Insufficient memory, 2 node(s) had untolerated taints; beside redis-session",
			Type: corev1.EventTypeWarning, Count: 1, FirstTimestamp: metav1.Now(), LastTimestamp: metav1.Now()}, metav1.CreateOptions{})
		return err
	})
}

// log makes the log of the store's container so many MB large, on its node.
func (c *crowd) log(ctx context.Context, _, megabytes int) error {
	pods, err := c.clients.CoreV1().Pods(c.namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=redis-session"})
	if err != nil {
		return fmt.Errorf("list the store's pods: %w", err)
	}
	if len(pods.Items) != 1 {
		return fmt.Errorf("the store has %d pods", len(pods.Items))
	}
	pod := pods.Items[0]
	c.file = filepath.Join(c.podLogs, fmt.Sprintf("%s_%s_%s", pod.Namespace, pod.Name, pod.UID), "redis",
		fmt.Sprintf("%d.log", pod.Status.ContainerStatuses[0].RestartCount))
	c.size = megabytes
	return c.fill()
}

// fill appends lines as the container runtime writes them.
func (c *crowd) fill() (failure error) {
	file, err := os.OpenFile(c.file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer func() {
		if err := file.Close(); failure == nil && err != nil {
			failure = fmt.Errorf("write the log: %w", err)
		}
	}()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("look at the log: %w", err)
	}
	buffered := bufio.NewWriterSize(file, 1<<20)
	stamp := time.Now().UTC().Format(time.RFC3339Nano)
	for written, i := info.Size(), 0; written < int64(c.size)*1e6; i++ {
		n, err := fmt.Fprintf(buffered, "%s stdout F 1:M 23 Nov 2026 10:00:00.000 * %08d changes in 60 seconds. Saving... background saving started\n", stamp, i)
		if err != nil {
			return fmt.Errorf("write the log: %w", err)
		}
		written += int64(n)
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	return nil
}

// large reports whether the log still has its size.
func (c *crowd) large() bool {
	info, err := os.Stat(c.file)
	return err == nil && info.Size() >= int64(c.size)*1e6
}

// shorten empties the log, so that the kubelet need not compress it.
func (c *crowd) shorten() error {
	if c.file == "" {
		return nil
	}
	if err := os.Truncate(c.file, 0); err != nil {
		return fmt.Errorf("empty the log: %w", err)
	}
	return nil
}
