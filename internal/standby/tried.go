package standby

// Tried is what the API server said to a server-side dry run of manifests.
type Tried struct {
	Accepted []string // objects: StatefulSet/redis-session-ha
	There    []string // objects that exist, from an earlier time
	Refused  []string // object and reason, a line each: untrusted text
	Missing  string   // what the bot may not even try, and the rule to add; "" for nothing
}

// OK reports whether nothing was refused, and everything could be tried.
func (t Tried) OK() bool { return len(t.Refused) == 0 && t.Missing == "" }
