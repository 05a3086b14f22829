package changes

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"

	"redis-session-bot/internal/redis"
)

// wire is the way to the running server, which leads through the API server and
// breaks with it: before a command is through, or before its answer is.
type wire struct {
	redis.Prober
	mu  sync.Mutex
	cut *cut // of the next command; nil: the wire holds
}

// cut is where the wire breaks.
type cut struct {
	arrive bool   // behind the command
	then   func() // called as it breaks
	hold   bool   // it does not break: the answer never comes
}

// break lets the wire break at the next command.
func (w *wire) breaks(c cut) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = &c
}

// Do sends one command, over a wire that may break at it.
func (w *wire) Do(ctx context.Context, dial func(context.Context) (net.Conn, error), password string, command ...string) error {
	w.mu.Lock()
	c := w.cut
	w.cut = nil
	w.mu.Unlock()
	if c == nil {
		return w.Prober.Do(ctx, dial, password, command...)
	}
	return w.Prober.Do(ctx, func(ctx context.Context) (net.Conn, error) {
		conn, err := dial(ctx)
		return &broken{Conn: conn, at: []byte(command[0]), cut: *c}, err
	}, password, command...)
}

// broken is a connection that breaks at a command.
type broken struct {
	net.Conn
	at   []byte
	cut  cut
	past bool // the command is through
}

// Write breaks before the command, where it is not to arrive.
func (b *broken) Write(p []byte) (int, error) {
	if !bytes.Contains(p, b.at) {
		return b.Conn.Write(p)
	}
	if !b.cut.arrive {
		b.cut.then()
		_ = b.Conn.Close()
		return 0, io.ErrClosedPipe
	}
	b.past = true
	return b.Conn.Write(p)
}

// Read breaks behind the command: its answer has been given, and is lost.
func (b *broken) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	if !b.past || err != nil {
		return n, err
	}
	b.cut.then()
	if b.cut.hold {
		return b.Conn.Read(p) // until the client has waited long enough
	}
	_ = b.Conn.Close()
	return 0, io.ErrUnexpectedEOF
}
