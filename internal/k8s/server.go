package k8s

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/incident"
)

// server is a way to one running Redis, with the password that its clients have.
type server struct {
	pod      *corev1.Pod
	forward  *forward
	password string
}

// serverOf finds the pod of the store that runs, a ready one first, and opens
// a way to it. The error is a sentence for people.
func (c *Cluster) serverOf(ctx context.Context, target evidence.Target) (*server, error) {
	pods, err := c.look(target).readPods(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the pods of %s: %w", target.Workload, err)
	}
	pod := runningPod(pods.Items)
	if pod == nil {
		return nil, refuse("The store does not run: no container of %s does.", target.Workload)
	}
	return c.serverOn(ctx, target, pod)
}

// serverIn opens a way to the pod of that name.
func (c *Cluster) serverIn(ctx context.Context, target evidence.Target, name string) (*server, error) {
	pod, err := c.Clients.CoreV1().Pods(target.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("read pod %s: %w", name, err)
	}
	return c.serverOn(ctx, target, pod)
}

func (c *Cluster) serverOn(ctx context.Context, target evidence.Target, pod *corev1.Pod) (*server, error) {
	if c.Prober == nil {
		return nil, refuse("The running server was not asked: there is no way to it from here.")
	}
	look := c.look(target)
	forward, err := c.forward(ctx, pod.Namespace, pod.Name, look.port())
	if err != nil {
		return nil, err
	}
	found, _ := look.readSecrets(ctx) // without a password the server itself says what it wants
	return &server{pod: pod, forward: forward, password: found.password}, nil
}

// Close ends the way.
func (s *server) Close() { s.forward.Close() }

// stillAsked refuses a command where its pod is another one, or the server in it
// is not what the plan was made for.
func (c *Cluster) stillAsked(ctx context.Context, target evidence.Target, write incident.Write) error {
	if _, err := c.samePod(ctx, target, write); err != nil {
		return err
	}
	stands, err := c.standing(ctx, target, write)
	if err == nil && stands.changed != "" {
		err = &incident.Drift{Object: write.Object, Says: stands.changed + "; this plan was made before that"}
	}
	return err
}

// obeyed reports whether the running server shows what a command makes of it.
func (c *Cluster) obeyed(ctx context.Context, target evidence.Target, write incident.Write) (bool, error) {
	_, err := c.samePod(ctx, target, write)
	var drift *incident.Drift
	if errors.As(err, &drift) {
		return false, refuse("%s. What its server was told went with it.", upper(drift.Says))
	}
	if err != nil {
		return false, err
	}
	stands, err := c.standing(ctx, target, write)
	if err == nil && !stands.there && stands.changed != "" {
		err = refuse("%s.", upper(stands.changed))
	}
	return stands.there, err
}

// standing asks the server that a command goes to where it stands.
func (c *Cluster) standing(ctx context.Context, target evidence.Target, write incident.Write) (standing, error) {
	one := write.Changes[0]
	change, known := changes()[one.Kind]
	if !known || change.stands == nil {
		return standing{}, refuse("There is no command %q.", one.Kind)
	}
	server, err := c.serverIn(ctx, target, write.Object.Name)
	if err != nil {
		return standing{}, err
	}
	defer server.Close()
	asked := c.Prober.Probe(ctx, server.forward.Dial, server.password)
	set, err := c.settingsOf(ctx, server, change.settings)
	if err != nil {
		return standing{}, err
	}
	return change.stands(server.pod.Name, asked, set, one.Args)
}

// settingsOf reads settings of the running server; of none it asks nothing.
func (c *Cluster) settingsOf(ctx context.Context, server *server, names []string) (map[string]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	set, err := c.Prober.Config(ctx, server.forward.Dial, server.password, names...)
	if err != nil {
		return nil, refuse("%s does not say how it is set: %s.", server.pod.Name, err)
	}
	return set, nil
}

// refusedBy reports whether an error is the server's own answer, so that
// nothing has happened.
func refusedBy(err error) bool {
	var answer interface{ Refused() bool }
	return errors.As(err, &answer) && answer.Refused()
}

// command sends one command to the server in the pod that a write is about.
// Its errors are those of incident.Cluster's Apply.
func (c *Cluster) command(ctx context.Context, target evidence.Target, write incident.Write, words ...string) error {
	server, err := c.serverIn(ctx, target, write.Object.Name)
	if err != nil {
		return &incident.Refusal{Says: "Nothing was sent: the server cannot be reached: " + reason(err), Err: err}
	}
	defer server.Close()
	err = c.Prober.Do(ctx, server.forward.Dial, server.password, words...)
	if refusedBy(err) {
		return &incident.Refusal{Says: fmt.Sprintf("Nothing was changed: Redis in %s answers %q.", write.Object.Name, err.Error()), Err: err}
	}
	return err
}
