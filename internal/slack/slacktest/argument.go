package slacktest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxBody bounds what the API reads of one request; Slack's own bound is not told.
const maxBody = 4 << 20

// arguments are a call's arguments by name. From a form they are strings; from JSON, any JSON value.
type arguments map[string]any

// text is a string argument; absent and null are empty.
func (a arguments) text(name string) string {
	s, _ := a[name].(string)
	return s
}

// yes is a boolean argument.
func (a arguments) yes(name string) bool {
	switch v := a[name].(type) {
	case bool:
		return v
	case string:
		b, _ := strconv.ParseBool(v)
		return b
	}
	return false
}

// number is a numeric argument, or what it is when absent.
func (a arguments) number(name string, absent int) int {
	switch v := a[name].(type) {
	case float64:
		return int(v)
	case string:
		if n, err := strconv.Atoi(v); err == nil {
			return n
		}
	}
	return absent
}

// has says whether an argument is there and not null.
func (a arguments) has(name string) bool {
	v, ok := a[name]
	return ok && v != nil && v != ""
}

// decoded is an argument that is JSON: as such in a JSON body, as a string elsewhere. ok is false when it does not parse.
func (a arguments) decoded(name string) (value any, ok bool) {
	v := a[name]
	s, isText := v.(string)
	if !isText {
		return v, true
	}
	if strings.TrimSpace(s) == "" {
		return nil, true
	}
	if json.Unmarshal([]byte(s), &value) != nil {
		return nil, false
	}
	return value, true
}

// call is one Web API request, read.
type call struct {
	args   arguments
	header string // the token in the Authorization header
	form   string // the token among the form's arguments
	query  string // the token in the URL, where Slack's new apps may not put it
}

// token is the token that counts: the header's before the form's.
func (c call) token() string {
	if c.header != "" {
		return c.header
	}
	return c.form
}

// readCall reads arguments from the URL, and from a form or JSON body.
func readCall(r *http.Request, m method) (call, *refusal) {
	c := call{args: arguments{}}
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "bearer") {
		c.header = strings.TrimSpace(token)
	}
	for name, values := range r.URL.Query() {
		c.args[name] = values[0]
	}
	c.query = c.args.text("token")
	delete(c.args, "token")
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Header.Get("Content-Type") == "" || r.Method == http.MethodGet {
		return c, nil
	}
	if err != nil {
		return c, refuse("invalid_post_type")
	}
	if set := params["charset"]; set != "" && !strings.EqualFold(set, "utf-8") && !strings.EqualFold(set, "utf8") {
		return c, refuse("invalid_charset")
	}
	r.Body = http.MaxBytesReader(nil, r.Body, maxBody)
	switch kind {
	case "application/json":
		return c, c.readJSON(r.Body, m)
	case "application/x-www-form-urlencoded":
		err = r.ParseForm()
	case "multipart/form-data":
		err = r.ParseMultipartForm(maxBody)
	default:
		return c, refuse("invalid_post_type")
	}
	if err != nil {
		return c, refuse("invalid_form_data")
	}
	for name, values := range r.PostForm {
		c.args[name] = values[0]
	}
	c.form = c.args.text("token")
	delete(c.args, "token")
	return c, nil
}

// readJSON takes a JSON body. A method that takes none sees no arguments, as at Slack.
func (c call) readJSON(body io.Reader, m method) *refusal {
	raw, err := io.ReadAll(body)
	if err != nil {
		return refuse("request_timeout")
	}
	if len(strings.TrimSpace(string(raw))) == 0 {
		return nil
	}
	var values any
	if err := json.Unmarshal(raw, &values); err != nil {
		return refuse("invalid_json")
	}
	args, ok := values.(object)
	if !ok {
		return refuse("json_not_object")
	}
	if m.TakesJSON {
		maps.Copy(c.args, args)
		delete(c.args, "token") // in a JSON body a token counts for nothing
	}
	return nil
}

// check holds arguments against the API reference.
func (m method) check(args arguments) *refusal {
	var wrong []string
	for _, name := range m.Args.Required {
		if name != "token" && !args.has(name) {
			wrong = append(wrong, "[ERROR] missing required field: "+name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(args)) {
		p, known := m.Args.Properties[name]
		if !known || !args.has(name) {
			continue
		}
		if why := p.wrong(args[name]); why != "" {
			wrong = append(wrong, fmt.Sprintf("[ERROR] %s [json-pointer:/%s]", why, name))
		}
	}
	if len(wrong) > 0 {
		return refuseWith("invalid_arguments", wrong)
	}
	return nil
}

var timestampShape = regexp.MustCompile(`^\d+(\.\d+)?$`)

// wrong says what is wrong with a value, or nothing.
func (p property) wrong(v any) string {
	if len(p.AnyOf) > 0 {
		for _, q := range p.AnyOf {
			if q.wrong(v) == "" {
				return ""
			}
		}
		return "failed to match all allowed schemas"
	}
	s, isText := v.(string)
	switch p.Type {
	case "string":
		// Blocks and the like may be JSON in a JSON body, where the reference says string.
		_, isList := v.([]any)
		_, isObject := v.(object)
		if !isText && !isList && !isObject {
			return "must provide a string"
		}
	case "boolean":
		if _, ok := v.(bool); !ok && !slices.Contains([]string{"true", "false", "1", "0"}, s) {
			return "must be a boolean"
		}
	case "number", "integer":
		if why := p.wrongNumber(v); why != "" {
			return why
		}
	case "null":
		if v != nil {
			return "must be null"
		}
	}
	switch {
	case isText && p.Subtype == "timestamp" && !timestampShape.MatchString(s):
		return "must be a timestamp"
	case isText && len(p.Enum) > 0 && !slices.Contains(p.Enum, s):
		return "must be one of: " + strings.Join(p.Enum, ", ")
	case isText && p.MaxLength > 0 && utf8.RuneCountInString(s) > p.MaxLength:
		return fmt.Sprintf("must be less than %d characters", p.MaxLength+1)
	}
	return ""
}

func (p property) wrongNumber(v any) string {
	n, ok := v.(float64)
	if s, isText := v.(string); isText {
		parsed, err := strconv.ParseFloat(s, 64)
		n, ok = parsed, err == nil
	}
	switch {
	case !ok || (p.Type == "integer" && n != float64(int64(n))):
		return "must be a valid number"
	case p.Minimum != nil && n < *p.Minimum:
		return fmt.Sprintf("must be at least %v", *p.Minimum)
	case p.Maximum != nil && n > *p.Maximum:
		return fmt.Sprintf("must be at most %v", *p.Maximum)
	}
	return ""
}
