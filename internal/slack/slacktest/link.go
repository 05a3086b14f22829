package slacktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const writeWithin = 5 * time.Second

// link is one Socket Mode connection.
type link struct {
	conn  *websocket.Conn
	mu    sync.Mutex // one writer at a time
	ended chan struct{}
	once  sync.Once
}

func (l *link) send(v any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.write(v)
}

// greet sends the hello. Whoever is told by ready that the connection takes envelopes sends them behind it, and the
// client that has read it misses none.
func (l *link) greet(hello any, ready func()) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	ready()
	return l.write(hello)
}

// write sends one frame; the caller holds mu.
func (l *link) write(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := l.conn.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return err
	}
	return l.conn.WriteMessage(websocket.TextMessage, raw)
}

// end drops the connection without another word.
func (l *link) end() {
	l.once.Do(func() { close(l.ended) })
	_ = l.conn.Close()
}

// leave ends the connection politely: a disconnect frame with the reason, then a close frame, then the end.
func (l *link) leave(reason, host string, ahead time.Duration) {
	if reason != "" {
		_ = l.send(object{"type": "disconnect", "reason": reason, "debug_info": object{"host": host}})
	}
	timer := time.NewTimer(ahead)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.ended:
		return
	}
	if reason != "" {
		_ = l.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(writeWithin))
		// The client answers the close frame and goes; one that does not is dropped.
		select {
		case <-time.After(time.Second):
		case <-l.ended:
		}
	}
	l.end()
}

// appsConnectionsOpen gives out a WebSocket address that can be dialed once.
func (w *Workspace) appsConnectionsOpen(arguments) (object, *refusal) {
	if w.opts.NoSocketMode {
		return nil, refuse("socket_mode_not_enabled")
	}
	if !w.dials.AllowN(w.now(), 1) {
		w.breach(RedialTooFast, "apps.connections.open: more than %d connections at once and one each %s after that", w.opts.Limits.DialBurst, w.opts.Limits.DialEvery)
	}
	ticket := secret()
	w.tickets[ticket] = time.Now()
	return object{"url": "ws://" + w.host + "/link/?ticket=" + ticket + "&app_id=" + AppID}, nil
}

// redeem spends a ticket.
func (w *Workspace) redeem(ticket string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	born, ok := w.tickets[ticket]
	delete(w.tickets, ticket)
	return ok && time.Since(born) <= w.opts.Limits.TicketLives
}

// socket is the Socket Mode endpoint.
func (w *Workspace) socket(rw http.ResponseWriter, r *http.Request) {
	if !w.redeem(r.URL.Query().Get("ticket")) {
		http.Error(rw, "the ticket is used or unknown", http.StatusForbidden)
		return
	}
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }} // the ticket is the proof
	conn, err := upgrader.Upgrade(rw, r, nil)
	if err != nil {
		return
	}
	l := &link{conn: conn, ended: make(chan struct{})}
	defer l.end()
	w.work.Go(func() { w.ping(l) })
	welcome, fault, faulty := w.attach(l)
	if welcome == 0 {
		l.leave("too_many_websockets", w.host, 0)
		return
	}
	defer w.detach(l)
	started := w.now().UTC().Format("2006-01-02 15:04:05.000")
	hello := object{
		"type": "hello", "num_connections": welcome, "connection_info": object{"app_id": AppID},
		"debug_info": object{"host": w.host, "started": started, "build_number": 1, "approximate_connection_time": 3600},
	}
	if faulty {
		if l.send(hello) != nil {
			return
		}
		w.work.Go(func() { l.leave(fault.Reason, w.host, w.ahead(fault)) })
	} else if l.greet(hello, func() { w.announce(l) }) != nil {
		return
	}
	w.read(l)
}

