package slack

import (
	"context"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/slack-go/slack"
)

// channels says where the bot answers.
type channels struct {
	api     *slack.Client
	allowed []string // names or IDs, * stands for any letters

	mu    sync.Mutex
	names map[string]string
	ids   map[string]string // by name, as they were listed last
}

// known is the ID of a channel that was listed; "" for none.
func (c *channels) known(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ids[name]
}

// list asks Slack for the channels that the bot can see, by name and by ID.
func (c *channels) list(ctx context.Context, private bool) (map[string]slack.Channel, error) {
	kinds := []string{"public_channel"}
	if private {
		kinds = append(kinds, "private_channel")
	}
	all, ids, cursor := map[string]slack.Channel{}, map[string]string{}, ""
	for {
		page, next, err := c.api.GetConversationsContext(ctx, &slack.GetConversationsParameters{Cursor: cursor, ExcludeArchived: true, Limit: 200, Types: kinds})
		if err != nil {
			return nil, err
		}
		for _, channel := range page {
			all[channel.Name], all[channel.ID], ids[channel.Name] = channel, channel, channel.ID
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids = ids
	return all, nil
}

// refusal is the sentence for a channel where the bot does not answer; "" for
// one where it does.
func (c *channels) refusal(ctx context.Context, id, name string) string {
	if name == "" || name == "privategroup" {
		name = c.name(ctx, id)
	}
	if strings.HasPrefix(id, "D") || strings.HasPrefix(name, "mpdm-") || name == "directmessage" {
		return "I answer in channels only, so that everybody sees what is done. " + c.where()
	}
	for _, pattern := range c.allowed {
		pattern = strings.TrimPrefix(pattern, "#")
		for _, candidate := range []string{id, name} {
			if matched, err := path.Match(pattern, candidate); err == nil && matched && candidate != "" {
				return ""
			}
		}
	}
	return "I do not answer in this channel. " + c.where()
}

func (c *channels) where() string {
	if len(c.allowed) == 0 {
		return "No channel is configured: set slack.channels."
	}
	names := make([]string, len(c.allowed))
	for i, pattern := range c.allowed {
		names[i] = "#" + strings.TrimPrefix(pattern, "#")
	}
	return fmt.Sprintf("I do in %s.", strings.Join(names, ", "))
}

// name asks Slack for a channel's name, once; "" when it does not say.
func (c *channels) name(ctx context.Context, id string) string {
	c.mu.Lock()
	name, known := c.names[id]
	c.mu.Unlock()
	if known {
		return name
	}
	channel, err := c.api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: id})
	if err != nil {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names[id] = channel.Name
	return channel.Name
}
