package kube

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedv1 "k8s.io/client-go/kubernetes/typed/core/v1"
)

func (s *Store) maps() typedv1.ConfigMapInterface { return s.Clients.CoreV1().ConfigMaps(s.Namespace) }

// once sends one request with a time limit of its own. Where the call is over,
// that is the error.
func (s *Store) once(ctx context.Context, f func(ctx context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	err := f(limited)
	if err != nil && ctx.Err() != nil {
		return errors.Join(ctx.Err(), err)
	}
	return err
}

// again sends a request that may be sent any number of times until it is
// answered.
func (s *Store) again(ctx context.Context, f func(ctx context.Context) error) error {
	limit := newPatience()
	for {
		err := s.once(ctx, f)
		if err == nil || !transient(ctx, err) || !limit.wait(ctx, err) {
			return err
		}
	}
}

// create creates an object once. An answer that is lost is looked for by the
// object's mark. AlreadyExists means that it is somebody else's.
func (s *Store) create(ctx context.Context, object *corev1.ConfigMap, mark string) (*corev1.ConfigMap, error) {
	limit := newPatience()
	for {
		var created *corev1.ConfigMap
		err := s.once(ctx, func(ctx context.Context) (err error) {
			created, err = s.maps().Create(ctx, object, metav1.CreateOptions{})
			return err
		})
		switch {
		case err == nil:
			return created, nil
		case apierrors.IsAlreadyExists(err):
			there, failure := s.named(ctx, object.Name)
			if failure == nil && headOf(there).wrote(mark) {
				return there, nil
			}
			if failure != nil && !apierrors.IsNotFound(failure) {
				return nil, failure
			}
			return nil, err
		case !transient(ctx, err):
			return nil, err
		}
		if !limit.wait(ctx, err) {
			return nil, unknown(ctx, err)
		}
	}
}

// named gets an object by its name.
func (s *Store) named(ctx context.Context, name string) (object *corev1.ConfigMap, err error) {
	err = s.again(ctx, func(ctx context.Context) error {
		object, err = s.maps().Get(ctx, name, metav1.GetOptions{})
		return err
	})
	return object, err
}

// transient reports whether a request may be sent again: the API server has not
// answered, is overloaded, or has trouble of its own. Whether a write has arrived
// is not known then.
func transient(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return true
	}
	code := status.Status().Code
	return code == http.StatusTooManyRequests || code >= 500
}

// unknown is the error of a write of which nobody knows whether it has arrived.
func unknown(ctx context.Context, err error) error {
	return errors.Join(ctx.Err(), fmt.Errorf("nobody knows whether it was stored: %w", err))
}

// waiting is the pause between two tries: longer each time, with what the API
// server asks for, and an end.
type waiting struct {
	pause time.Duration
	until time.Time
}

func newPatience() *waiting {
	return &waiting{pause: 20 * time.Millisecond, until: time.Now().Add(patience)}
}

// wait reports whether there is another try.
func (w *waiting) wait(ctx context.Context, err error) bool {
	pause := w.pause + rand.N(w.pause)
	if seconds, ok := apierrors.SuggestsClientDelay(err); ok {
		pause = max(pause, time.Duration(seconds)*time.Second)
	}
	w.pause = min(2*w.pause, 2*time.Second)
	if time.Now().Add(pause).After(w.until) {
		return false
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
