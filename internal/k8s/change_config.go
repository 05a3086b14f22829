package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/redisconf"
	"redis-session-bot/internal/runbook"
)

// configArgs are those of edit-redis-config. Lines is its own inverse: it puts
// lines back by number.
type configArgs struct {
	Set   map[string]string `json:"set,omitempty"`
	Drop  []configLine      `json:"drop,omitempty"`
	Name  []configName      `json:"name,omitempty"`
	Only  []string          `json:"only,omitempty"` // every other directive goes; comments and secrets stay
	Lines []configPatch     `json:"lines,omitempty"`

	// Applied takes the whole file as kubectl apply last wrote it.
	Applied bool `json:"applied,omitempty"`
}

// configName gives a line another directive; its values stay.
type configName struct {
	configLine
	As string `json:"as"`
}

// UnmarshalJSON reads what configLine reads, and as.
func (n *configName) UnmarshalJSON(data []byte) error {
	var plain struct {
		Line      any    `json:"line"`
		Directive string `json:"directive"`
		As        string `json:"as"`
	}
	if err := decodeArgs(data, &plain); err != nil {
		return err
	}
	n.Directive, n.As = plain.Directive, plain.As
	if plain.Line != nil {
		n.Line = json.Number(fmt.Sprint(plain.Line))
	}
	return nil
}

// configLine names a line to drop: by its directive, and by its number where
// the directive stands more than once.
type configLine struct {
	Line      json.Number `json:"line,omitempty"`
	Directive string      `json:"directive"`
}

// UnmarshalJSON lets a number be written as a string, as a runbook's ${…} gives it.
func (l *configLine) UnmarshalJSON(data []byte) error {
	var plain struct {
		Line      any    `json:"line"`
		Directive string `json:"directive"`
	}
	if err := decodeArgs(data, &plain); err != nil {
		return err
	}
	l.Directive = plain.Directive
	if plain.Line != nil {
		l.Line = json.Number(fmt.Sprint(plain.Line))
	}
	return nil
}

// configPatch puts one stretch of lines back: Remove lines from At (from 1),
// Insert there.
type configPatch struct {
	At     int      `json:"at"`
	Remove int      `json:"remove"`
	Insert []string `json:"insert"`
	NoEnd  bool     `json:"noEnd,omitempty"` // the file ends without a newline
}

func configChange() change {
	return change{
		says:     "sets or drops directives of the store's configuration file, where every other line and comment stays, or takes the whole file as it was last applied",
		validate: func(args json.RawMessage) error { return validateConfig(args) },
		resolve:  asIs,
		about:    theConfig,
		edit: func(_ context.Context, _ *Cluster, target evidence.Target, object any, args json.RawMessage) (edited, error) {
			return editConfig(target, object, args)
		},
	}
}

func validateConfig(args json.RawMessage) error {
	var a configArgs
	if err := decodeArgs(args, &a); err != nil {
		return err
	}
	switch edits := len(a.Set) + len(a.Drop) + len(a.Name) + len(a.Only) + len(a.Lines); {
	case edits == 0 && !a.Applied:
		return errors.New("it changes nothing: give set, drop, name, only or applied")
	case edits > 0 && a.Applied:
		return errors.New("applied takes the whole file: give nothing beside it")
	}
	for _, line := range a.Name {
		if line.Directive == "" || line.As == "" || redisconf.Secret(line.As) {
			return errors.New("name: give the directive, and as, which is no secret's")
		}
	}
	for name, value := range a.Set {
		if redisconf.Secret(name) {
			return fmt.Errorf("%s holds a secret and is not set from a runbook", name)
		}
		if !placeholder(value) {
			if err := redisconf.Check(name, value); err != nil {
				return err
			}
		}
	}
	for _, line := range a.Drop {
		if line.Directive == "" {
			return errors.New("drop: name the directive")
		}
	}
	return nil
}

// editConfig edits the file in the ConfigMap.
func editConfig(target evidence.Target, object any, args json.RawMessage) (edited, error) {
	configMap, ok := object.(*corev1.ConfigMap)
	if !ok {
		return edited{}, errors.New("edit-redis-config is about a ConfigMap")
	}
	if configMap.Immutable != nil && *configMap.Immutable {
		return edited{}, refuse("ConfigMap %s is immutable: make a new one and let the workload mount that.", configMap.Name)
	}
	var a configArgs
	if err := decodeArgs(args, &a); err != nil {
		return edited{}, err
	}
	before, ok := configMap.Data[target.ConfigKey]
	if !ok {
		return edited{}, refuse("ConfigMap %s has no key %s.", configMap.Name, target.ConfigKey)
	}
	after, titles, err := a.edited(configMap, before, target.ConfigKey)
	if err != nil {
		return edited{}, err
	}
	configMap.Data[target.ConfigKey] = after
	e := edited{title: fmt.Sprintf("%s in %s", strings.Join(titles, ", "), configMap.Name),
		kubectl: fmt.Sprintf("kubectl edit configmap/%s -n %s", configMap.Name, target.Namespace)}
	patches := inverse(before, after)
	if slices.ContainsFunc(patches, holdsSecret) {
		e.noUndo = "a line that it changes holds a password, and that is kept nowhere"
		return e, nil
	}
	e.undo = []runbook.Change{newChange(changeConfig, configArgs{Lines: patches})}
	return e, nil
}

