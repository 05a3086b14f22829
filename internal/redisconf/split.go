package redisconf

import (
	"errors"
	"strconv"
	"strings"
)

var errQuotes = errors.New("unbalanced quotes")

// splitArgs splits a line as Redis does (sdssplitargs): words between blanks,
// "double quotes" with escapes, 'single quotes' with only \' in them, and a
// blank or the end after a closing quote.
func splitArgs(line string) ([]string, error) {
	var words []string
	for {
		line = strings.TrimLeft(line, blanks)
		if line == "" {
			return words, nil
		}
		word, rest, err := firstWord(line)
		if err != nil {
			return nil, err
		}
		words, line = append(words, word), rest
	}
}

func firstWord(line string) (word, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case isBlank(c):
			return b.String(), line[i:], nil
		case c == '"' || c == '\'':
			quoted, used, err := quotedWord(line[i:], c)
			if err != nil {
				return "", "", err
			}
			b.WriteString(quoted)
			i += used
			if i < len(line) && !isBlank(line[i]) {
				return "", "", errQuotes
			}
			return b.String(), line[i:], nil
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), "", nil
}

// quotedWord reads from the opening quote; used counts both quotes.
func quotedWord(text string, quote byte) (word string, used int, err error) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		c := text[i]
		switch {
		case c == quote:
			return b.String(), i + 1, nil
		case c == '\\' && i+1 < len(text) && quote == '\'' && text[i+1] == '\'':
			b.WriteByte('\'')
			i++
		case c == '\\' && i+3 < len(text) && quote == '"' && text[i+1] == 'x' && isHex(text[i+2:i+4]):
			value, _ := strconv.ParseUint(text[i+2:i+4], 16, 8)
			b.WriteByte(byte(value))
			i += 3
		case c == '\\' && i+1 < len(text) && quote == '"':
			b.WriteByte(unescaped(text[i+1]))
			i++
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, errQuotes
}

func isHex(digits string) bool {
	_, err := strconv.ParseUint(digits, 16, 8)
	return err == nil && digits[0] != '+'
}

func unescaped(c byte) byte {
	if i := strings.IndexByte("nrtba", c); i >= 0 {
		return "\n\r\t\b\a"[i]
	}
	return c
}

// blanks part words. NUL does too, as it ends a string of C.
const blanks = " \t\n\r\v\f\x00"

func isBlank(c byte) bool { return strings.IndexByte(blanks, c) >= 0 }
