// Package config reads config.yaml and the environment, once, and says what
// is wrong with them by the key's name.
//
// Only cmd/bot imports it, and what practises with a bot (lab drill). Tokens come
// from the environment or from files that it names, never from config.yaml.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"

	"redis-session-bot/internal/evidence"
)

// Config is every setting.
type Config struct {
	Runbook    string            `mapstructure:"runbook"`
	Kubeconfig string            `mapstructure:"kubeconfig"`
	Targets    []evidence.Target `mapstructure:"targets"`
	Drills     []string          `mapstructure:"drills"` // names of targets that may be broken for practice
	Slack      Slack             `mapstructure:"slack"`
	Roles      Roles             `mapstructure:"roles"`
	Approvals  Approvals         `mapstructure:"approvals"`
	Escalation Escalation        `mapstructure:"escalation"`
	Pagers     []Pager           `mapstructure:"pagers"`
	Response   Response          `mapstructure:"incident_response"`
	Alerts     Alerts            `mapstructure:"alerts"`
	Prometheus Prometheus        `mapstructure:"prometheus"`
	Store      Store             `mapstructure:"store"`
	Limits     Limits            `mapstructure:"limits"`
	HTTP       HTTP              `mapstructure:"http"`
	Log        Log               `mapstructure:"log"`
}

// Slack is how the bot reaches the workspace. Tokens are filled in from
// SLACK_BOT_TOKEN and SLACK_APP_TOKEN, or from the files named here.
type Slack struct {
	BotTokenFile string   `mapstructure:"bot_token_file"`
	AppTokenFile string   `mapstructure:"app_token_file"`
	APIURL       string   `mapstructure:"api_url"`
	Channels     []string `mapstructure:"channels"`
	BotToken     string   `mapstructure:"-"`
	AppToken     string   `mapstructure:"-"`
}

// Roles are who may do what: user IDs (U…), group IDs (S…) or group handles (@…).
type Roles struct {
	Responders []string `mapstructure:"responders"`
	Approvers  []string `mapstructure:"approvers"`
}

// Approvals say how many people a plan needs.
type Approvals struct {
	SecondPerson string     `mapstructure:"second_person"` // data-loss, all or none
	BreakGlass   BreakGlass `mapstructure:"break_glass"`
}

// BreakGlass is when one person may do alone what needs a second. Nothing
// given is never.
type BreakGlass struct {
	From string           `mapstructure:"from"` // 22:00
	To   string           `mapstructure:"to"`   // 07:00; before From: of the next day
	Zone string           `mapstructure:"zone"` // Europe/Berlin
	Span [2]time.Duration `mapstructure:"-"`    // From and To, after midnight
	At   *time.Location   `mapstructure:"-"`    // of Zone; nil: never
}

// Alerts are how Alertmanager reaches the bot. The token is filled in from
// ALERTS_TOKEN, or from the file named here.
type Alerts struct {
	Listen       string        `mapstructure:"listen"` // host:port of the webhook; empty: none
	TokenFile    string        `mapstructure:"token_file"`
	Channel      string        `mapstructure:"channel"`
	Diagnose     string        `mapstructure:"diagnose"` // auto or offer
	ReopenWithin time.Duration `mapstructure:"reopen_within"`
	Targets      []AlertTarget `mapstructure:"targets"`
	Token        string        `mapstructure:"-"`
}

// AlertTarget says that alerts with a label of that value are about a target.
type AlertTarget struct {
	Label  string `mapstructure:"label"`
	Value  string `mapstructure:"value"`
	Target string `mapstructure:"target"` // its name
}

// Prometheus is where the store's last hours are kept. The token is filled in
// from PROMETHEUS_TOKEN, or from the file named here.
type Prometheus struct {
	URL       string        `mapstructure:"url"` // empty: none
	TokenFile string        `mapstructure:"token_file"`
	Selector  string        `mapstructure:"selector"`
	Hours     time.Duration `mapstructure:"hours"`
	Token     string        `mapstructure:"-"`
}

