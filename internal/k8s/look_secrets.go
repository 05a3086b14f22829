package k8s

import (
	"context"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/internal/evidence"
	"redis-session-bot/internal/redact"
	"redis-session-bot/internal/redisconf"
)

// maxSecrets bounds how many Secrets beside the target's are read for what
// the containers' environment takes from them.
const maxSecrets = 3

// secrets never leaves this package, in no form.
type secrets struct {
	known    []string // everything that must not be shown
	password string   // what a client of the store would send; "" when none is known
	why      error    // why the password is not known although one is configured

	shown    *corev1.Secret // what may be shown of the target's Secret; nil where it is not there
	shownErr error          // why that is not known
}

// redactor returns what takes the target's secrets out of text. What cannot
// be read is redacted by its place alone.
func (c *Cluster) redactor(ctx context.Context, target evidence.Target) *objectRedactor {
	return c.look(target).redact(ctx)
}

// redact waits for the secrets even when ctx is over: nothing leaves before.
// Each request behind it is bounded.
func (l *look) redact(ctx context.Context) *objectRedactor {
	redactor, _ := l.redactor.get(context.WithoutCancel(ctx), func(ctx context.Context) (*objectRedactor, error) {
		found, _ := l.readSecrets(ctx)
		return &objectRedactor{redact.New(found.known...)}, nil
	})
	return redactor
}

func (l *look) readSecrets(ctx context.Context) (secrets, error) {
	return l.secrets.get(ctx, func(ctx context.Context) (secrets, error) {
		var found secrets
		w, _ := l.readWorkload(ctx)
		specs := l.podSpecs(ctx, w)
		refs := passwordRefs(l.target, specs)
		values := map[string]map[string][]byte{}
		for _, name := range l.secretNames(refs) {
			secret, err := l.secret(ctx, name)
			if name == l.target.Secret {
				found.shown, found.shownErr = shownOf(secret), err
			}
			if err != nil {
				if found.why == nil {
					found.why = err
				}
				continue
			}
			if secret != nil {
				values[name] = secret.Data
			}
		}
		for i, ref := range refs {
			value := string(values[ref.secret][ref.key])
			if i == 0 {
				found.password = value
			}
			found.known = append(found.known, value)
		}
		for name, secret := range values {
			for key, value := range secret {
				if name == l.target.Secret && key == l.target.SecretKey || !l.ordinary(string(value)) || secretName.MatchString(key) {
					found.known = append(found.known, string(value))
				}
				found.known = append(found.known, confSecrets(string(value))...)
			}
		}
		for _, spec := range specs {
			found.known = append(found.known, l.specSecrets(spec)...)
		}
		if configMap, err := l.readConfigMap(ctx); err == nil && configMap != nil {
			conf := confSecrets(configMap.Data[l.configKey()])
			found.known = append(found.known, conf...)
			if len(refs) == 0 && len(conf) > 0 {
				found.password = requirepass(configMap.Data[l.configKey()])
			}
		}
		if found.password != "" {
			found.why = nil
		}
		return found, nil
	})
}

// podSpecs are those of the template and of the pods: a pod of an older
// revision may carry an older secret.
func (l *look) podSpecs(ctx context.Context, w workloads) []*corev1.PodSpec {
	var specs []*corev1.PodSpec
	if template := w.template(); template != nil {
		specs = append(specs, &template.Spec)
	}
	if pods, err := l.readPods(ctx); err == nil {
		for i := range pods.Items {
			specs = append(specs, &pods.Items[i].Spec)
		}
	}
	return specs
}

// secretRef is one key of one Secret.
type secretRef struct{ secret, key string }

// passwordRefs lists where the store's password stands, the likeliest first:
// what the target says, then what the containers' environment takes from Secrets.
func passwordRefs(target evidence.Target, specs []*corev1.PodSpec) []secretRef {
	var refs []secretRef
	if target.Secret != "" && target.SecretKey != "" {
		refs = append(refs, secretRef{target.Secret, target.SecretKey})
	}
	var others []secretRef
	for _, spec := range specs {
		for _, container := range slices.Concat(spec.Containers, spec.InitContainers) {
			for _, variable := range container.Env {
				if variable.ValueFrom == nil || variable.ValueFrom.SecretKeyRef == nil {
					continue
				}
				ref := secretRef{variable.ValueFrom.SecretKeyRef.Name, variable.ValueFrom.SecretKeyRef.Key}
				switch {
				case slices.Contains(refs, ref) || slices.Contains(others, ref):
				case strings.Contains(strings.Join(slices.Concat(container.Command, container.Args), " "), "$("+variable.Name+")"):
					others = slices.Insert(others, 0, ref)
				case secretName.MatchString(variable.Name):
					others = append(others, ref)
				}
			}
		}
	}
	return append(refs, others...)
}

