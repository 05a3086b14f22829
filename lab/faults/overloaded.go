package faults

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"

	"redis-session-bot/lab/workload"
)

const (
	// fewClients is what redis.conf allows, and manyClients what one other
	// client of the store opens.
	fewClients  = 24
	manyClients = 32
	listener    = "session-export"
	// listenScript opens $0 connections, and opens each again some seconds after
	// it is lost.
	listenScript = `for i in $(seq "$0"); do while :; do redis-cli -h redis-session SUBSCRIBE sessions >/dev/null 2>&1; sleep 5; done & done; wait`
)

// overloadedClients is another client that takes every connection and keeps it.
// The application finds none when it is started anew. The probes only knock at
// the port, as many do: redis-cli in their place would fail now and then, and
// have the server killed in the end.
func overloadedClients() fault {
	return fault{
		name:  "overloaded/clients",
		what:  "install the store with few connections, let another client take them all, and start the application anew",
		ready: true,
		inject: func(ctx context.Context, c *workload.Copy) error {
			err := c.EditConfig(ctx, editor, func(conf string) string { return conf + fmt.Sprintf("maxclients %d\n", fewClients) })
			if err != nil {
				return err
			}
			if err := c.Reinstall(ctx, installer, knock); err != nil {
				return err
			}
			if err := awaitReady(ctx, c); err != nil {
				return err
			}
			if err := runListener(ctx, c); err != nil {
				return err
			}
			return restartApplication(ctx, c)
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			full, err := answers(ctx, c, fullAnswer)
			if err != nil || full == "" {
				return "", err
			}
			_, all, err := c.Complaints(ctx)
			if err != nil || !all {
				return "", err
			}
			return full, nil
		},
	}
}

// knock lets every probe of Redis open a connection and say nothing.
func knock(template *corev1.PodTemplateSpec) {
	port := corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString("redis")}}
	for i := range template.Spec.Containers {
		container := &template.Spec.Containers[i]
		if container.Name != workload.RedisContainer {
			continue
		}
		for _, probe := range []*corev1.Probe{container.StartupProbe, container.ReadinessProbe, container.LivenessProbe} {
			if probe != nil {
				probe.ProbeHandler = port
			}
		}
	}
}

const fullAnswer = "ERR max number of clients reached"

// restartApplication switches the application off and on again. Meanwhile the
// connections that it had are taken, too.
func restartApplication(ctx context.Context, c *workload.Copy) error {
	deployments := c.Clients.AppsV1().Deployments(c.Namespace)
	scale := func(replicas int32) error {
		patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
		_, err := deployments.Patch(ctx, workload.Agent, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: scaler}, "scale")
		if err != nil {
			return fmt.Errorf("scale %s: %w", workload.Agent, err)
		}
		return nil
	}
	live, err := deployments.Get(ctx, workload.Agent, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("get deployment %s: %w", workload.Agent, err)
	}
	if err := scale(0); err != nil {
		return err
	}
	if err := awaitNoApplication(ctx, c); err != nil {
		return err
	}
	if err := awaitFull(ctx, c); err != nil {
		return err
	}
	return scale(ptr.Deref(live.Spec.Replicas, 1))
}

func awaitNoApplication(ctx context.Context, c *workload.Copy) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := wait.PollUntilContextCancel(ctx, glance, true, func(ctx context.Context) (bool, error) {
		pods, err := c.Pods(ctx, workload.Agent)
		return err == nil && len(pods) == 0, err
	})
	if err != nil {
		return fmt.Errorf("wait for the pods of %s to go: %w", workload.Agent, err)
	}
	return nil
}

// awaitFull waits until no connection is free.
func awaitFull(ctx context.Context, c *workload.Copy) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := wait.PollUntilContextCancel(ctx, glance, true, func(ctx context.Context) (bool, error) {
		full, err := answers(ctx, c, fullAnswer)
		return full != "", err
	})
	if err != nil {
		return fmt.Errorf("wait for every connection to be taken: %w", err)
	}
	return nil
}