// Store is where incidents are kept, and how long.
type Store struct {
	Kind      string        `mapstructure:"kind"`      // file or kubernetes
	Path      string        `mapstructure:"path"`      // a file; absolute once it is loaded
	Namespace string        `mapstructure:"namespace"` // empty: the bot's own
	Keep      time.Duration `mapstructure:"keep"`
	KeepCount int           `mapstructure:"keep_count"`
}

// The kinds of a store.
const (
	StoreFile       = "file"
	StoreKubernetes = "kubernetes"
)

// Limits bound how long things may take.
type Limits struct {
	Step      time.Duration `mapstructure:"step"`
	PlanValid time.Duration `mapstructure:"plan_valid"`
	Rollout   time.Duration `mapstructure:"rollout"`
	Verify    time.Duration `mapstructure:"verify"`
}

// HTTP is where the bot answers probes and Prometheus.
type HTTP struct {
	Listen string `mapstructure:"listen"` // host:port; empty: nowhere
}

// Log is how the bot logs.
type Log struct {
	Level string `mapstructure:"level"`
}

// defaults are the settings that config.yaml leaves out. config.yaml in the
// repository shows the same ones; a test compares them.
func defaults(v *viper.Viper) {
	v.SetDefault("runbook", "")
	v.SetDefault("kubeconfig", "")
	v.SetDefault("targets", []map[string]any{})
	v.SetDefault("drills", []string{})
	v.SetDefault("slack.bot_token_file", "")
	v.SetDefault("slack.app_token_file", "")
	v.SetDefault("slack.api_url", "")
	v.SetDefault("slack.channels", []string{})
	v.SetDefault("roles.responders", []string{})
	v.SetDefault("roles.approvers", []string{})
	v.SetDefault("approvals.second_person", "data-loss")
	v.SetDefault("approvals.break_glass.from", "")
	v.SetDefault("approvals.break_glass.to", "")
	v.SetDefault("approvals.break_glass.zone", "")
	v.SetDefault("escalation.remind", "10m")
	v.SetDefault("escalation.levels", []map[string]any{})
	v.SetDefault("pagers", []map[string]any{})
	v.SetDefault("incident_response.who", "")
	v.SetDefault("incident_response.pagers", []string{})
	v.SetDefault("incident_response.level", 0)
	v.SetDefault("alerts.listen", "")
	v.SetDefault("alerts.token_file", "")
	v.SetDefault("alerts.channel", "")
	v.SetDefault("alerts.diagnose", "auto")
	v.SetDefault("alerts.reopen_within", "30m")
	v.SetDefault("alerts.targets", []map[string]any{})
	v.SetDefault("prometheus.url", "")
	v.SetDefault("prometheus.token_file", "")
	v.SetDefault("prometheus.selector", `job="redis-session"`)
	v.SetDefault("prometheus.hours", "3h")
	v.SetDefault("store.kind", StoreFile)
	v.SetDefault("store.path", "incidents.db")
	v.SetDefault("store.namespace", "")
	v.SetDefault("store.keep", "400d")
	v.SetDefault("store.keep_count", 10000)
	v.SetDefault("limits.step", "20s")
	v.SetDefault("limits.plan_valid", "15m")
	v.SetDefault("limits.rollout", "3m")
	v.SetDefault("limits.verify", "90s")
	v.SetDefault("http.listen", "")
	v.SetDefault("log.level", "info")
}

// envPrefix begins the name of every environment variable that overrides a
// setting: slack.channels is REDIS_SESSION_BOT_SLACK_CHANNELS.
const envPrefix = "REDIS_SESSION_BOT"

