package k8s

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/redisconf"
	"redis-session-bot/internal/standby"
)

// checkHA names the reading for manifests where a check is named.
const checkHA = "ha"

// Blueprint reads the live store as far as a highly available copy is made of
// it. It changes nothing, and nothing secret is in what it returns. What could
// not be read is in Notes; an error means that there is nothing to copy.
func (c *Cluster) Blueprint(ctx context.Context, target evidence.Target) (standby.Store, error) {
	l := c.look(target)
	bundle, err := l.read(ctx, checkHA)
	if err != nil {
		return standby.Store{}, err
	}
	w, err := l.readWorkload(ctx)
	switch {
	case err != nil:
		return standby.Store{}, refuse("%s", l.redact(ctx).Text(l.because(evidence.FileDeployments, err)))
	case w.kind() == "":
		return standby.Store{}, noWorkload(target.Namespace, target.Workload)
	}
	shown := workloads{}
	if len(bundle.Deployments.Items) > 0 {
		shown.deployment = &bundle.Deployments.Items[0]
	} else {
		shown.statefulSet = &bundle.StatefulSets.Items[0]
	}
	d := &drawing{look: l, w: w, store: standby.Store{Target: target, At: bundle.Meta.At, Pod: *shown.template(), Nodes: -1}}
	parallel(
		func() { d.askServer(ctx) },
		func() { d.findSelected(ctx) },
		func() { d.findPolicies(ctx) },
		func() { d.countNodes(ctx) },
		func() { d.findSecret(ctx) },
	)
	d.readConf(ctx)
	d.findClaim(ctx)
	slices.Sort(d.store.Notes)
	return d.store, nil
}

// drawing is a blueprint in the making. Safe for concurrent use.
type drawing struct {
	*look
	w workloads

	mu    sync.Mutex
	store standby.Store
}

// take changes the blueprint, or notes why something of it is not known.
func (d *drawing) take(ctx context.Context, source, what string, err error, take func(*standby.Store)) {
	note := ""
	if err != nil {
		note = what + d.redact(ctx).Text(d.because(source, err))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		d.store.Notes = append(d.store.Notes, note)
		return
	}
	take(&d.store)
}

func (d *drawing) askServer(ctx context.Context) {
	servers, err := d.servers(ctx, standby.Settings()...)
	var answers evidence.Server
	for _, one := range servers {
		if one.Error == "" && (answers.Pod == "" || one.Info["role"] == "master") {
			answers = one
		}
	}
	if err == nil && answers.Pod == "" {
		err = refuse("None of its servers answers.")
	}
	d.take(ctx, sourceRedis, "The running server was not asked, so only its configuration is taken over: ", err, func(s *standby.Store) { s.Server = answers })
}

// findSelected finds the labels by which the workload and its Service select.
func (d *drawing) findSelected(ctx context.Context) {
	selected := map[string]string{}
	maps.Copy(selected, selectorOf(d.w.object()).MatchLabels)
	var err error
	if d.target.Service != "" {
		var list *corev1.ServiceList
		if list, err = d.readService(ctx); err == nil {
			for _, service := range list.Items {
				maps.Copy(selected, service.Spec.Selector)
			}
		}
	}
	d.take(ctx, evidence.FileServices, "Whether the Service selects the copy's pods, too, is not known: ", err, func(*standby.Store) {})
	d.take(ctx, "", "", nil, func(s *standby.Store) { s.Selected = slices.Sorted(maps.Keys(selected)) })
}

func (d *drawing) findPolicies(ctx context.Context) {
	ctx, cancel := d.limited(ctx)
	defer cancel()
	list, err := d.cluster.Clients.NetworkingV1().NetworkPolicies(d.target.Namespace).List(ctx, metav1.ListOptions{Limit: maxListed})
	d.take(ctx, sourcePolicies, "Whether a NetworkPolicy keeps the pods apart is not known: ", err, func(s *standby.Store) {
		s.Policies = policiesOn(list.Items, s.Pod.Labels)
	})
}

