package slacktest

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"redis-session-bot/internal/slack/slacktest/blockkit"
)

// object is a JSON object.
type object = map[string]any

// Ready is what an app and a person need to know of a workspace that is up.
type Ready struct {
	API      string `json:"api"`  // base URL of the Web API, with its trailing slash
	Page     string `json:"page"` // the people's page
	BotToken string `json:"botToken"`
	AppToken string `json:"appToken"`
}

// Workspace is a running workspace. Its methods are safe for concurrent use.
type Workspace struct {
	opts    Options
	now     func() time.Time
	ready   Ready
	host    string
	methods map[string]method
	kit     *blockkit.Schema
	server  *http.Server
	stop    context.CancelFunc
	ctx     context.Context // ends at Close: deliveries and event streams live no longer
	work    sync.WaitGroup

	mu         sync.Mutex // guards everything below
	users      []User
	rooms      []*room
	messages   []*message
	files      map[string]*file
	lastMicros int64
	serial     int
	triggers   map[string]*trigger
	replies    map[string]*replyURL
	stacks     map[string][]*view
	homes      map[string]*view
	tickets    map[string]time.Time
	links      []*link
	greeted    []*link // those among links that had their hello, and take envelopes
	nextLink   int
	linked     chan struct{} // closed and renewed whenever a connection comes up
	envelopes  map[string]*envelope
	dials      *rate.Limiter
	quotas     map[string]*quota
	faults     faults
	violations []Violation
	watchers   map[chan nudge]struct{}
	closed     bool
}

// Start runs a workspace until Close, or until ctx ends.
func Start(ctx context.Context, opts Options) (*Workspace, error) {
	opts = opts.withDefaults()
	if err := onLoopback(opts.Listen); err != nil {
		return nil, err
	}
	methods, err := loadMethods()
	if err != nil {
		return nil, err
	}
	kit, err := blockkit.Load()
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", opts.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for the Slack workspace: %w", err)
	}
	host := cmp.Or(opts.Forward, listener.Addr().String())
	w := &Workspace{
		opts: opts, now: opts.Now, host: host, methods: methods, kit: kit,
		ready: Ready{
			API: "http://" + host + "/api/", Page: "http://" + listener.Addr().String() + "/",
			BotToken: "xoxb-1-" + secret(), AppToken: "xapp-1-" + AppID + "-1-" + secret(),
		},
		files: map[string]*file{}, triggers: map[string]*trigger{}, replies: map[string]*replyURL{},
		stacks: map[string][]*view{}, homes: map[string]*view{}, tickets: map[string]time.Time{},
		linked: make(chan struct{}), envelopes: map[string]*envelope{}, quotas: map[string]*quota{},
		dials:    rate.NewLimiter(rate.Every(opts.Limits.DialEvery), opts.Limits.DialBurst),
		watchers: map[chan nudge]struct{}{},
		users:    append(append([]User(nil), opts.Users...), User{ID: BotUser, Name: BotName, RealName: BotName, Bot: true}),
	}
	for _, c := range opts.Channels {
		w.rooms = append(w.rooms, newRoom(c, opts.Users))
	}
	w.ctx, w.stop = context.WithCancel(context.WithoutCancel(ctx))
	w.server = &http.Server{
		Handler:           w.routes(),
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return w.ctx },
	}
	w.work.Go(func() { _ = w.server.Serve(listener) })
	context.AfterFunc(ctx, func() { _ = w.Close() })
	return w, nil
}

// Ready is the contract's first output line.
func (w *Workspace) Ready() Ready { return w.ready }

// Close ends every connection and waits until nothing of the workspace runs any more. Closing twice is fine.
func (w *Workspace) Close() error {
	w.stop()
	w.mu.Lock()
	w.closed = true
	links := append([]*link(nil), w.links...)
	w.mu.Unlock()
	for _, l := range links {
		l.end()
	}
	err := w.server.Close()
	w.work.Wait()
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("close the Slack workspace: %w", err)
	}
	return nil
}

// onLoopback refuses an address that others could reach: tokens and people's words are for this machine alone.
func onLoopback(listen string) error {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("listen address %q: %w; use host:port, for example 127.0.0.1:3999", listen, err)
	}
	addr, err := netip.ParseAddr(host)
	if host == "localhost" || (err == nil && addr.IsLoopback()) {
		return nil
	}
	return fmt.Errorf("listen address %q is not on loopback; the local Slack workspace serves this machine only, use 127.0.0.1", listen)
}

// secret is a random part of a token, ticket or address.
func secret() string {
	b := make([]byte, 12)
	_, _ = rand.Read(b) // crypto/rand.Read never fails; it ends the program instead
	return hex.EncodeToString(b)
}

// id makes a short identifier with a prefix, unique in this workspace. The caller holds w.mu.
func (w *Workspace) id(prefix string) string {
	w.serial++
	return fmt.Sprintf("%s%06d", prefix, w.serial)
}