// Load reads the file, if there is one, and the environment. An empty file
// name looks for config.yaml in the working directory and takes the defaults
// where there is none. The error lists everything that is wrong.
func Load(file string) (Config, error) {
	v := viper.New()
	defaults(v)
	v.SetConfigType("yaml")
	v.SetEnvPrefix(envPrefix)
	v.SetEnvKeyReplacer(strings.NewReplacer(".", "_"))
	v.AutomaticEnv()
	named := file != ""
	if !named {
		file = "config.yaml"
	}
	v.SetConfigFile(file)
	if err := v.ReadInConfig(); err != nil && (named || !errors.Is(err, fs.ErrNotExist)) {
		return Config{}, fmt.Errorf("read %s: %w", file, err)
	}
	if err := unknownKeys(v, file); err != nil {
		return Config{}, err
	}
	var c Config
	hooks := viper.DecodeHook(mapstructure.ComposeDecodeHookFunc(
		daysHook, mapstructure.StringToTimeDurationHookFunc(), mapstructure.StringToSliceHookFunc(",")))
	tags := func(dc *mapstructure.DecoderConfig) { dc.MatchName = matchName }
	if err := v.Unmarshal(&c, hooks, tags); err != nil {
		return Config{}, fmt.Errorf("%s: %s", file, valueError(err))
	}
	if err := c.readTokens(); err != nil {
		return Config{}, err
	}
	if err := c.readPagers(); err != nil {
		return Config{}, err
	}
	if err := c.Store.locate(file); err != nil {
		return Config{}, err
	}
	return c, c.check(file)
}

// matchName lets configKey in a target be written config_key too.
func matchName(key, field string) bool {
	return strings.EqualFold(strings.ReplaceAll(key, "_", ""), strings.ReplaceAll(field, "_", ""))
}

// daysHook lets a duration be written in days: 400d.
func daysHook(from, to reflect.Type, value any) (any, error) {
	text, ok := value.(string)
	if !ok || to != reflect.TypeFor[time.Duration]() {
		return value, nil
	}
	days, found := strings.CutSuffix(strings.TrimSpace(text), "d")
	n, err := strconv.Atoi(days)
	if !found || err != nil {
		return value, nil // the next hook says what is wrong
	}
	return time.Duration(n) * 24 * time.Hour, nil
}

func valueError(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	return strings.TrimPrefix(text, "decoding failed due to the following error(s): ")
}

// readTokens takes the tokens from the environment or from files.
func (c *Config) readTokens() error {
	for _, token := range []struct {
		env, file string
		into      *string
	}{
		{"SLACK_BOT_TOKEN", c.Slack.BotTokenFile, &c.Slack.BotToken},
		{"SLACK_APP_TOKEN", c.Slack.AppTokenFile, &c.Slack.AppToken},
		{"ALERTS_TOKEN", c.Alerts.TokenFile, &c.Alerts.Token},
		{"PROMETHEUS_TOKEN", c.Prometheus.TokenFile, &c.Prometheus.Token},
	} {
		var err error
		if *token.into, err = secret(token.env, token.file); err != nil {
			return fmt.Errorf("read the token for %s: %w", token.env, err)
		}
	}
	if url := os.Getenv("SLACK_API_URL"); url != "" {
		c.Slack.APIURL = url
	}
	return nil
}

// secret is what an environment variable holds, or else a file; "" for neither.
func secret(env, file string) (string, error) {
	if value := strings.TrimSpace(os.Getenv(env)); value != "" || file == "" {
		return value, nil
	}
	data, err := os.ReadFile(file)
	return strings.TrimSpace(string(data)), err
}

// locate makes the path absolute: it is relative to the folder of config.yaml.
func (s *Store) locate(file string) error {
	if s.Kind == StoreKubernetes {
		return nil
	}
	if s.Path == "" {
		return fmt.Errorf("%s: store.path: name the file that incidents are kept in", file)
	}
	if filepath.IsAbs(s.Path) {
		return nil
	}
	folder, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return fmt.Errorf("store.path: %w", err)
	}
	s.Path = filepath.Join(folder, s.Path)
	return nil
}

