package k8s

import (
	"context"
	"sync"
)

// once is a source that is read at most once in a round, however many checks
// ask for it. The zero value is ready.
type once[T any] struct {
	start sync.Once
	done  chan struct{}
	value T
	err   error
}

// get returns what read returned, or ctx's error when ctx ends first. The
// first caller's read goes on without its ctx, since others may wait for it:
// it must bound its requests by itself.
func (o *once[T]) get(ctx context.Context, read func(context.Context) (T, error)) (T, error) {
	o.start.Do(func() {
		o.done = make(chan struct{})
		go func() {
			defer close(o.done)
			o.value, o.err = read(context.WithoutCancel(ctx))
		}()
	})
	select {
	case <-o.done:
		return o.value, o.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