// policiesOn are those that select pods with these labels.
func policiesOn(all []networkingv1.NetworkPolicy, of labels.Set) (found []networkingv1.NetworkPolicy) {
	for _, one := range all {
		selector, err := metav1.LabelSelectorAsSelector(&one.Spec.PodSelector)
		if err == nil && selector.Matches(of) {
			found = append(found, one)
		}
	}
	return found
}

func (d *drawing) countNodes(ctx context.Context) {
	list, err := d.listNodes(ctx)
	d.take(ctx, evidence.FileNodes, "How many nodes there are is not known: ", err, func(s *standby.Store) {
		s.Nodes = 0
		for _, node := range list.Items {
			ready := slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
				return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
			})
			if ready && !node.Spec.Unschedulable {
				s.Nodes++
			}
		}
	})
}

// findSecret only says where there is none: the manifests name it anyway.
func (d *drawing) findSecret(ctx context.Context) {
	found, err := d.readSecrets(ctx)
	if err == nil {
		err = found.shownErr
	}
	d.take(ctx, sourceSecret, "Whether the Secret is there is not known: ", err, func(s *standby.Store) {
		if found.shown == nil {
			s.Notes = append(s.Notes, fmt.Sprintf("There is no Secret %s: create it before you apply this.", d.target.Secret))
		} else if _, ok := found.shown.Data[d.target.SecretKey]; !ok {
			s.Notes = append(s.Notes, fmt.Sprintf("The Secret %s has no key %s: add it before you apply this.", d.target.Secret, d.target.SecretKey))
		}
	})
}

// readConf reads the file and the command line that the store starts with.
func (d *drawing) readConf(ctx context.Context) {
	spec := &d.store.Pod.Spec
	container := containerNamed(spec, d.target.Container)
	words, err := serverWords(slices.Concat(container.Command, container.Args))
	conf := ""
	if err == nil && len(words) > 0 && words[0] != "" && words[0][0] != '-' {
		read := (&planner{Cluster: d.cluster, target: d.target}).proposedFile(ctx)
		conf, err = mountedFile(spec, container, words[0], read)
		words = words[1:]
	}
	options := optionsOf(words)
	d.take(ctx, evidence.FileConfigMaps, "Its configuration is not known, so only what the running server says is taken over: ", err, func(s *standby.Store) {
		s.Conf, s.Options = redisconf.Redact(conf), options
	})
	if d.store.Dir = d.store.Server.Settings["dir"]; d.store.Dir != "" || err != nil {
		return
	}
	if start, err := settingsOf(append(redisconf.Parse(conf).Directives(), options...)); err == nil {
		d.store.Dir = start.dir
	}
}

// findClaim finds the volume that the files are on.
func (d *drawing) findClaim(ctx context.Context) {
	mount := mountOf(containerNamed(&d.store.Pod.Spec, d.target.Container), d.store.Dir)
	if d.store.Dir == "" || mount == nil {
		return
	}
	if mount.MountPath == d.store.Dir && mount.SubPath == "" {
		d.store.Volume = mount.Name // else the copy's volume is another, mounted where the files are
	}
	if set, ok := d.w.object().(*appsv1.StatefulSet); ok {
		for _, claim := range set.Spec.VolumeClaimTemplates {
			if claim.Name == mount.Name {
				d.store.Claim = claim.Spec.DeepCopy()
				return
			}
		}
	}
	for _, volume := range d.store.Pod.Spec.Volumes {
		if volume.Name != mount.Name || volume.PersistentVolumeClaim == nil {
			continue
		}
		claim, err := d.claim(ctx, volume.PersistentVolumeClaim.ClaimName)
		if err == nil && claim == nil {
			err = errors.New("there is no claim " + volume.PersistentVolumeClaim.ClaimName)
		}
		d.take(ctx, evidence.FileClaims, "The size and the class of its claim are not known: ", err, func(s *standby.Store) { s.Claim = claim.Spec.DeepCopy() })
	}
}
