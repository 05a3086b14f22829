package kube

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/store/record"
)

// page is how many objects one answer has: with content, and without.
const (
	page     = 50
	barePage = 500
)

// bare asks the API server for the metadata of objects, without their content.
const bare = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

// list gives the objects that a selector names; without their content where none
// is wanted.
func (s *Store) list(ctx context.Context, selector string, content bool) (all []corev1.ConfigMap, err error) {
	err = s.each(ctx, selector, content, func(object corev1.ConfigMap) error {
		all = append(all, object)
		return nil
	})
	return all, err
}

// each gives the objects one after another, page by page.
func (s *Store) each(ctx context.Context, selector string, content bool, f func(corev1.ConfigMap) error) error {
	options := metav1.ListOptions{LabelSelector: labelManagedBy + "=" + manager + "," + selector, Limit: barePage}
	if content {
		options.Limit = page
	}
	for {
		var got *corev1.ConfigMapList
		err := s.again(ctx, func(ctx context.Context) (err error) {
			if content {
				got, err = s.maps().List(ctx, options)
			} else {
				got, err = s.bareList(ctx, options)
			}
			return err
		})
		if err != nil {
			return err
		}
		for _, object := range got.Items {
			if err := f(object); err != nil {
				return err
			}
		}
		if options.Continue = got.Continue; options.Continue == "" {
			return nil
		}
	}
}

func (s *Store) bareList(ctx context.Context, options metav1.ListOptions) (*corev1.ConfigMapList, error) {
	raw, err := s.Clients.CoreV1().RESTClient().Get().Namespace(s.Namespace).Resource("configmaps").
		VersionedParams(&options, scheme.ParameterCodec).SetHeader("Accept", bare).Do(ctx).Raw()
	if err != nil {
		return nil, err
	}
	got := &corev1.ConfigMapList{} // it has the same metadata
	if err := json.Unmarshal(raw, got); err != nil {
		return nil, fmt.Errorf("read a list: %w", err)
	}
	return got, nil
}

// List returns all incidents, oldest first.
func (s *Store) List(ctx context.Context) ([]incident.Incident, error) {
	return s.incidents(ctx, labelKind+"="+kindIncident, func(incident.Incident) bool { return true })
}

// Recent returns those that do not rest, and those closed since then; none of
// those for the zero time. It reads them, and those that were closed on the same
// days.
func (s *Store) Recent(ctx context.Context, since time.Time) ([]incident.Incident, error) {
	all, err := s.incidents(ctx, labelKind+"="+kindIncident+","+labelActive+"=true", func(incident.Incident) bool { return true })
	if err != nil || since.IsZero() {
		return all, err
	}
	closed, err := s.incidents(ctx, labelKind+"="+kindIncident+",!"+labelActive+","+closedOn(since, time.Now()), func(inc incident.Incident) bool {
		return !inc.ClosedAt.Before(since) && !slices.ContainsFunc(all, func(other incident.Incident) bool { return other.ID == inc.ID })
	})
	all = append(all, closed...)
	inOrder(all)
	return all, err
}

// mostDays is how many days one selector names; for more, all that are closed are read.
const mostDays = 60

// closedOn selects what was closed on the days from one time to another. A day
// more is for clocks that differ.
func closedOn(since, until time.Time) string {
	var days []string
	for at := since.UTC(); !at.After(until.UTC().Add(24 * time.Hour)); at = at.Add(24 * time.Hour) {
		if days = append(days, day(at)); len(days) > mostDays {
			return labelClosedOn
		}
	}
	if len(days) == 0 { // in the future
		days = []string{day(since)}
	}
	return labelClosedOn + " in (" + strings.Join(days, ",") + ")"
}

func (s *Store) incidents(ctx context.Context, selector string, wanted func(incident.Incident) bool) (all []incident.Incident, err error) {
	err = s.each(ctx, selector, true, func(object corev1.ConfigMap) error {
		inc, err := s.unpacked(&object)
		var damage *record.Damage
		if errors.As(err, &damage) {
			s.tell(damage)
			return nil
		}
		if err == nil && wanted(inc) {
			s.remember(inc.ID, headOf(&object))
			all = append(all, inc)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list incidents: %w", err)
	}
	inOrder(all)
	return all, nil
}

func (s *Store) tell(damage *record.Damage) {
	if s.Damaged == nil {
		return
	}
	if _, known := s.told.LoadOrStore(damage.What, true); !known {
		s.Damaged(damage)
	}
}

func inOrder(all []incident.Incident) {
	slices.SortFunc(all, func(a, b incident.Incident) int { return cmp.Compare(numberOf(a.ID), numberOf(b.ID)) })
}

// Index lists what is kept, without its content.
func (s *Store) Index(ctx context.Context) (index []incident.Brief, err error) {
	err = s.each(ctx, labelKind+"="+kindIncident, false, func(object corev1.ConfigMap) error {
		brief := incident.Brief{ID: idOf(object.Name)}
		if at, err := time.Parse(time.RFC3339Nano, object.Annotations[noteClosedAt]); err == nil {
			brief.ClosedAt = at
		}
		if numberOf(brief.ID) != 0 {
			index = append(index, brief)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list incidents: %w", err)
	}
	slices.SortFunc(index, func(a, b incident.Brief) int { return cmp.Compare(numberOf(a.ID), numberOf(b.ID)) })
	return index, nil
}
