package k8s

import (
	"encoding/json"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"redis-session-bot/internal/redisconf"
)

// appliedFile is the configuration file as kubectl apply last wrote it, which
// kubectl edit and kubectl patch leave beside what stands now. It is refused where
// it would not help, or would change who may log in.
func appliedFile(configMap *corev1.ConfigMap, key string) (string, error) {
	kept := configMap.Annotations[lastApplied]
	if kept == "" {
		return "", refuse("ConfigMap %s keeps no version that kubectl apply wrote: there is none to take.", configMap.Name)
	}
	var last corev1.ConfigMap
	if err := json.Unmarshal([]byte(kept), &last); err != nil {
		return "", refuse("The version of ConfigMap %s that kubectl apply keeps cannot be read: take the wrong line out instead.", configMap.Name)
	}
	applied, ok := last.Data[key]
	switch {
	case !ok:
		return "", refuse("The version of ConfigMap %s that kubectl apply keeps has no key %s: there is none to take.", configMap.Name, key)
	case applied == configMap.Data[key]:
		return "", refuse("What kubectl apply last wrote to %s is what stands there now: there is no other version to take.", configMap.Name)
	}
	file := redisconf.Parse(applied)
	if unclosed := file.Unclosed(); len(unclosed) > 0 {
		return "", refuse("Redis would refuse line %d of what kubectl apply last wrote to %s, too: its quotes do not close. Correct the line instead.", unclosed[0].Line, configMap.Name)
	}
	for _, directive := range file.Directives() {
		if meant := redisconf.Meant(directive.Name, directive.Args...); meant != "" {
			return "", refuse("Line %d of what kubectl apply last wrote to %s seems to be misspelt, too: %s, where %s is meant. Correct the line instead.",
				directive.Line, configMap.Name, directive.Name, meant)
		}
		if err := redisconf.Check(directive.Name, strings.Join(directive.Args, " ")); err != nil {
			return "", refuse("Redis would refuse line %d of what kubectl apply last wrote to %s: %s.", directive.Line, configMap.Name, err)
		}
	}
	if !slices.EqualFunc(logins(file), logins(redisconf.Parse(configMap.Data[key])), sameDirective) {
		return "", refuse("The lines about passwords (requirepass, masterauth, user, aclfile …) are others in what kubectl apply last wrote to %s: "+
			"it would change who may log in. Take the wrong line out instead.", configMap.Name)
	}
	return applied, nil
}

// logins are the directives that say who may log in, and by what.
func logins(file *redisconf.File) []redisconf.Directive {
	return slices.DeleteFunc(file.Directives(), func(d redisconf.Directive) bool { return !keepsLogins(d.Name) })
}

// keepsLogins reports whether a directive is about passwords.
func keepsLogins(name string) bool {
	return redisconf.Secret(name) || strings.EqualFold(name, "aclfile")
}

func sameDirective(a, b redisconf.Directive) bool {
	return strings.EqualFold(a.Name, b.Name) && slices.Equal(a.Args, b.Args)
}

// inverse are the patches that turn after into before, in the order in which
// they are made. A line that holds a secret and stands in both is in none.
func inverse(before, after string) []configPatch {
	was, is := redisconf.Parse(before), redisconf.Parse(after)
	kept, keeps := secretLines(was), secretLines(is)
	if !slices.EqualFunc(kept, keeps, func(a, b int) bool { return was.Line(a) == is.Line(b) }) {
		kept, keeps = nil, nil
	}
	ends := func(lines []int, file *redisconf.File) []int {
		return append(append([]int{0}, lines...), file.Lines()+1)
	}
	kept, keeps = ends(kept, was), ends(keeps, is)
	noEnd := before != "" && !strings.HasSuffix(before, "\n")
	var patches []configPatch
	for i := len(kept) - 1; i > 0; i-- { // from the end, so that the numbers before hold
		patch := stretch(was, kept[i-1], kept[i], is, keeps[i-1], keeps[i])
		if patch.NoEnd = noEnd; patch.Remove > 0 || len(patch.Insert) > 0 {
			patches = append(patches, patch)
		}
	}
	if len(patches) == 0 { // but perhaps for the end of the last line
		patches = []configPatch{{At: is.Lines() + 1, Insert: []string{}, NoEnd: noEnd}}
	}
	return patches
}

// secretLines are the numbers of the lines that must not be kept, comments too.
func secretLines(file *redisconf.File) (numbers []int) {
	for n := 1; n <= file.Lines(); n++ {
		if line := file.Line(n); redisconf.Redact(line) != line {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// stretch is the patch of what stands between two lines of each file: the lines
// between what both begin with and what both end with.
func stretch(was *redisconf.File, wasFrom, wasTo int, is *redisconf.File, isFrom, isTo int) configPatch {
	for wasFrom+1 < wasTo && isFrom+1 < isTo && was.Line(wasFrom+1) == is.Line(isFrom+1) {
		wasFrom, isFrom = wasFrom+1, isFrom+1
	}
	for wasTo-1 > wasFrom && isTo-1 > isFrom && was.Line(wasTo-1) == is.Line(isTo-1) {
		wasTo, isTo = wasTo-1, isTo-1
	}
	patch := configPatch{At: isFrom + 1, Remove: isTo - isFrom - 1, Insert: []string{}}
	for n := wasFrom + 1; n < wasTo; n++ {
		patch.Insert = append(patch.Insert, was.Line(n))
	}
	return patch
}
