// Package slack is the bot's side of Slack: Socket Mode, Block Kit, and the
// messages that show an incident.
//
// It turns what people do into commands.Request and draws commands.View. It
// decides nothing about an incident, and nothing below it knows of Slack.
package slack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/incident"
)

// Handler answers requests and shows incidents.
type Handler interface {
	// Handle returns quickly; what it sets going goes on elsewhere.
	Handle(ctx context.Context, r commands.Request) commands.Reply
	// Messages gives the whole incident as it should be seen.
	Messages(inc incident.Incident) []commands.Message
}

// Incidents are what the messages are made of.
type Incidents interface {
	Get(ctx context.Context, id string) (incident.Incident, error)
	// Recent gives those that somebody has to do with, and those closed since then;
	// none of those for the zero time.
	Recent(ctx context.Context, since time.Time) ([]incident.Incident, error)
	// Show remembers where the message of that key is.
	Show(ctx context.Context, id, key, ref string) error
	// ShowAt remembers the address of the incident's own message.
	ShowAt(ctx context.Context, id, link string) error
}

// Options are what an App needs.
type Options struct {
	BotToken   string // xoxb-…
	AppToken   string // xapp-…
	APIURL     string // of the Web API, with its trailing slash; empty: Slack's own
	Channels   []string
	Pages      []string // channels where people are called; names or IDs
	Called     []string // who is called there, besides those with a role
	Command    string   // name of the slash command, without the slash
	Responders []string
	Approvers  []string
	Log        *slog.Logger
	Now        func() time.Time
}

// App is the bot in one workspace. Handler and Incidents are set before Run.
type App struct {
	Handler   Handler
	Incidents Incidents

	options     Options
	api         *slack.Client
	socket      *socketmode.Client
	people      *people
	channels    *channels
	scopes      *scopes
	seen        *memory
	submissions *submissions
	showing     *projector

	mu        sync.Mutex
	connected bool
	why       string    // why not
	trouble   string    // why Slack ended the last connection, where a person has to mend it
	since     time.Time // when the connection stood
	heard     heard
}

// New makes an App. It sends nothing.
func New(options Options) *App {
	a := &App{options: options, scopes: &scopes{now: options.Now}, seen: newMemory(options.Now), submissions: &submissions{known: map[string]*submission{}}, why: "not started yet"}
	client := &http.Client{Transport: newPacer(http.DefaultTransport, options.Now)}
	settings := []slack.Option{slack.OptionAppLevelToken(options.AppToken), slack.OptionHTTPClient(client), slack.OptionOnResponseHeaders(a.scopes.note)}
	if options.APIURL != "" {
		settings = append(settings, slack.OptionAPIURL(options.APIURL))
	}
	a.api = slack.New(options.BotToken, settings...)
	a.socket = socketmode.New(a.api, socketmode.OptionDebug(true), socketmode.OptionLog(goodbyes{a.left}))
	a.people = newPeople(a.api, options)
	a.channels = &channels{api: a.api, allowed: options.Channels, names: map[string]string{}}
	a.showing = newProjector(a)
	return a
}

// Roles says who may do what, by the workspace's own users and groups.
func (a *App) Roles() incident.Roles { return a.people }

// settled is how long a connection stands before it counts, after one that
// Slack ended for a reason that will not pass by itself.
const settled = 3 * time.Second

// State reports whether the bot is connected, and why not.
func (a *App) State() (connected bool, why string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.trouble != "" && (!a.connected || a.options.Now().Sub(a.since) < settled) {
		return false, a.trouble
	}
	return a.connected, a.why
}

// ended reports whether Slack ends every connection, for a reason that will not
// pass by itself.
func (a *App) ended() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.trouble != ""
}

// left notes why Slack ended a connection.
func (a *App) left(reason string) {
	trouble := ""
	switch reason {
	case "link_disabled":
		trouble = "Slack ends every connection (link_disabled): switch Socket Mode on in the app's settings"
	case "too_many_websockets":
		trouble = "Slack ends every connection (too_many_websockets): stop the other processes that use the same app token"
	}
	a.mu.Lock()
	again := a.trouble == trouble
	a.trouble = trouble
	a.mu.Unlock()
	if trouble != "" && !again {
		a.options.Log.Error(trouble)
	}
}

func (a *App) setState(connected bool, why string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.connected, a.why, a.since = connected, why, a.options.Now()
}

// Changed makes the incident's messages follow it. It returns at once.
func (a *App) Changed(id string) { a.showing.changed(id) }

// ChangedElsewhere makes the incident's messages follow it where another replica
// has changed it. That one shows it; this one looks a little later whether it has.
// It returns at once.
func (a *App) ChangedElsewhere(id string) { a.showing.changedElsewhere(id) }

// Run connects and works until ctx ends. It returns an error when the tokens
// are no good. Open incidents are shown anew first.
func (a *App) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a.showing.start(ctx)
	defer a.showing.wait()
	all, err := a.Incidents.Recent(ctx, time.Time{})
	if err != nil {
		return fmt.Errorf("list incidents: %w", err)
	}
	for _, inc := range all {
		if inc.Open() {
			a.showing.inherit(inc.ID)
			a.Changed(inc.ID)
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- a.socket.RunContext(ctx) }()
	a.listen(ctx, ended)
	cancel()
	err = <-ended
	a.setState(false, "stopped")
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("connect to Slack: %w", a.withoutTokens(err))
	}
	return nil
}

// withoutTokens makes sure that no error carries a token.
func (a *App) withoutTokens(err error) error {
	text := err.Error()
	for _, token := range []string{a.options.BotToken, a.options.AppToken} {
		if token != "" {
			text = strings.ReplaceAll(text, token, "[token]")
		}
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}