// attach counts a connection in, unless there are too many; the count includes it. What a fault plans for the next
// connections comes along.
func (w *Workspace) attach(l *link) (count int, fault Fault, faulty bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || len(w.links) >= w.opts.Limits.Connections {
		return 0, Fault{}, false
	}
	w.links = append(w.links, l)
	if len(w.faults.hellos) > 0 {
		fault, faulty = w.faults.hellos[0], true
		w.faults.hellos = w.faults.hellos[1:]
	}
	return len(w.links), fault, faulty
}

// announce lets waiting envelopes know that somebody is there to take them.
func (w *Workspace) announce(l *link) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if slices.Contains(w.links, l) {
		w.greeted = append(w.greeted, l)
	}
	close(w.linked)
	w.linked = make(chan struct{})
}

// Listening returns as soon as an app takes envelopes. It is an error when ctx or the workspace ends before.
func (w *Workspace) Listening(ctx context.Context) error {
	for {
		w.mu.Lock()
		there, linked := len(w.greeted) > 0, w.linked
		w.mu.Unlock()
		if there {
			return nil
		}
		select {
		case <-linked:
		case <-ctx.Done():
			return fmt.Errorf("wait for an app to connect: %w", context.Cause(ctx))
		case <-w.ctx.Done():
			return errors.New("wait for an app to connect: the workspace is closed")
		}
	}
}

func (w *Workspace) detach(l *link) {
	w.mu.Lock()
	defer w.mu.Unlock()
	same := func(o *link) bool { return o == l }
	w.links = slices.DeleteFunc(w.links, same)
	w.greeted = slices.DeleteFunc(w.greeted, same)
}

// ping keeps a connection alive, and ends it when the client no longer answers.
func (w *Workspace) ping(l *link) {
	every := w.opts.Limits.PingEvery
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-l.ended:
			return
		case <-ticker.C:
		}
		if l.conn.WriteControl(websocket.PingMessage, []byte("Ping from slacktest"), time.Now().Add(writeWithin)) != nil {
			l.end()
			return
		}
	}
}

// read takes acknowledgements until the connection ends.
func (w *Workspace) read(l *link) {
	silence := max(6*w.opts.Limits.PingEvery, 10*time.Second)
	live := func() { _ = l.conn.SetReadDeadline(time.Now().Add(silence)) }
	live()
	l.conn.SetPongHandler(func(string) error { live(); return nil })
	answer := l.conn.PingHandler()
	l.conn.SetPingHandler(func(data string) error { live(); return answer(data) })
	// A frame over the limit is answered with the close code 1009, as Slack is reported to do.
	l.conn.SetReadLimit(int64(w.opts.Limits.AckBytes) - 1)
	for {
		_, raw, err := l.conn.ReadMessage()
		if errors.Is(err, websocket.ErrReadLimit) {
			w.mu.Lock()
			w.breach(AckTooLarge, "an acknowledgement of %d bytes or more; keep it empty and post instead", w.opts.Limits.AckBytes)
			w.mu.Unlock()
			l.drain()
		}
		if err != nil {
			return
		}
		live()
		w.acknowledge(raw)
	}
}

// drain reads what is still on its way: closing over unread bytes resets the connection, and the close frame is lost.
func (l *link) drain() {
	conn := l.conn.NetConn()
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	_, _ = io.Copy(io.Discard, conn)
}

// disconnect ends every connection as a fault says.
func (w *Workspace) disconnect(f Fault) {
	w.mu.Lock()
	for range f.Count {
		w.faults.hellos = append(w.faults.hellos, f)
	}
	links := append([]*link(nil), w.links...)
	w.greeted = nil // nothing is sent into a connection that is going
	if f.Reason == "warning" {
		w.greeted = append([]*link(nil), links...)
	}
	w.mu.Unlock()
	for _, l := range links {
		w.work.Go(func() { l.leave(f.Reason, w.host, w.ahead(f)) })
	}
}

// ahead is how long before the end a disconnect frame comes.
func (w *Workspace) ahead(f Fault) time.Duration {
	if f.Reason == "warning" {
		return f.lasting(w.opts.Limits.WarnAhead)
	}
	return f.lasting(0)
}
