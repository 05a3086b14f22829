package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

// podsArgs are those of delete-pods. A pod is named with its UID, so that
// another one of the same name stays.
type podsArgs struct {
	Pods []podName `json:"pods"`
}

type podName struct {
	Name string `json:"name"`
	UID  string `json:"uid,omitempty"`
}

func podsChange() change {
	return change{
		says:     "deletes pods by name and UID, and says whether and by whom each comes back",
		validate: validatePods,
		resolve:  asIs,
		needs: func(target evidence.Target) []permission {
			return slices.Concat(allow("get list delete", "pods"), named("get", "deployments.apps", target.App),
				allow("get", "deployments.apps", target.Workload), allow("get", "statefulsets.apps", target.Workload))
		},
		course: deletePods,
	}
}

func validatePods(args json.RawMessage) error {
	var list struct {
		Pods any `json:"pods"`
	}
	if err := decodeArgs(args, &list); err != nil {
		return err
	}
	if text, ok := list.Pods.(string); ok && placeholder(text) {
		return nil
	}
	var a podsArgs
	if err := decodeArgs(args, &a); err != nil {
		return err
	}
	if len(a.Pods) == 0 {
		return errors.New("name the pods")
	}
	for _, pod := range a.Pods {
		if pod.Name == "" {
			return errors.New("each pod needs a name")
		}
	}
	return nil
}

// deletePods makes a write of each pod, but for one that holds the data alone.
func deletePods(ctx context.Context, p *planner, args json.RawMessage) ([]incident.Write, error) {
	var a podsArgs
	if err := decodeArgs(args, &a); err != nil {
		return nil, err
	}
	ours, err := p.ourPods(ctx, p.target)
	if err != nil {
		return nil, err
	}
	var writes []incident.Write
	for _, named := range a.Pods {
		pod, err := p.Clients.CoreV1().Pods(p.target.Namespace).Get(ctx, named.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && named.UID != "" && string(pod.UID) != named.UID {
			return nil, refuse("Pod %s is gone already, or another one has its name now. Run the diagnosis again.", named.Name)
		}
		if err != nil {
			return nil, fmt.Errorf("read pod %s: %w", named.Name, err)
		}
		back, caution := comesBack(pod)
		if podReady(pod) && ours[pod.Name] {
			return nil, refuse("Pod %s serves the sessions now. It is not deleted by a button.", pod.Name)
		}
		if !ours[pod.Name] {
			if err := p.holdsNoData(ctx, p.target, "Pod "+pod.Name, pod.Spec); err != nil {
				return nil, err
			}
		}
		if caution != "" {
			p.cautions = append(p.cautions, caution)
		}
		writes = append(writes, incident.Write{Verb: incident.Delete, Object: incident.Object{Kind: "Pod", Name: pod.Name, UID: string(pod.UID)},
			Title: fmt.Sprintf("delete pod %s: %s", pod.Name, back), Kubectl: fmt.Sprintf("kubectl delete pod %s -n %s", pod.Name, p.target.Namespace),
			DryRun: p.dryDelete(ctx, p.target, pod), Base: string(pod.UID), Want: "deleted", NoUndo: back})
	}
	return writes, nil
}

// comesBack says who makes a deleted pod anew, and what is lost where nobody does.
func comesBack(pod *corev1.Pod) (says, caution string) {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return "nothing brings it back", fmt.Sprintf("Pod %s is owned by nobody: once it is deleted it is gone, with what it holds.", pod.Name)
	}
	for _, volume := range pod.Spec.Volumes {
		if volume.EmptyDir != nil && volume.EmptyDir.Medium != corev1.StorageMediumMemory && mountsData(pod, volume.Name) {
			caution = fmt.Sprintf("Pod %s keeps its data in an emptyDir: that goes with the pod.", pod.Name)
		}
	}
	return fmt.Sprintf("%s %s makes a new one", owner.Kind, owner.Name), caution
}

// mountsData reports whether a volume is where the store keeps its files.
func mountsData(pod *corev1.Pod, volume string) bool {
	for _, container := range pod.Spec.Containers {
		for _, mount := range container.VolumeMounts {
			if mount.Name == volume && mount.MountPath == dataPath {
				return true
			}
		}
	}
	return false
}
