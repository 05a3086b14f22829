// Package redact takes secrets out of text: those that are known, in every form
// in which they are commonly written, and whatever stands where a secret stands.
//
// It knows where Redis, its clients and Kubernetes write passwords. It reads
// nothing and keeps nothing but the secrets that it is given.
package redact

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Mark stands for everything that may not leave.
const Mark = "[redacted]"

// shortest is the length in runes from which a secret is replaced wherever it
// occurs. A shorter one would shred ordinary text; it is only kept out of the
// fields that hold it.
const shortest = 4

// Redactor takes secrets out of text: those it knows, in every form in which
// they are commonly written, and whatever stands where a secret stands. The
// zero value and nil know no secret and go by the place alone. It is safe for
// concurrent use.
type Redactor struct {
	known *strings.Replacer
}

// New returns a Redactor that knows these secrets. Values shorter than
// four runes are left to their place.
func New(known ...string) *Redactor {
	var forms []string
	for _, secret := range known {
		forms = append(forms, formsOf(secret)...)
	}
	// The longest first: a secret that contains another one goes as a whole.
	slices.SortFunc(forms, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	forms = slices.Compact(forms)
	if len(forms) == 0 {
		return &Redactor{}
	}
	pairs := make([]string, 0, 2*len(forms))
	for _, form := range forms {
		pairs = append(pairs, form, Mark)
	}
	return &Redactor{known: strings.NewReplacer(pairs...)}
}

// Text returns s without secrets.
func (r *Redactor) Text(s string) string {
	if s == "" {
		return s
	}
	s = r.replaceKnown(s)
	lower := strings.ToLower(s)
	if strings.Contains(lower, "user") {
		s = aclLine.ReplaceAllStringFunc(s, func(line string) string {
			return aclPassword.ReplaceAllString(line, "${1}"+Mark)
		})
	}
	for _, rule := range rules {
		if slices.ContainsFunc(rule.hints, func(hint string) bool { return strings.Contains(lower, hint) }) {
			s = rule.apply(s)
		}
	}
	return r.replaceKnown(s)
}

// replaceKnown repeats, since the mark and its neighbours may spell another
// secret; the bound ends what would go on for ever.
func (r *Redactor) replaceKnown(s string) string {
	if r == nil || r.known == nil {
		return s
	}
	for range 4 {
		next := r.known.Replace(s)
		if next == s {
			break
		}
		s = next
	}
	return s
}

// formsOf lists how a secret may be written: as it is, without its trailing
// newline, encoded, escaped, hashed as an ACL does, and its long lines one by one.
func formsOf(secret string) []string {
	var forms []string
	add := func(form string) {
		if utf8.RuneCountInString(form) >= shortest && !strings.Contains(Mark, form) {
			forms = append(forms, form)
		}
	}
	trimmed := strings.TrimSpace(secret)
	if utf8.RuneCountInString(trimmed) < shortest {
		return nil
	}
	for _, value := range []string{secret, trimmed} {
		add(value)
		add(base64.StdEncoding.EncodeToString([]byte(value)))
		add(base64.RawStdEncoding.EncodeToString([]byte(value)))
		add(base64.URLEncoding.EncodeToString([]byte(value)))
		add(base64.RawURLEncoding.EncodeToString([]byte(value)))
		add(url.QueryEscape(value))
		add(url.PathEscape(value))
		add(strings.Trim(strconv.Quote(value), `"`))
		add(strings.Trim(strconv.QuoteToASCII(value), `"`))
		if data, err := json.Marshal(value); err == nil {
			add(strings.Trim(string(data), `"`))
		}
		sum := sha256.Sum256([]byte(value))
		add(hex.EncodeToString(sum[:]))
	}
	for line := range strings.Lines(secret) {
		line = strings.TrimSpace(line)
		if line != trimmed && len(line) >= 20 && !strings.ContainsAny(line, " \t") {
			add(line)
		}
	}
	return forms
}

// rule redacts what stands at the place of a secret: the pattern's second
// group. keep matches what is no secret though it stands there.
type rule struct {
	hints   []string // lower case; without one of them the pattern cannot match, and a large log is not searched for it
	pattern *regexp.Regexp
	keep    *regexp.Regexp
}

// quoted is a string in quotes; value is one, or a word up to what ends one in
// a query or in JSON; argument is one, or a word of a command line.
const (
	quoted   = `\\"[^"\\\n]+\\"|"(?:[^"\\\n]|\\.)+"|'[^'\n]+'`
	value    = `(` + quoted + `|["']?(?:[^\s"',;&\\]|\\[^"\n])+)`
	argument = `(` + quoted + `|["']?(?:[^\s"'\\]|\\[^"\n])+)`
)

// IsVariable reports whether a word is a reference that the shell or the
// kubelet fills in, and so no secret.
func IsVariable(word string) bool { return variable.MatchString(word) }

var variable = regexp.MustCompile(`^["']?\$(\([A-Za-z_][A-Za-z0-9_]*\)|\{?[A-Z_][A-Z0-9_]*\}?)["']?$`)

// Redis' own sentences speak of AUTH without giving a password.
var aboutAuth = regexp.MustCompile(`(?i)^(to|<password>|<username>|called|command|failed|error|is|was|required|with|without|for|from|and|or|the|against|string|method|has)$|^["']?\$`)

// directives are the settings of redis.conf that hold a password.
var directives = []string{"requirepass", "masterauth", "primaryauth", "key-file-pass", "auth-pass"}

var rules = []rule{
	// A line of redis.conf, or the line that the server quotes when it refuses one.
	{directives, regexp.MustCompile(`(?im)(^[ \t]*(?:>>>[ \t]*')?(?:requirepass|masterauth|primaryauth|tls-key-file-pass|tls-client-key-file-pass)[ \t]+)([^\n]+?)('?[ \t]*\r?$)`), variable},
	{directives, regexp.MustCompile(`(?i)\b((?:requirepass|masterauth|primaryauth|tls-key-file-pass|tls-client-key-file-pass|auth-pass[ \t]+\S+)\\?["']?[\s=:,]+)` + argument), variable},
	{[]string{"-a", "-pass"}, regexp.MustCompile(`((?:^|[\s"',\[(=])(?:-a|--?pass(?:word|wd)?)\\?["']?[\s=,]+)` + argument), variable},
	{[]string{"auth"}, regexp.MustCompile(`(\bAUTH\\?"?[ \t]+(?:\\?"?default\\?"?[ \t]+)?)` + argument), aboutAuth},
	{[]string{"://"}, regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)([^\s"'<>]*)(@)`), nil},
	{[]string{"authorization"}, regexp.MustCompile(`(?i)(\bauthorization\\?["']?[ \t]*[:=][ \t]*\\?["']?)([^\n"'\\]+)`), nil},
	{[]string{"bearer"}, regexp.MustCompile(`(?i)(\bbearer[ \t]+)([A-Za-z0-9._~+/=-]{8,})`), nil},
	{[]string{"pass", "pwd", "secret", "token", "key", "credential"}, regexp.MustCompile(`(?i)((?:password|passwd|passphrase|passwort|\bpwd|\bpass|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credentials?)\\?["']?[ \t]*(?:=|:)[ \t]*)` + value), variable},
}

// An ACL rule carries passwords as >clear, <clear, #hash and !hash.
var (
	aclLine     = regexp.MustCompile(`(?i)\b(?:set)?user[ \t]+\S+[^\n]*`)
	aclPassword = regexp.MustCompile(`([ \t"'][><#!])[^\s"']+`)
)

func (r rule) apply(s string) string {
	at := r.pattern.FindAllStringSubmatchIndex(s, -1)
	if at == nil {
		return s
	}
	var out strings.Builder
	from := 0
	for _, m := range at {
		// Group 2 is the secret; what is before and after it stays, and its quotes.
		begin, end := withoutQuotes(s, m[4], m[5])
		if secret := s[begin:end]; secret == Mark || r.keep != nil && r.keep.MatchString(secret) {
			continue
		}
		out.WriteString(s[from:begin])
		out.WriteString(Mark)
		from = end
	}
	out.WriteString(s[from:])
	return out.String()
}

func withoutQuotes(s string, begin, end int) (int, int) {
	for _, quote := range []string{`\"`, `"`, `'`} {
		if strings.HasPrefix(s[begin:end], quote) && end-begin > len(quote) {
			begin += len(quote)
			if strings.HasSuffix(s[begin:end], quote) && end-begin > len(quote) {
				end -= len(quote)
			}
			break
		}
	}
	return begin, end
}