func (l *look) secretNames(refs []secretRef) []string {
	var names []string
	if l.target.Secret != "" {
		names = append(names, l.target.Secret)
	}
	for _, ref := range refs {
		if !slices.Contains(names, ref.secret) && len(names) <= maxSecrets {
			names = append(names, ref.secret)
		}
	}
	return names
}

// secret returns nil without an error for a Secret that is not there.
func (l *look) secret(ctx context.Context, name string) (*corev1.Secret, error) {
	ctx, cancel := l.limited(ctx)
	defer cancel()
	secret, err := l.cluster.Clients.CoreV1().Secrets(l.target.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return secret, nil
}

// specSecrets are the literal values of the environment, and what stands
// after a flag such as --requirepass.
func (l *look) specSecrets(spec *corev1.PodSpec) []string {
	var found []string
	for _, container := range slices.Concat(spec.InitContainers, spec.Containers) {
		for _, variable := range container.Env {
			if variable.Value != "" && (secretName.MatchString(variable.Name) || !l.ordinary(variable.Value)) {
				found = append(found, variable.Value)
			}
		}
		words := slices.Concat(container.Command, container.Args)
		for i, word := range words {
			if i > 0 && isSecretFlag(words[i-1]) && !redact.IsVariable(word) {
				found = append(found, word)
			}
		}
	}
	return found
}

// confSecrets are the arguments of a configuration's secret directives.
func confSecrets(text string) []string {
	var found []string
	file := redisconf.Parse(text)
	for _, directive := range append(file.Directives(), file.Unclosed()...) {
		if directive.Name == "user" {
			for _, word := range directive.Args {
				if len(word) > 1 && strings.ContainsAny(word[:1], "><#!") {
					found = append(found, word[1:])
				}
			}
			continue
		}
		if redisconf.Secret(directive.Name) {
			found = append(found, directive.Args...)
			found = append(found, strings.Join(directive.Args, " "))
		}
	}
	return found
}

// requirepass is the password that a configuration sets; the last one holds.
func requirepass(text string) string {
	password := ""
	for _, directive := range redisconf.Parse(text).Directives() {
		if directive.Name == "requirepass" && len(directive.Args) == 1 {
			password = directive.Args[0]
		}
	}
	return password
}

var (
	// secretName matches the names that people give to secrets.
	secretName = regexp.MustCompile(`(?i)pass|pwd|secret|token|auth|credential|private|api_?key|access_?key`)
	// plainValue matches values that are settings, not secrets: numbers with
	// or without a unit, times, paths, and words in one case.
	plainValue = regexp.MustCompile(`^(-?[0-9.]{1,12}[A-Za-z]{0,3}|/[A-Za-z0-9_./-]*|[a-z]{1,12}|[A-Z]{1,12})$`)
)

// ordinary reports whether a literal value is a setting that would shred the
// text around it if it were taken for a secret: a number, a path, a plain
// word, or an address made of the target's own names.
func (l *look) ordinary(text string) bool {
	text = strings.TrimSpace(text)
	if plainValue.MatchString(text) {
		return true
	}
	rest := text
	for _, name := range l.names() {
		rest = strings.ReplaceAll(rest, name, "")
	}
	return rest != text && address.MatchString(rest)
}

// address matches what an address keeps when the names are taken out of it.
var address = regexp.MustCompile(`^((rediss?|https?)://)?([.:/-]|svc|cluster|local|[0-9]{1,5})*$`)

// names are the target's own, the longest first.
func (l *look) names() []string {
	t := l.target
	names := []string{t.Namespace, t.Workload, t.Service, t.App, t.Container, t.Config, t.ConfigKey, t.Secret, t.SecretKey, t.AppConfig, t.Backup}
	names = slices.DeleteFunc(names, func(name string) bool { return name == "" })
	slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(names)
}
