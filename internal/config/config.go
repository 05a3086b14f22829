// Package config reads config.yaml and the environment, once, and says what
// is wrong with them by the key's name.
//
// Only cmd/bot imports it. Tokens come from the environment or from files
// that it names, never from config.yaml.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"

	"redis-session-bot/internal/evidence"
)

// Config is every setting.
type Config struct {
	Runbook    string            `mapstructure:"runbook"`
	Kubeconfig string            `mapstructure:"kubeconfig"`
	Targets    []evidence.Target `mapstructure:"targets"`
	Slack      Slack             `mapstructure:"slack"`
	Roles      Roles             `mapstructure:"roles"`
	Approvals  Approvals         `mapstructure:"approvals"`
	Alerts     Alerts            `mapstructure:"alerts"`
	Prometheus Prometheus        `mapstructure:"prometheus"`
	Store      Store             `mapstructure:"store"`
	Limits     Limits            `mapstructure:"limits"`
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

// Store is where incidents are kept.
type Store struct {
	Path string `mapstructure:"path"` // a file; absolute once it is loaded
}

// Limits bound how long things may take.
type Limits struct {
	Step      time.Duration `mapstructure:"step"`
	PlanValid time.Duration `mapstructure:"plan_valid"`
	Rollout   time.Duration `mapstructure:"rollout"`
	Verify    time.Duration `mapstructure:"verify"`
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
	v.SetDefault("store.path", "incidents.db")
	v.SetDefault("limits.step", "20s")
	v.SetDefault("limits.plan_valid", "15m")
	v.SetDefault("limits.rollout", "3m")
	v.SetDefault("limits.verify", "90s")
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
		mapstructure.StringToTimeDurationHookFunc(), mapstructure.StringToSliceHookFunc(",")))
	tags := func(dc *mapstructure.DecoderConfig) { dc.MatchName = matchName }
	if err := v.Unmarshal(&c, hooks, tags); err != nil {
		return Config{}, fmt.Errorf("%s: %s", file, valueError(err))
	}
	if err := c.readTokens(); err != nil {
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
		*token.into = strings.TrimSpace(os.Getenv(token.env))
		if *token.into != "" || token.file == "" {
			continue
		}
		data, err := os.ReadFile(token.file)
		if err != nil {
			return fmt.Errorf("read the token for %s: %w", token.env, err)
		}
		*token.into = strings.TrimSpace(string(data))
	}
	if url := os.Getenv("SLACK_API_URL"); url != "" {
		c.Slack.APIURL = url
	}
	return nil
}

// locate makes the path absolute: it is relative to the folder of config.yaml.
func (s *Store) locate(file string) error {
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
		"limits.rollout": c.Limits.Rollout, "prometheus.hours": c.Prometheus.Hours, "limits.verify": c.Limits.Verify} {
		if d <= 0 {
			say(key, "%s is not a time; write it like 20s or 15m", d)
		}
	}
	if !slices.Contains([]string{"data-loss", "all", "none"}, c.Approvals.SecondPerson) {
		say("approvals.second_person", "%q is not known; use data-loss, all or none", c.Approvals.SecondPerson)
	}
	for key, says := range c.Alerts.wrong(c.Targets) {
		say("alerts."+key, "%s", says)
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
	if parsed, err := url.Parse(c.Prometheus.URL); err != nil || c.Prometheus.URL != "" && (parsed.Host == "" || !strings.HasPrefix(parsed.Scheme, "http")) {
		say("prometheus.url", "this is no address; write it like http://prometheus:9090")
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

// unknownKeys refuses a key that is not a setting, with the nearest that is.
func unknownKeys(v *viper.Viper, file string) error {
	known := map[string]bool{}
	collect(reflect.TypeFor[Config](), "", known)
	inFile := viper.New()
	inFile.SetConfigType("yaml")
	inFile.SetConfigFile(file)
	if err := inFile.ReadInConfig(); err != nil {
		return nil // there is no file; what it is was judged before
	}
	var wrong []error
	for _, key := range inFile.AllKeys() {
		if strings.Contains(key, "token") && !strings.HasSuffix(key, "_file") {
			wrong = append(wrong, fmt.Errorf("%s: %s: tokens do not belong in this file; set SLACK_BOT_TOKEN, SLACK_APP_TOKEN, ALERTS_TOKEN and PROMETHEUS_TOKEN, or name files by slack.bot_token_file, slack.app_token_file, alerts.token_file and prometheus.token_file", file, key))
			continue
		}
		if !known[key] {
			wrong = append(wrong, fmt.Errorf("%s: %s is not a setting; did you mean %s?", file, key, nearest(key, known)))
		}
	}
	wrong = append(wrong, unknownListKeys(inFile, file, "targets", fields(reflect.TypeFor[evidence.Target]()))...)
	wrong = append(wrong, unknownListKeys(inFile, file, "alerts.targets", fields(reflect.TypeFor[AlertTarget]()))...)
	return errors.Join(wrong...)
}

// unknownListKeys looks into a list of settings, which viper does not. known
// are its keys, without underscores.
func unknownListKeys(v *viper.Viper, file, name string, known map[string]bool) []error {
	var wrong []error
	list, ok := v.Get(name).([]any)
	if !ok && v.IsSet(name) && v.Get(name) != nil {
		return []error{fmt.Errorf("%s: %s: a list is needed; begin each of them with a dash", file, name)}
	}
	for i, entry := range list {
		keys, ok := entry.(map[string]any)
		if !ok {
			wrong = append(wrong, fmt.Errorf("%s: %s[%d]: write it as name: value lines", file, name, i))
			continue
		}
		for key := range keys {
			if !known[strings.ToLower(strings.ReplaceAll(key, "_", ""))] {
				wrong = append(wrong, fmt.Errorf("%s: %s[%d].%s is not a setting; did you mean %s?", file, name, i, key, nearest(key, known)))
			}
		}
	}
	return wrong
}

// fields are the names of a struct's fields as a list of settings has them.
func fields(t reflect.Type) map[string]bool {
	names := map[string]bool{}
	for i := range t.NumField() {
		names[strings.ToLower(t.Field(i).Name)] = true
	}
	return names
}

// collect lists the keys of a struct by their mapstructure names.
func collect(t reflect.Type, prefix string, into map[string]bool) {
	for i := range t.NumField() {
		name := t.Field(i).Tag.Get("mapstructure")
		if name == "-" {
			continue
		}
		if t.Field(i).Type.Kind() == reflect.Struct {
			collect(t.Field(i).Type, prefix+name+".", into)
			continue
		}
		into[prefix+name] = true
	}
}

func nearest(key string, known map[string]bool) string {
	best, distance := "", 1<<30
	for candidate := range known {
		d := levenshtein.ComputeDistance(key, candidate)
		if d < distance || d == distance && candidate < best {
			best, distance = candidate, d
		}
	}
	return best
}
