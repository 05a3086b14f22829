// Package redisconf reads and edits redis.conf without losing a byte that it
// was not asked to change.
//
// It knows the file's syntax, which directives hold a secret, and what the
// server itself says of a line that it refuses. It reads no file and asks no
// server.
package redisconf

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// File is a configuration file, line by line.
type File struct {
	lines []string // without their line ends
	ended bool     // the last line ends in a newline
}

// Directive is one setting of a file.
type Directive struct {
	Name string   // lower case
	Args []string // unquoted
	Line int      // from 1
}

// Parse reads a file. Every text is a file: what cannot be understood is kept
// as it is and is no directive.
func Parse(text string) *File {
	if text == "" {
		return &File{}
	}
	rest, ended := strings.CutSuffix(text, "\n")
	return &File{lines: strings.Split(rest, "\n"), ended: ended}
}

// String is the file as it was read, but for the edits.
func (f *File) String() string {
	text := strings.Join(f.lines, "\n")
	if f.ended {
		text += "\n"
	}
	return text
}

// Lines is the number of lines.
func (f *File) Lines() int { return len(f.lines) }

// Line returns the line of that number, from 1; "" where there is none.
func (f *File) Line(n int) string {
	if n < 1 || n > len(f.lines) {
		return ""
	}
	return f.lines[n-1]
}

// Directives lists the settings in the order of the file. Of two with one
// name Redis takes the last, but for those that add up (see Additive).
func (f *File) Directives() []Directive {
	var all []Directive
	for i, line := range f.lines {
		if directive, ok := parseLine(line); ok {
			directive.Line = i + 1
			all = append(all, directive)
		}
	}
	return all
}

// Unclosed lists the lines whose quotes do not close, which Redis refuses, as far
// as they can be read: the words between blanks, without their quotes.
func (f *File) Unclosed() []Directive {
	var all []Directive
	for i, line := range f.lines {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		if _, err := splitArgs(line); err == nil {
			continue
		}
		words := strings.Fields(line)
		for n, word := range words {
			words[n] = strings.Trim(word, `"'`)
		}
		all = append(all, Directive{Name: strings.ToLower(words[0]), Args: words[1:], Line: i + 1})
	}
	return all
}

func parseLine(line string) (Directive, bool) {
	line = strings.TrimSpace(line)
	if line == "" || strings.HasPrefix(line, "#") {
		return Directive{}, false
	}
	words, err := splitArgs(line)
	if err != nil || len(words) == 0 {
		return Directive{}, false
	}
	return Directive{Name: strings.ToLower(words[0]), Args: words[1:]}, true
}

// Set gives a directive its arguments: in place of its last occurrence, or in
// a new last line. The indentation of the line is kept.
func (f *File) Set(name string, args ...string) {
	line := Format(name, args...)
	for i := len(f.lines) - 1; i >= 0; i-- {
		if directive, ok := parseLine(f.lines[i]); ok && directive.Name == strings.ToLower(name) {
			indent := f.lines[i][:len(f.lines[i])-len(strings.TrimLeft(f.lines[i], " \t"))]
			f.lines[i] = indent + line
			return
		}
	}
	f.lines = append(f.lines, line)
	f.ended = true
}

// Drop takes the line of that number out; false where there is none.
func (f *File) Drop(line int) bool {
	if line < 1 || line > len(f.lines) {
		return false
	}
	f.lines = append(f.lines[:line-1:line-1], f.lines[line:]...)
	if len(f.lines) == 0 {
		f.ended = false
	}
	return true
}

// Format writes a directive as one line, its arguments quoted where they must be.
func Format(name string, args ...string) string {
	words := []string{quote(name)}
	for _, arg := range args {
		words = append(words, quote(arg))
	}
	return strings.Join(words, " ")
}

// quote writes an argument as Redis reads it back (sdscatrepr): in quotes
// where it holds more than printable letters and plain signs.
func quote(arg string) string {
	plain := arg != ""
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(arg) {
		c := arg[i]
		plain = plain && c > ' ' && c != 0x7f && !strings.ContainsRune("\"'\\#", rune(c))
		switch at := strings.IndexByte("\n\r\t\b\a", c); {
		case c == '"' || c == '\\':
			b.WriteString("\\" + string(c))
		case at >= 0:
			b.WriteString("\\" + "nrtba"[at:at+1])
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, "\\x%02x", c)
		default:
			b.WriteByte(c)
		}
	}
	if plain {
		return arg
	}
	return b.String() + "\""
}

// Memory reads an amount of memory as Redis does: 1k is 1000 bytes, 1kb 1024,
// and so on to gb; letters of any case. Kubernetes' Mi and Gi are refused, as
// Redis refuses them.
func Memory(value string) (int64, error) {
	units := []struct {
		suffix string
		size   int64
	}{{"gb", 1 << 30}, {"mb", 1 << 20}, {"kb", 1 << 10}, {"g", 1e9}, {"m", 1e6}, {"k", 1e3}, {"b", 1}, {"", 1}}
	lower := strings.ToLower(value)
	for _, unit := range units {
		digits, ok := strings.CutSuffix(lower, unit.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 63)
		if err != nil || n > uint64(1<<63-1)/uint64(unit.size) {
			return 0, fmt.Errorf("%q is not an amount of memory: write it like 512mb or 1gb", value)
		}
		return int64(n) * unit.size, nil
	}
	return 0, fmt.Errorf("%q is not an amount of memory", value)
}

// Splice takes remove lines out from line at on (from 1) and puts insert
// there; ended says whether the last line ends in a newline afterwards.
func (f *File) Splice(at, remove int, insert []string, ended bool) error {
	if at < 1 || remove < 0 || at-1+remove > len(f.lines) {
		return fmt.Errorf("there are no %d lines from line %d on", remove, at)
	}
	f.lines = slices.Replace(slices.Clone(f.lines), at-1, at-1+remove, insert...)
	f.ended = ended && len(f.lines) > 0 // no line has no end
	return nil
}