func runListener(ctx context.Context, c *workload.Copy) error {
	store, _, err := c.Store(ctx)
	if err != nil {
		return err
	}
	template := otherClient(store, listener, "sh", "-c", listenScript, fmt.Sprint(manyClients))
	_, err = c.Clients.AppsV1().Deployments(c.Namespace).Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: listener, Labels: template.Labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](1),
			Selector: &metav1.LabelSelector{MatchLabels: template.Labels},
			Template: template,
		},
	}, metav1.CreateOptions{FieldManager: installer})
	if err != nil {
		return fmt.Errorf("create deployment %s: %w", listener, err)
	}
	return nil
}

const (
	report = "session-report"
	// countWrong forgets to move its cursor on, and so never ends.
	countWrong = `local cursor, n = "0", 0
repeat
  local page = redis.call("SCAN", cursor, "MATCH", "session:*")
  n = n + #page[2]
until page[1] == cursor and n < 0
return n`
	// reportScript takes the server and the script. Whoever ends that script ends
	// the report, too: nobody wants it by day. A report that dies otherwise is made
	// anew by its Job.
	reportScript = `said=$(redis-cli -e -h "$1" EVAL "$2" 0 2>&1) && exit 0
echo "$said"
case $said in *"Script killed by user"*) exit 3 ;; esac
exit 1`
	scriptEnded = 3 // how reportScript ends then
)

// halfACore bounds the store, so that its endless script leaves the machine
// something for others.
const halfACore = "500m"

// overloadedBlocked is a script of somebody else that never ends: the server
// does one thing at a time.
func overloadedBlocked() fault {
	return fault{
		name:  "overloaded/blocked",
		what:  "install the store with half a core, and let a nightly report run a script in it that never ends",
		ready: true,
		inject: func(ctx context.Context, c *workload.Copy) error {
			if err := c.Reinstall(ctx, installer, boundCPU); err != nil {
				return err
			}
			if err := awaitReady(ctx, c); err != nil {
				return err
			}
			store, _, err := c.Store(ctx)
			if err != nil {
				return err
			}
			template := otherClient(store, report, "sh", "-c", reportScript, report, workload.Redis, countWrong)
			template.Spec.RestartPolicy = corev1.RestartPolicyNever
			_, err = c.Clients.BatchV1().Jobs(c.Namespace).Create(ctx, &batchv1.Job{
				ObjectMeta: metav1.ObjectMeta{Name: report, Labels: template.Labels},
				Spec: batchv1.JobSpec{Template: template, PodFailurePolicy: &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
					Action:      batchv1.PodFailurePolicyActionFailJob,
					OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: []int32{scriptEnded}},
				}}}},
			}, metav1.CreateOptions{FieldManager: installer})
			if err != nil {
				return fmt.Errorf("create job %s: %w", report, err)
			}
			return nil
		},
		shows: func(ctx context.Context, c *workload.Copy) (string, error) {
			return answers(ctx, c, "BUSY")
		},
	}
}

func boundCPU(template *corev1.PodTemplateSpec) {
	for i := range template.Spec.Containers {
		if container := &template.Spec.Containers[i]; container.Name == workload.RedisContainer {
			if container.Resources.Limits == nil {
				container.Resources.Limits = corev1.ResourceList{}
			}
			container.Resources.Limits[corev1.ResourceCPU] = resource.MustParse(halfACore)
		}
	}
}

// otherClient is a pod that talks to the store with the tools of its image.
func otherClient(store workload.Store, name string, command ...string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken:  ptr.To(false),
			TerminationGracePeriodSeconds: ptr.To[int64](1),
			Containers: []corev1.Container{{
				Name: name, Image: imageOf(store), ImagePullPolicy: corev1.PullIfNotPresent,
				Command: command,
				Env:     []corev1.EnvVar{passwordVariable("REDISCLI_AUTH")},
				Resources: corev1.ResourceRequirements{
					Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("5m"), corev1.ResourceMemory: resource.MustParse("16Mi")},
					Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("256Mi")},
				},
			}},
		},
	}
}

// imageOf is the image that the store runs.
func imageOf(store workload.Store) string {
	for _, container := range store.Pod.Spec.Containers {
		if container.Name == workload.RedisContainer {
			return container.Image
		}
	}
	return ""
}
