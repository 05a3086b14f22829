package slack

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"redis-session-bot/internal/commands"
)

// buttons draws rows of buttons. Slack wants the action IDs of a row to
// differ: one that comes again gets a number, which actionOf takes off.
func (d *drawing) buttons(buttons commands.Buttons) {
	for row := range slices.Chunk(buttons.Buttons, maxActions) {
		d.rows--
		used := map[string]int{}
		var elements []slack.BlockElement
		for _, button := range row {
			if utf8.RuneCountInString(button.Value) > maxValue {
				d.full = true // half a value would name something else
				continue
			}
			drawn := drawButton(button)
			if used[button.ID]++; used[button.ID] > 1 {
				drawn.ActionID = fmt.Sprintf("%s%s%d", button.ID, again, used[button.ID])
			}
			elements = append(elements, drawn)
		}
		if len(elements) > 0 {
			d.add(slack.NewActionBlock("", elements...))
		}
	}
}

// again stands between an action and the number that makes it differ.
const again = "#"

// actionOf is the action that an action ID was drawn for.
func actionOf(actionID string) string {
	action, _, _ := strings.Cut(actionID, again)
	return action
}

func drawButton(button commands.Button) *slack.ButtonBlockElement {
	drawn := slack.NewButtonBlockElement(button.ID, strings.ToValidUTF8(button.Value, "�"), plainText(button.Label, button.ID, maxButton))
	switch button.Style {
	case commands.Primary:
		drawn.Style = slack.StylePrimary
	case commands.Danger:
		drawn.Style = slack.StyleDanger
	}
	if c := button.Confirm; c != nil {
		drawn.Confirm = slack.NewConfirmationBlockObject(plainText(c.Title, "Sure?", maxTitle), plainText(c.Text, drawn.Text.Text, maxQuestion),
			plainText(c.Yes, "Yes", maxAnswer), plainText(c.No, "No", maxAnswer))
	}
	return drawn
}
