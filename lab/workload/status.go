package workload

import (
	"bufio"
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Status is what one copy looks like now.
type Status struct {
	Namespace string `json:"namespace"`
	Shape     string `json:"shape"` // empty: there is no store
	Redis     Part   `json:"redis"`
	Agent     Part   `json:"agent"`
}

// Healthy says whether every pod that should be there is ready.
func (s Status) Healthy() bool { return s.Redis.Why == "" && s.Agent.Why == "" }

// Part is one workload of a copy.
type Part struct {
	Ready  int32  `json:"ready"`
	Wanted int32  `json:"wanted"`
	Why    string `json:"why,omitempty"` // why it is not ready; empty when it is
}

// Look says what one copy looks like now.
func Look(ctx context.Context, o Options) (Status, error) {
	c, err := Open(o)
	if err != nil {
		return Status{}, err
	}
	return c.Look(ctx)
}

// Look says what the copy looks like now.
func (c *Copy) Look(ctx context.Context) (Status, error) {
	shape, err := c.Shape(ctx)
	if err != nil {
		return Status{}, err
	}
	s := Status{Namespace: c.Namespace, Shape: shape}
	if s.Redis, err = c.part(ctx, Redis, shape); err != nil {
		return Status{}, err
	}
	if s.Agent, err = c.part(ctx, Agent, Deployment); err != nil {
		return Status{}, err
	}
	return s, nil
}

// rollout is what Deployments and StatefulSets have in common.
type rollout struct {
	settled                       bool // the controller has seen the newest template
	wanted, updated, ready, total int32
}

func (c *Copy) rollout(ctx context.Context, name, shape string) (rollout, error) {
	if shape == StatefulSet {
		live, err := c.Clients.AppsV1().StatefulSets(c.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return rollout{}, err
		}
		s := live.Status
		return rollout{s.ObservedGeneration >= live.Generation, *live.Spec.Replicas, s.UpdatedReplicas, s.ReadyReplicas, s.Replicas}, nil
	}
	live, err := c.Clients.AppsV1().Deployments(c.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return rollout{}, err
	}
	s := live.Status
	return rollout{s.ObservedGeneration >= live.Generation, *live.Spec.Replicas, s.UpdatedReplicas, s.ReadyReplicas, s.Replicas}, nil
}

func (c *Copy) part(ctx context.Context, name, shape string) (Part, error) {
	r, err := c.rollout(ctx, name, shape)
	if ignoreNotFound(err) != nil {
		return Part{}, fmt.Errorf("get %s: %w", c.ref(name), err)
	}
	if err != nil {
		return Part{Why: "it does not exist"}, nil
	}
	p := Part{Ready: r.ready, Wanted: r.wanted}
	switch {
	case r.wanted == 0:
		p.Why = "it is scaled to 0"
	case r.settled && r.updated == r.wanted && r.ready == r.wanted && r.total == r.wanted:
	default:
		p.Why, err = c.why(ctx, name)
	}
	return p, err
}

// why finds the first pod that is not ready and says what keeps it.
func (c *Copy) why(ctx context.Context, app string) (string, error) {
	pods, err := c.Pods(ctx, app)
	if err != nil {
		return "", err
	}
	for i := range pods {
		if said := whyPod(&pods[i]); said != "" {
			return said, nil
		}
	}
	if len(pods) > 0 {
		return "its rollout is not over", nil
	}
	events, err := c.Clients.CoreV1().Events(c.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "reason=FailedCreate"})
	if err != nil {
		return "", fmt.Errorf("list the events of %s: %w", c.Namespace, err)
	}
	if n := len(events.Items); n > 0 {
		return "no pod may be made: " + events.Items[n-1].Message, nil
	}
	return "no pod yet", nil
}

// whyPod says what keeps a pod from being ready; empty when it is.
func whyPod(pod *corev1.Pod) string {
	if pod.DeletionTimestamp != nil {
		return pod.Name + " is ending"
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			return pod.Name + " has no node: " + condition.Message
		}
	}
	containers := slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)
	if len(containers) == 0 {
		return pod.Name + " is about to start"
	}
	for _, container := range containers {
		if said := whyContainer(container); said != "" {
			return pod.Name + " " + said
		}
	}
	return ""
}

func whyContainer(s corev1.ContainerStatus) string {
	waiting, ended, last := s.State.Waiting, s.State.Terminated, s.LastTerminationState.Terminated
	switch {
	case ended != nil && ended.ExitCode == 0 && s.Ready: // an init container that is done
		return ""
	case ended != nil:
		return fmt.Sprintf("%s ended: %s, exit %d", s.Name, ended.Reason, ended.ExitCode)
	case waiting != nil && last != nil:
		return fmt.Sprintf("%s waits: %s, last exit %d %s", s.Name, waiting.Reason, last.ExitCode, last.Reason)
	case waiting != nil && slices.Contains([]string{"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"}, waiting.Reason):
		return fmt.Sprintf("%s waits: %s. The node lacks the image %s: load its tar (ctr images import, kind load image-archive, minikube image load)", s.Name, waiting.Reason, s.Image)
	case waiting != nil && waiting.Message != "":
		return fmt.Sprintf("%s waits: %s: %s", s.Name, waiting.Reason, waiting.Message)
	case waiting != nil:
		return fmt.Sprintf("%s waits: %s", s.Name, waiting.Reason)
	case !s.Ready:
		return s.Name + " runs and is not ready yet"
	}
	return ""
}

// waitHealthy waits until every pod is ready and each pod of the application
// has created a session after since. It says what it waits for whenever that
// changes.
func (c *Copy) waitHealthy(ctx context.Context, since time.Time) error {
	var said string
	tell := func(what string) {
		if what != said {
			said = what
			c.say("waiting: %s", what)
		}
	}
	err := c.until(ctx, "a healthy workload", func(ctx context.Context) (bool, error) {
		s, err := c.Look(ctx)
		if err != nil {
			return false, err
		}
		switch {
		case s.Redis.Why != "":
			tell(Redis + ": " + s.Redis.Why)
			return false, nil
		case s.Agent.Why != "":
			tell(Agent + ": " + s.Agent.Why)
			return false, nil
		}
		line, err := c.sessionLine(ctx, since)
		if err != nil || line == "" {
			tell(Agent + " has created no session yet")
			return false, err
		}
		c.say("%s is ready, and %s says: %s", c.ref(Redis), Agent, line)
		return true, nil
	})
	if err != nil && said != "" {
		return fmt.Errorf("%w (%s)", err, said)
	}
	return err
}

// sessionLine is a line since then that tells of a new session, once every pod
// of the application has said one.
func (c *Copy) sessionLine(ctx context.Context, since time.Time) (line string, err error) {
	pods, err := c.Pods(ctx, Agent)
	if err != nil {
		return "", err
	}
	for _, pod := range pods {
		if line = c.created(ctx, pod.Name, since); line == "" {
			return "", nil
		}
	}
	return line, nil
}

// created is the pod's first line since then that tells of a new session.
func (c *Copy) created(ctx context.Context, pod string, since time.Time) string {
	from := metav1.NewTime(since)
	logs, err := c.Clients.CoreV1().Pods(c.Namespace).GetLogs(pod, &corev1.PodLogOptions{SinceTime: &from}).Stream(ctx)
	if err != nil {
		return "" // it ends or has not started: the next look has another
	}
	defer logs.Close()
	lines := bufio.NewScanner(logs)
	for lines.Scan() {
		if sessionCreated.MatchString(lines.Text()) {
			return lines.Text()
		}
	}
	return ""
}

var sessionCreated = regexp.MustCompile(`^session \S+ created$`)