// edited is the file after the change, and what was done to it.
func (a configArgs) edited(configMap *corev1.ConfigMap, before, key string) (after string, titles []string, err error) {
	if a.Applied {
		after, err = appliedFile(configMap, key)
		return after, []string{"take the version of " + key + " that kubectl apply last wrote"}, err
	}
	file := redisconf.Parse(before)
	titles, err = a.apply(file)
	return file.String(), titles, err
}

// apply edits the file and says what it did.
func (a configArgs) apply(file *redisconf.File) ([]string, error) {
	var titles []string
	for _, patch := range a.Lines {
		if err := file.Splice(patch.At, patch.Remove, patch.Insert, !patch.NoEnd); err != nil {
			return nil, refuse("The lines to put back do not fit the file any more: %s.", err)
		}
		titles = append(titles, fmt.Sprintf("put back line %d", patch.At))
	}
	for _, line := range a.Drop {
		number, err := findLine(file, line)
		if err != nil {
			return nil, err
		}
		titles = append(titles, fmt.Sprintf("drop line %d (%s)", number, line.Directive))
		file.Drop(number)
	}
	for _, line := range a.Name {
		title, err := line.rename(file)
		if err != nil {
			return nil, err
		}
		titles = append(titles, title)
	}
	if len(a.Only) > 0 {
		if dropped := dropAllBut(file, a.Only); len(dropped) > 0 {
			titles = append(titles, fmt.Sprintf("drop %d lines (%s)", len(dropped), strings.Join(dropped, ", ")))
		}
	}
	names := make([]string, 0, len(a.Set))
	for name := range a.Set {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if err := redisconf.Check(name, a.Set[name]); err != nil {
			return nil, refuse("Redis would refuse it: %s.", err)
		}
		file.Set(name, strings.Fields(a.Set[name])...)
		titles = append(titles, fmt.Sprintf("set %s %s", name, a.Set[name]))
	}
	return titles, nil
}

// rename gives the line its other directive.
func (n configName) rename(file *redisconf.File) (string, error) {
	number, err := findLine(file, n.configLine)
	if err != nil {
		return "", err
	}
	for _, directive := range file.Directives() {
		if directive.Line != number {
			continue
		}
		if err := redisconf.Check(n.As, strings.Join(directive.Args, " ")); err != nil {
			return "", refuse("Redis would refuse it: %s.", err)
		}
		if err := file.Splice(number, 1, []string{redisconf.Format(n.As, directive.Args...)}, true); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("correct line %d (%s is %s)", number, n.Directive, n.As), nil
}

// dropAllBut takes every directive out but those of that name and those that
// hold a secret, and names what it took out.
func dropAllBut(file *redisconf.File, only []string) []string {
	for unclosed := file.Unclosed(); len(unclosed) > 0; unclosed = file.Unclosed() { // Redis would refuse it
		file.Drop(unclosed[0].Line)
	}
	all := file.Directives()
	var dropped []string
	for i := len(all) - 1; i >= 0; i-- { // from the end, so that the numbers before hold
		name := all[i].Name
		if keepsLogins(name) || slices.Contains(only, name) {
			continue
		}
		file.Drop(all[i].Line)
		if !slices.Contains(dropped, name) {
			dropped = append(dropped, name)
		}
	}
	slices.Sort(dropped)
	return dropped
}

// findLine finds the line to drop; a number must hold the directive it names.
func findLine(file *redisconf.File, line configLine) (int, error) {
	var at []int
	for _, directive := range append(file.Directives(), file.Unclosed()...) {
		if strings.EqualFold(directive.Name, line.Directive) {
			at = append(at, directive.Line)
		}
	}
	if line.Line != "" {
		number, err := strconv.Atoi(string(line.Line))
		if err == nil && slices.Contains(at, number) {
			return number, nil
		}
		return 0, refuse("Line %s of the configuration is another one by now (it was: %s). Somebody has changed the file. Run the diagnosis again.", line.Line, line.Directive)
	}
	if len(at) != 1 {
		return 0, refuse("The configuration has %d lines with %s; name one by its number.", len(at), line.Directive)
	}
	return at[0], nil
}

// holdsSecret reports whether a line of a patch must not be kept.
func holdsSecret(patch configPatch) bool {
	return slices.ContainsFunc(patch.Insert, func(line string) bool { return redisconf.Redact(line) != line })
}
