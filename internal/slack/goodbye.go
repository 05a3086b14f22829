package slack

import (
	"encoding/json"
	"strings"
)

// goodbyes hears why Slack ends a connection. slack-go keeps that to itself:
// only its log has the frames, so this stands in for the log and writes none.
type goodbyes struct{ left func(reason string) }

// Output gets each line of slack-go's log.
func (g goodbyes) Output(_ int, line string) error {
	_, frame, ok := strings.Cut(line, "Received WebSocket message: ")
	if !ok {
		return nil
	}
	var message struct{ Type, Reason string }
	if err := json.Unmarshal([]byte(frame), &message); err != nil {
		return nil // slack-go says so itself, as an event
	}
	if message.Type == "disconnect" {
		g.left(message.Reason)
	}
	return nil
}
