package runbook

import (
	"reflect"
	"regexp"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// freshFunction declares fresh(lines, at, duration): those of the lines that
// carry a time of their own within the duration before at. A line without a
// time is left out, since nobody can say when it was written.
func freshFunction() cel.EnvOption {
	return cel.Function("fresh",
		cel.Overload("fresh_lines_at_duration", []*cel.Type{cel.ListType(cel.StringType), cel.TimestampType, cel.DurationType}, cel.ListType(cel.StringType),
			cel.FunctionBinding(freshLines)))
}

func freshLines(args ...ref.Val) ref.Val {
	native, err := args[0].ConvertToNative(reflect.TypeFor[[]string]())
	if err != nil {
		return types.NewErr("fresh: %v", err)
	}
	at, isTime := args[1].Value().(time.Time)
	window, isDuration := args[2].Value().(time.Duration)
	if !isTime || !isDuration {
		return types.NewErr("fresh: a list of lines, a time and a duration are needed")
	}
	fresh := []string{}
	for _, line := range native.([]string) {
		if written, ok := timeOf(line); ok && !written.Before(at.Add(-window)) {
			fresh = append(fresh, line)
		}
	}
	return types.DefaultTypeAdapter.NativeToValue(fresh)
}

// stamp finds the time that a line of a log begins with: RFC 3339, as
// kubectl logs --timestamps prints it, or day, month, year and time of day.
var stamp = regexp.MustCompile(`^(?:\S+ )?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*|\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d(?:\.\d+)?)`)

func timeOf(line string) (time.Time, bool) {
	match := stamp.FindStringSubmatch(line)
	if match == nil {
		return time.Time{}, false
	}
	for _, layout := range []string{time.RFC3339Nano, "2 Jan 2006 15:04:05"} {
		if written, err := time.Parse(layout, match[1]); err == nil {
			return written, true
		}
	}
	return time.Time{}, false
}