// check refuses values that cannot be meant.
func (c *Config) check(file string) error {
	var wrong []error
	say := func(key, format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("%s: %s: %s", file, key, fmt.Sprintf(format, args...)))
	}
	for key, d := range map[string]time.Duration{"limits.step": c.Limits.Step, "limits.plan_valid": c.Limits.PlanValid,
		"limits.rollout": c.Limits.Rollout, "limits.verify": c.Limits.Verify, "prometheus.hours": c.Prometheus.Hours} {
		if d <= 0 {
			say(key, "%s is not a time; write it like 20s or 15m", d)
		}
	}
	if c.Store.Kind != StoreFile && c.Store.Kind != StoreKubernetes {
		say("store.kind", "%q is not known; use file or kubernetes", c.Store.Kind)
	}
	if c.Store.Keep < 0 || c.Store.Keep > 0 && c.Store.Keep < time.Hour {
		say("store.keep", "%s is no time to keep incidents; write it like 400d, or 0 for ever", c.Store.Keep)
	}
	if c.Store.KeepCount < 0 {
		say("store.keep_count", "%d is no number of incidents; 0 keeps any number", c.Store.KeepCount)
	}
	if !slices.Contains([]string{"data-loss", "all", "none"}, c.Approvals.SecondPerson) {
		say("approvals.second_person", "%q is not known; use data-loss, all or none", c.Approvals.SecondPerson)
	}
	if err := c.Approvals.BreakGlass.read(); err != nil {
		say("approvals.break_glass", "%v", err)
	}
	if !strings.Contains("debug info warn error", c.Log.Level) || c.Log.Level == "" {
		say("log.level", "%q is not a level; use debug, info, warn or error", c.Log.Level)
	}
	if c.Slack.APIURL != "" {
		if parsed, err := url.Parse(c.Slack.APIURL); err != nil || parsed.Host == "" || !strings.HasSuffix(c.Slack.APIURL, "/") {
			say("slack.api_url", "%q is not an address that ends in a slash", c.Slack.APIURL)
		}
	}
	c.checkEscalation(say)
	for key, says := range c.Alerts.wrong(c.Targets) {
		say("alerts."+key, "%s", says)
	}
	if parsed, err := url.Parse(c.Prometheus.URL); err != nil || c.Prometheus.URL != "" && (parsed.Host == "" || !strings.HasPrefix(parsed.Scheme, "http")) {
		say("prometheus.url", "this is no address; write it like http://prometheus:9090")
	}
	if c.HTTP.Listen != "" {
		if _, port, err := net.SplitHostPort(c.HTTP.Listen); err != nil || port == "" {
			say("http.listen", "%q is not an address; write it like 127.0.0.1:8080 or :8080", c.HTTP.Listen)
		}
	}
	names := map[string]bool{}
	for i, target := range c.Targets {
		key := fmt.Sprintf("targets[%d]", i)
		if target.Name == "" {
			say(key, "it has no name; add name: production, or whatever people call it")
		}
		if names[target.Name] {
			say(key, "the name %q stands twice", target.Name)
		}
		names[target.Name] = true
	}
	for _, name := range c.Drills {
		if !names[name] {
			say("drills", "there is no target %q", name)
		}
	}
	for key, list := range map[string][]string{"roles.responders": c.Roles.Responders, "roles.approvers": c.Roles.Approvers} {
		for _, who := range list {
			if !strings.HasPrefix(who, "U") && !strings.HasPrefix(who, "W") && !strings.HasPrefix(who, "S") && !strings.HasPrefix(who, "@") {
				say(key, "%q is neither a user ID (U…), a group ID (S…) nor a group handle (@…)", who)
			}
		}
	}
	sort.Slice(wrong, func(i, j int) bool { return wrong[i].Error() < wrong[j].Error() })
	return errors.Join(wrong...)
}

// read turns what is written into times of day.
func (b *BreakGlass) read() error {
	if b.From == "" && b.To == "" && b.Zone == "" {
		return nil
	}
	for i, text := range []string{b.From, b.To} {
		at, err := time.Parse("15:04", text)
		if err != nil {
			return fmt.Errorf("%q is no time of day; write from and to like 22:00", text)
		}
		b.Span[i] = time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute
	}
	if b.Span[0] == b.Span[1] {
		return errors.New("from and to are the same time; leave all three empty for never")
	}
	if b.Zone == "" {
		return errors.New("zone is missing; write it like Europe/Berlin or UTC")
	}
	zone, err := time.LoadLocation(b.Zone)
	if err != nil {
		return fmt.Errorf("%q is no time zone; write it like Europe/Berlin or UTC", b.Zone)
	}
	b.At = zone
	return nil
}
