package redisconf

import "strings"

// farthest is how many letters may be wrong, missing or too many.
const farthest = 2

// Meant guesses which directive somebody meant who wrote one that no Redis
// knows, such as maxmemory-polciy; "" where it is none, where it could be two,
// or where the value would not do. Only directives are guessed whose values can
// be checked here: a second refusal would cost a second outage.
func Meant(name string, args ...string) string {
	name = strings.ToLower(name)
	if _, known := rules()[name]; known || Secret(name) {
		return ""
	}
	found, nearest := "", farthest+1
	for candidate := range rules() {
		if len(candidate) <= 2*farthest {
			continue // hz and port are near to everything
		}
		switch far := distance(name, candidate); {
		case far < nearest:
			found, nearest = candidate, far
		case far == nearest:
			found = "" // two are as near
		}
	}
	if found == "" || Check(found, strings.Join(args, " ")) != nil {
		return ""
	}
	return found
}

// distance counts the letters to change, add, leave out or swap with the next.
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
