package k8s

import (
	"strconv"
	"strings"
	"time"
)

// workOutput is what a script has told: its facts in their order.
type workOutput struct {
	facts []workFact
	tail  string // the last line that is no fact
}

type workFact struct {
	name   string
	values []string
}

// readWork reads the lines that begin with @; every other is for people.
func readWork(log string) workOutput {
	var output workOutput
	for line := range strings.Lines(log) {
		line = strings.TrimRight(line, "\r\n")
		fact, ok := strings.CutPrefix(line, "@")
		if !ok {
			if strings.TrimSpace(line) != "" {
				output.tail = strings.TrimSpace(line)
			}
			continue
		}
		words := strings.Split(fact, "\t")
		output.facts = append(output.facts, workFact{words[0], words[1:]})
	}
	return output
}

// last is the first value of the newest fact of a name.
func (o workOutput) last(name string) string {
	for i := len(o.facts) - 1; i >= 0; i-- {
		if o.facts[i].name == name {
			return o.facts[i].text(0)
		}
	}
	return ""
}

// all are the first values of every fact of a name.
func (o workOutput) all(name string) []string {
	var texts []string
	for _, fact := range o.facts {
		if fact.name == name {
			texts = append(texts, fact.text(0))
		}
	}
	return texts
}

func (f workFact) text(i int) string {
	if i >= len(f.values) {
		return ""
	}
	return f.values[i]
}

// number is -1 for what is no number.
func (f workFact) number(i int) int64 {
	n, err := strconv.ParseInt(f.text(i), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

func (f workFact) time(i int) time.Time {
	if n := f.number(i); n > 0 {
		return time.Unix(n, 0).UTC()
	}
	return time.Time{}
}
