package commands

import (
	"fmt"

	"redis-session-bot/internal/incident"
)

// PageView is what a channel is told by a page. mention is who is called there:
// a user group's handle or ID, or a user's ID; "" for nobody.
func PageView(s incident.Summons, mention string) View {
	switch s.Act {
	case incident.Acknowledge:
		return sayOnly(say("").emoji(emojiOK).say(" %s is on it.", s.By.Name))
	case incident.Resolve:
		return sayOnly(say("").emoji(emojiOK).say(" It is over: %s is %s.", s.Incident, s.State))
	}
	text := say("")
	if mention != "" {
		kind := Group
		if isPerson(mention) {
			kind = Person
		}
		text = append(text, Span{Kind: kind, Text: mention}).say(" ")
	}
	switch {
	case s.Act == incident.Respond:
		text = text.strong("Incident response is invoked. ")
	case s.Ref != "":
		text = text.strong("You are still needed. ")
	default:
		text = text.strong("You are needed. ")
	}
	text = text.say("%s", cutTo(s.Summary, 500))
	view := View{Summary: cutTo(s.Summary, 500), Parts: []Part{Paragraph{text}, Paragraph{told(s)}}}
	if s.By.ID != "" {
		view.Parts = append(view.Parts, Note{say("Asked for by ").who(s.By)})
	}
	return view
}

// told is what somebody needs who has just come.
func told(s incident.Summons) Text {
	text := say("").strong("Since").say(" ").clock(s.Since).say(" (%s), %s. %s", minutes(s.At.Sub(s.Since)), s.State, cutTo(s.Impact, 500))
	text = text.say("\n").strong("Verdict").say(" %s", s.Verdict)
	for n, because := range s.Because {
		if n == 3 {
			break
		}
		text = text.say("\n • %s", cutTo(because, 300))
	}
	for n, tried := range s.Tried {
		if n == 5 {
			text = text.say("\nand %s", plural(len(s.Tried)-n, "more plan", "more plans"))
			break
		}
		text = text.say("\n").strong("Tried").say(" %s", cutTo(tried, 300))
	}
	text = text.say("\n").strong("Walked by").say(" %s", s.Walker)
	if s.Link != "" {
		text = append(text.say("\n"), Span{Kind: Link, Text: fmt.Sprintf("Go to the thread of %s", s.Incident), URL: s.Link})
	}
	return text
}
