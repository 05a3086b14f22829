package evidence

// Server is what a running server says of itself, to somebody who writes
// nothing to it.
type Server struct {
	Pod       string
	Node      string
	Error     string            // why it says nothing; everything below is empty then
	Info      map[string]string // INFO
	Keys      int64             // in all databases
	Expiring  int64             // of these, keys with an expiry
	Settings  map[string]string // CONFIG GET of what was asked for
	Sentinels int64             // that watch it; -1 when not known
	Unknown   map[string]string // command that the server refused -> its answer
}
