package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/spf13/viper"

	"redis-session-bot/internal/evidence"
)

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
	for _, list := range []struct {
		key  string
		item reflect.Type
	}{{"targets", reflect.TypeFor[evidence.Target]()}, {"pagers", reflect.TypeFor[Pager]()}, {"escalation.levels", reflect.TypeFor[Level]()},
		{"alerts.targets", reflect.TypeFor[AlertTarget]()}} {
		wrong = append(wrong, unknownListKeys(inFile, file, list.key, list.item)...)
	}
	return errors.Join(wrong...)
}

// unknownListKeys looks into a list of structs, which viper does not.
func unknownListKeys(v *viper.Viper, file, list string, item reflect.Type) []error {
	known := map[string]bool{}
	for i := range item.NumField() {
		if name := item.Field(i).Tag.Get("mapstructure"); name == "" {
			known[strings.ToLower(item.Field(i).Name)] = true
		} else if name != "-" {
			known[name] = true
		}
	}
	entries, ok := v.Get(list).([]any)
	if !ok && v.IsSet(list) && v.Get(list) != nil {
		return []error{fmt.Errorf("%s: %s: a list is needed; begin each entry with a dash", file, list)}
	}
	var wrong []error
	for i, entry := range entries {
		keys, ok := entry.(map[string]any)
		if !ok {
			wrong = append(wrong, fmt.Errorf("%s: %s[%d]: write it as name: value lines", file, list, i))
			continue
		}
		for key := range keys {
			switch {
			case known[strings.ToLower(key)] || known[strings.ToLower(strings.ReplaceAll(key, "_", ""))]:
			case list == "pagers" && strings.HasSuffix(key, "key"):
				wrong = append(wrong, fmt.Errorf("%s: %s[%d].%s: keys do not belong in this file; name a variable by key_env or a file by key_file", file, list, i, key))
			default:
				wrong = append(wrong, fmt.Errorf("%s: %s[%d].%s is not a setting; did you mean %s?", file, list, i, key, nearest(key, known)))
			}
		}
	}
	return wrong
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
