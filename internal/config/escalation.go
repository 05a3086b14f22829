package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Escalation is who is paged when an incident is not mended in time.
type Escalation struct {
	Remind time.Duration `mapstructure:"remind"` // before the first page
	Levels []Level       `mapstructure:"levels"`
}

// Level is one step of it.
type Level struct {
	Who    string        `mapstructure:"who"`
	After  time.Duration `mapstructure:"after"` // after the runbook's delay
	Pagers []string      `mapstructure:"pagers"`
	Repeat time.Duration `mapstructure:"repeat"`
	Times  int           `mapstructure:"times"`
}

// Response is how the organisation's own process is invoked.
type Response struct {
	Who    string   `mapstructure:"who"`
	Pagers []string `mapstructure:"pagers"`
	Level  int      `mapstructure:"level"` // by itself at this one; 0: never
}

// Pager is one way to reach people. Key is filled in from the variable or the
// file that it names, and so is URL where one is named for it.
type Pager struct {
	Name       string   `mapstructure:"name"`
	Type       string   `mapstructure:"type"` // pagerduty, opsgenie, webhook or slack
	URL        string   `mapstructure:"url"`  // empty: the service's own
	URLEnv     string   `mapstructure:"url_env"`
	URLFile    string   `mapstructure:"url_file"`
	KeyEnv     string   `mapstructure:"key_env"`
	KeyFile    string   `mapstructure:"key_file"`
	Responders []string `mapstructure:"responders"` // of Opsgenie
	Channel    string   `mapstructure:"channel"`    // of Slack
	Mention    string   `mapstructure:"mention"`    // of Slack
	Key        string   `mapstructure:"-"`
}

// The types of pager.
const (
	PagerDuty = "pagerduty"
	Opsgenie  = "opsgenie"
	Webhook   = "webhook"
	SlackPage = "slack"
)

// repeats is how often a level is paged at the most where it says only after
// what time.
const repeats = 3

// readPagers takes keys and addresses from the environment or from files.
func (c *Config) readPagers() error {
	for i := range c.Pagers {
		pager := &c.Pagers[i]
		var err error
		if pager.Key, err = secret(pager.KeyEnv, pager.KeyFile); err != nil {
			return fmt.Errorf("read the key of pager %s: %w", pager.Name, err)
		}
		address, err := secret(pager.URLEnv, pager.URLFile)
		if err != nil {
			return fmt.Errorf("read the address of pager %s: %w", pager.Name, err)
		}
		if address != "" {
			pager.URL = address
		}
	}
	for i := range c.Escalation.Levels {
		if level := &c.Escalation.Levels[i]; level.Repeat > 0 && level.Times == 0 {
			level.Times = repeats
		}
	}
	return nil
}

// checkEscalation refuses what would leave people asleep.
func (c *Config) checkEscalation(say func(key, format string, args ...any)) {
	known := map[string]bool{}
	for i, pager := range c.Pagers {
		key := fmt.Sprintf("pagers[%d]", i)
		if pager.Name == "" {
			say(key, "it has no name; add name: pagerduty, or whatever people call it")
		} else if known[pager.Name] {
			say(key, "the name %q stands twice", pager.Name)
		}
		known[pager.Name] = true
		pager.check(func(setting, format string, args ...any) { say(key+"."+setting, format, args...) })
	}
	if c.Escalation.Remind < 0 {
		say("escalation.remind", "%s is not a time; write it like 10m, or 0s for none", c.Escalation.Remind)
	}
	for i, level := range c.Escalation.Levels {
		key := fmt.Sprintf("escalation.levels[%d]", i)
		if len(level.Pagers) == 0 {
			say(key+".pagers", "name at least one pager")
		}
		saysUnknown(say, key+".pagers", level.Pagers, known)
		if level.After < 0 || i > 0 && level.After < c.Escalation.Levels[i-1].After {
			say(key+".after", "%s is before the level above; write the levels in their order", level.After)
		}
		if level.Repeat != 0 && level.Repeat < time.Minute || level.Times < 0 {
			say(key+".repeat", "repeat after a minute or more, and times that often at the most")
		}
	}
	saysUnknown(say, "incident_response.pagers", c.Response.Pagers, known)
	if c.Response.Level < 0 || c.Response.Level > len(c.Escalation.Levels) {
		say("incident_response.level", "there is no level %d; escalation.levels has %d", c.Response.Level, len(c.Escalation.Levels))
	}
}

func saysUnknown(say func(key, format string, args ...any), key string, pagers []string, known map[string]bool) {
	for _, name := range pagers {
		if !known[name] && len(known) > 0 {
			say(key, "there is no pager %q; did you mean %s?", name, nearest(name, known))
		} else if !known[name] {
			say(key, "there is no pager %q; list it under pagers", name)
		}
	}
}

// routingKey is how long PagerDuty's are.
const routingKey = 32

func (p Pager) check(say func(setting, format string, args ...any)) {
	if !slices.Contains([]string{PagerDuty, Opsgenie, Webhook, SlackPage}, p.Type) {
		say("type", "%q is not known; use %s, %s, %s or %s", p.Type, PagerDuty, Opsgenie, Webhook, SlackPage)
		return
	}
	if p.Type == SlackPage {
		if p.Channel == "" {
			say("channel", "name the channel where people are called")
		}
		return
	}
	switch {
	case p.Key == "":
		say("key_env", "there is no key: set the variable that key_env names, or the file that key_file names")
	case p.Type == PagerDuty && len(p.Key) != routingKey:
		say("key_env", "a routing key of the Events API v2 has %d characters, and this one %d", routingKey, len(p.Key))
	}
	parsed, err := url.Parse(p.URL)
	switch {
	case p.URL == "" && p.Type == Webhook:
		say("url", "a webhook needs its address")
	case p.URL != "" && (err != nil || parsed.Host == "" || !strings.HasPrefix(parsed.Scheme, "http")):
		say("url", "it is not an address; write it like https://example.com/hook") // it may hold a secret: it is not shown
	}
}
