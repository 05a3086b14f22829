package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/lab/workload"
)

const denyAll = "default-deny-ingress"

// networkBlocked is a policy that lets nobody reach the store's pod, the
// application included. The probes run inside the pod, and pass.
//
// The lab's own network enforces no policies, so that is done here, in the
// network of the pod that runs: it ends with the pod. Another cluster's network
// has to enforce it by itself.
func networkBlocked() fault {
	return fault{
		name:  "network-blocked",
		what:  "let a NetworkPolicy deny all traffic to the namespace's pods",
		ready: true,
		inject: func(ctx context.Context, c *workload.Copy) error {
			policy := &networkingv1.NetworkPolicy{
				ObjectMeta: metav1.ObjectMeta{Name: denyAll},
				Spec:       networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}},
			}
			_, err := c.Clients.NetworkingV1().NetworkPolicies(c.Namespace).Create(ctx, policy, metav1.CreateOptions{FieldManager: installer})
			if err != nil && !apierrors.IsAlreadyExists(err) {
				return fmt.Errorf("create networkpolicy %s: %w", denyAll, err)
			}
			store, found, err := c.Store(ctx)
			if err != nil {
				return err
			}
			if !found {
				return errors.New("there is no pod of Redis")
			}
			process, err := processOf(store)
			if err != nil || process == "" {
				return err
			}
			return enforce(ctx, process)
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			store, found, err := c.Store(ctx)
			if err != nil || !found || !store.Container.Ready {
				return "", err
			}
			lines, all, err := c.Complaints(ctx)
			if err != nil || !all {
				return "", err
			}
			for _, line := range lines {
				if !strings.Contains(line, "i/o timeout") {
					return "", nil
				}
			}
			return fmt.Sprintf("pod %s is ready, and the application says %s", store.Pod.Name, lines[0]), nil
		},
	}
}

// processOf finds a process of the store's pod on this machine by the cgroups
// that the kubelet made; empty when the pod runs elsewhere.
func processOf(store workload.Store) (string, error) {
	files, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		return "", err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		if strings.Contains(string(text), "/pod"+string(store.Pod.UID)+"/") {
			return filepath.Base(filepath.Dir(file)), nil
		}
	}
	return "", nil
}

// enforce drops what comes to the port of Redis from outside the pod, in the
// network namespace of one of its processes.
func enforce(ctx context.Context, process string) error {
	out, err := exec.CommandContext(ctx, "nsenter", "--target", process, "--net",
		"iptables", "-A", "INPUT", "!", "-i", "lo", "-p", "tcp", "--dport", "6379", "-j", "DROP").CombinedOutput()
	if err != nil {
		return fmt.Errorf("drop traffic in the network of process %s: %w: %s", process, err, strings.TrimSpace(string(out)))
	}
	return nil
}
