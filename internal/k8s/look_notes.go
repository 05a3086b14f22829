package k8s

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"redis-session-bot/internal/audit"
	"redis-session-bot/internal/evidence"
)

// notes collects what one check reads, or why it could not. Safe for
// concurrent use.
type notes struct {
	look  *look
	check string

	mu     sync.Mutex
	bundle evidence.Bundle
}

// note takes over a source that was read, or notes why it was not.
func (n *notes) note(source string, err error, take func(*evidence.Bundle)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil {
		n.bundle.Missing[source] = n.look.says(source, n.check, err)
		return
	}
	take(&n.bundle)
}

// missing notes a reason that is a sentence already.
func (n *notes) missing(source, sentence string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.bundle.Missing[source] = sentence
}

// permissions tells for a source what the bot must be allowed.
var permissions = map[string]struct{ verb, resource string }{
	evidence.FilePods:         {"list", "pods"},
	evidence.FileEvents:       {"list", "events"},
	evidence.FileServices:     {"get", "services"},
	evidence.FileSlices:       {"list", "endpointslices.discovery.k8s.io"},
	evidence.FileClaims:       {"get", "persistentvolumeclaims"},
	evidence.FileDeployments:  {"list", "deployments.apps"},
	evidence.FileStatefulSets: {"get", "statefulsets.apps"},
	evidence.FileReplicaSets:  {"list", "replicasets.apps"},
	evidence.FileRevisions:    {"list", "controllerrevisions.apps"},
	evidence.FileConfigMaps:   {"get", "configmaps"},
	evidence.FileSecrets:      {"get", "secrets"},
	evidence.FileClasses:      {"list", "storageclasses.storage.k8s.io"},
	evidence.FileNodes:        {"get", "nodes"},
	evidence.FileRanges:       {"list", "limitranges"},
	evidence.FilePolicies:     {"list", "networkpolicies.networking.k8s.io"},
	evidence.FileMetrics:      {"list", "pods.metrics.k8s.io"},
	evidence.SourceLogs:       {"get", "pods/log"},
	sourceAppLog:              {"get", "pods/log"},
	sourceReach:               {"create", "pods/exec"},
	sourceRedis:               {"create", "pods/portforward"},
	sourceSecret:              {"get", "secrets"},
	sourcePolicies:            {"list", "networkpolicies.networking.k8s.io"},
	audit.SourceServers:       {"create", "pods/portforward"},
	audit.SourceBudgets:       {"list", "poddisruptionbudgets.policy"},
	audit.SourceJobs:          {"list", "cronjobs.batch"},
	audit.SourceBackup:        {"get", "persistentvolumeclaims"},
}

// Parts of a source that can be missing by themselves.
const (
	sourceAppLog = evidence.SourceLogs + "#app"
	sourceReach  = evidence.FileProbes + "#reach"
	sourceRedis  = evidence.FileProbes + "#redis"
	sourceSecret = "secret"

	sourcePolicies = "networkpolicies"
)

// says is the sentence for people: why a source is not known, and what to do.
func (l *look) says(source, check string, err error) string {
	rule := permissions[source]
	what := rule.resource
	if what == "" {
		what = source
	}
	switch {
	case isForbidden(err):
		one, ok := lacking(err)
		if !ok {
			one = permission{verb: rule.verb, resource: what, cluster: source == evidence.FileNodes || source == evidence.FileClasses}
		}
		return lackingSentence(l.target, []permission{one}) + l.orRun(check)
	case apierrors.IsNotFound(err):
		return fmt.Sprintf("%s is not there: %s.", what, short(err))
	case isTimeout(err):
		return fmt.Sprintf("The API server did not answer in time for %s. Run the step again.%s", what, l.orRun(check))
	}
	return fmt.Sprintf("%s could not be read: %s.%s", what, short(err), l.orRun(check))
}

// orRun names the command that shows a person the same.
func (l *look) orRun(check string) string {
	commands := Commands(l.target, evidence.Workload{}, check)
	if len(commands) == 0 {
		return ""
	}
	return " Or run: " + commands[0]
}

// Unreachable is the error that the API server cannot be asked at all.
type Unreachable struct {
	Host string
	Err  error
}

// Error is one sentence.
func (u *Unreachable) Error() string {
	return fmt.Sprintf("The Kubernetes API server %s cannot be reached: %s. Check the cluster, the network and the kubeconfig.", u.Host, short(u.Err))
}

// Unwrap gives the cause.
func (u *Unreachable) Unwrap() error { return u.Err }

// reachable returns an *Unreachable when nobody answers at all: the workload
// cannot be asked for, nor its pods.
func (l *look) reachable(ctx context.Context) error {
	_, err := l.readWorkload(ctx)
	if err == nil || ctx.Err() != nil {
		return nil
	}
	if answered(err) && !apierrors.IsUnauthorized(err) {
		return nil
	}
	if _, podsErr := l.readPods(ctx); podsErr == nil || answered(podsErr) && !apierrors.IsUnauthorized(podsErr) {
		return nil
	}
	host := ""
	if l.cluster.REST != nil {
		host = l.cluster.REST.Host
	}
	return &Unreachable{Host: host, Err: err}
}

// isForbidden knows, too, what is left of a refusal when a stream was asked
// for: its text.
func isForbidden(err error) bool {
	return err != nil && (apierrors.IsForbidden(err) || strings.Contains(err.Error(), " is forbidden: User "))
}

// answered reports whether an error is the API server's own answer.
func answered(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && !isTimeout(err)
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || apierrors.IsTimeout(err) ||
		apierrors.IsServerTimeout(err) || errors.As(err, &network) && network.Timeout()
}

// short is the part of an error that a person needs: without the request's
// address, and without what each layer says about the layer below.
func short(err error) string {
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	var number syscall.Errno
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "it did not answer in time"
	case errors.As(err, &number):
		return number.Error()
	case apierrors.IsUnauthorized(err):
		return "it does not accept the bot's credentials"
	}
	if says := sentenceOfLacking(err); says != "" {
		return says
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimSuffix(text, ".")
}
