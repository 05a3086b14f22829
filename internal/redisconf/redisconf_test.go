package redisconf_test

import (
	"slices"
	"strings"
	"testing"

	"redis-session-bot/internal/redisconf"
)

const sample = "# sessions\nmaxmemory 256mb\n\n  appendonly yes\nrename-command FLUSHALL \"\"\nmaxmemory 300mb\n"

func TestParseKeepsEveryByte(t *testing.T) {
	for _, text := range []string{"", "\n", "a b", "a b\n", sample, "a \"unbalanced\nb c\r\n", "\n\n"} {
		if got := redisconf.Parse(text).String(); got != text {
			t.Errorf("%q came back as %q", text, got)
		}
	}
}

func TestDirectives(t *testing.T) {
	all := redisconf.Parse(sample).Directives()
	if len(all) != 4 || all[2].Name != "rename-command" || !slices.Equal(all[2].Args, []string{"FLUSHALL", ""}) || all[3].Line != 6 {
		t.Errorf("%+v", all)
	}
}

func TestUnclosed(t *testing.T) {
	f := redisconf.Parse("a 1\n# b \"x\n  SAVE \"3600 1\nc \"d\"\nuser 'x\n\n")
	all := f.Unclosed()
	if len(all) != 2 || all[0].Name != "save" || all[0].Line != 3 || !slices.Equal(all[0].Args, []string{"3600", "1"}) || all[1].Name != "user" || all[1].Line != 5 {
		t.Errorf("%+v", all)
	}
	if all := f.Directives(); len(all) != 2 {
		t.Errorf("%+v", all)
	}
}

func TestSetReplacesTheLastOccurrenceInPlace(t *testing.T) {
	f := redisconf.Parse(sample)
	f.Set("maxmemory", "1024mb")
	f.Set("appendonly", "no")
	f.Set("timeout", "0")
	want := strings.NewReplacer("maxmemory 300mb", "maxmemory 1024mb", "appendonly yes", "appendonly no").Replace(sample) + "timeout 0\n"
	if got := f.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestDrop(t *testing.T) {
	f := redisconf.Parse("a 1\nb 2\nc 3")
	if !f.Drop(2) || f.String() != "a 1\nc 3" || f.Drop(3) || f.Drop(0) {
		t.Errorf("%q", f.String())
	}
}

func TestMemoryReadsAsRedisDoes(t *testing.T) {
	for value, want := range map[string]int64{"0": 0, "100": 100, "1k": 1000, "1kb": 1024, "512MB": 512 << 20, "2g": 2e9, "2gb": 2 << 30, "5b": 5} {
		if got, err := redisconf.Memory(value); err != nil || got != want {
			t.Errorf("%s: %d, %v; want %d", value, got, err, want)
		}
	}
	for _, value := range []string{"512Mi", "1.5gb", "", "mb", "-1", "99999999999gb"} {
		if got, err := redisconf.Memory(value); err == nil {
			t.Errorf("%q was read as %d", value, got)
		}
	}
}

func TestRefused(t *testing.T) {
	tests := map[string]struct {
		log, text, directive, reason string
		line                         int
	}{
		"Redis 7": {"1:C start\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\nReading the configuration file, at line 2\n>>> 'maxmemory-policy lru'\nargument(s) must be one of the following: noeviction\n",
			"maxmemory-policy lru", "maxmemory-policy", "argument(s) must be one of the following: noeviction", 2},
		"Redis 5": {"*** FATAL CONFIG FILE ERROR ***\nReading the configuration file, at line 14\n>>> 'maxmemori 1gb'\nBad directive or wrong number of arguments",
			"maxmemori 1gb", "maxmemori", "Bad directive or wrong number of arguments", 14},
		"Valkey": {"*** FATAL CONFIG FILE ERROR (Version 8.0.1) ***\nReading the configuration file, at line 3\n>>> '\"port\" \"x\"'\nargument couldn't be parsed into an integer\n",
			`"port" "x"`, "port", "argument couldn't be parsed into an integer", 3},
		"the last report counts": {"*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\nReading the configuration file, at line 1\n>>> 'a'\nx\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\nReading the configuration file, at line 9\n>>> 'b c'\ny",
			"b c", "b", "y", 9},
	}
	for name, test := range tests {
		line, text, directive, reason, ok := redisconf.Refused(test.log)
		if !ok || line != test.line || text != test.text || directive != test.directive || reason != test.reason {
			t.Errorf("%s: %d, %q, %q, %q, %t", name, line, text, directive, reason, ok)
		}
	}
	if _, _, _, _, ok := redisconf.Refused("Ready to accept connections"); ok {
		t.Error("a good log is refused")
	}
}

func TestRedactTakesSecretsFromLinesAndComments(t *testing.T) {
	text := "requirepass hunter2\n#masterauth hunter2\n\tuser app on >hunter2 ~*\nREQUIREPASS\thunter2\nmaxmemory 1gb\nrequirepass\n"
	got := redisconf.Redact(text)
	if strings.Contains(got, "hunter2") || strings.Count(got, redisconf.Redacted) != 4 || !strings.Contains(got, "maxmemory 1gb\nrequirepass\n") {
		t.Errorf("%q", got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(sample)
	f.Add("\x00\x02ppendonly yes\n")
	f.Add("user a >b\n'x\\'y' \"\\x41\\n\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		file := redisconf.Parse(text)
		if got := file.String(); got != text {
			t.Fatalf("%q came back as %q", text, got)
		}
		for _, directive := range file.Directives() {
			again := redisconf.Parse(redisconf.Format(directive.Name, directive.Args...)).Directives()
			if directive.Name != "" && len(again) == 1 && len(again[0].Args) != len(directive.Args) {
				t.Errorf("%q: %d arguments became %d", file.Line(directive.Line), len(directive.Args), len(again[0].Args))
			}
		}
		redisconf.Redact(text)
		redisconf.Refused(text)
	})
}
