package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// How long to pause between two looks at the page.
const glance = 40 * time.Millisecond

// pressable says whether something of this role is there to be pressed.
func pressable(role string) bool {
	switch role {
	case "button", "link", "option", "menuitem", "checkbox", "radio", "combobox":
		return true
	}
	return false
}

// Type clicks the first element that matches a CSS selector, as soon as it is
// shown, and types into it. A "\r" is the Enter key, a "\t" the tabulator.
func (b *Browser) Type(selector, text string) error {
	quoted, err := json.Marshal(selector)
	if err != nil {
		return err
	}
	err = b.until(func(ctx context.Context, t *chromedp.Target) (bool, error) {
		element, err := object(ctx, t, "document.querySelector("+string(quoted)+")")
		if err != nil || element == "" {
			return false, err
		}
		return true, press(ctx, t, element)
	})
	if err != nil {
		return fmt.Errorf("type into %s: %w", selector, b.withPage(err))
	}
	if err := b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error { return keys(ctx, t, text) })); err != nil {
		return fmt.Errorf("type into %s: %w", selector, err)
	}
	return nil
}

// ClickName presses the button, link, option, menu item, checkbox or radio
// button with exactly this accessible name. It waits until there is one that is
// neither disabled nor busy. Of several it takes the last one on the page: the
// newest message's.
func (b *Browser) ClickName(name string) error {
	err := b.until(func(ctx context.Context, t *chromedp.Target) (bool, error) {
		node, err := named(ctx, t, name)
		if err != nil || node == nil {
			return false, err
		}
		resolved, err := cdp.Call(ctx, t, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: node.BackendDOMNodeID})
		if err != nil {
			return false, err
		}
		return true, press(ctx, t, resolved.Object.ObjectID)
	})
	if err != nil {
		return fmt.Errorf("press %q: %w", name, b.withPage(err))
	}
	return nil
}

// WaitName waits until something with this accessible name can be pressed.
func (b *Browser) WaitName(name string) error {
	err := b.until(func(ctx context.Context, t *chromedp.Target) (bool, error) {
		node, err := named(ctx, t, name)
		return node != nil, err
	})
	if err != nil {
		return fmt.Errorf("wait for %q: %w", name, b.withPage(err))
	}
	return nil
}

// WaitText waits until a text is shown anywhere on the page. Spaces and line
// breaks count as one space.
func (b *Browser) WaitText(text string) error {
	return b.waitText(text, true)
}

// WaitNoText waits until a text is no longer shown.
func (b *Browser) WaitNoText(text string) error {
	return b.waitText(text, false)
}

func (b *Browser) waitText(text string, shown bool) error {
	wanted := squeeze(text)
	err := b.until(func(ctx context.Context, t *chromedp.Target) (bool, error) {
		now, err := chromedp.Evaluate[string]("document.body.innerText")(ctx, t)
		return strings.Contains(squeeze(now), wanted) == shown, err
	})
	if err != nil {
		return fmt.Errorf("wait for the text %q (shown: %t): %w", text, shown, b.withPage(err))
	}
	return nil
}

// Text is the text that the first element that matches a CSS selector shows,
// and "" where there is none.
func (b *Browser) Text(selector string) (string, error) {
	quoted, err := json.Marshal(selector)
	if err != nil {
		return "", err
	}
	var text string
	err = b.Eval("document.querySelector("+string(quoted)+")?.innerText", &text)
	return text, err
}

// Eval runs an expression in the page, awaits it where it is a promise, and
// decodes its value into out, which may be nil.
func (b *Browser) Eval(expression string, out any) error {
	ctx, cancel := b.patient()
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[json.RawMessage](
		"Promise.resolve("+expression+").then(value => value ?? null)", chromedp.EvalAwaitPromise))
	if err != nil {
		return fmt.Errorf("evaluate %s: %w", expression, err)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(value, out)
}

// until looks again and again until look says yes. A page that is drawn anew
// between two questions answers with errors; they only count when the patience
// is over.
func (b *Browser) until(look chromedp.Action[bool]) error {
	ctx, cancel := b.patient()
	defer cancel()
	timer := time.NewTicker(glance)
	defer timer.Stop()
	for {
		done, err := chromedp.Run(ctx, look)
		if done && err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%w (%s)", ErrNotThere, b.Patience), err)
		case <-timer.C:
		}
	}
}

// withPage adds the end of what the page shows: most often the answer.
func (b *Browser) withPage(err error) error {
	text, textErr := b.Text("body")
	if textErr != nil {
		return errors.Join(err, textErr)
	}
	const most = 1500
	if len(text) > most {
		text = "…" + text[len(text)-most:]
	}
	return fmt.Errorf("%w\nthe page shows:\n%s", err, text)
}

// named finds the last element with an accessible name that can be pressed now,
// or nil.
func named(ctx context.Context, t *chromedp.Target, name string) (*accessibility.Node, error) {
	document, err := object(ctx, t, "document")
	if err != nil {
		return nil, err
	}
	found, err := cdp.Call(ctx, t, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{ObjectID: document, AccessibleName: name})
	if err != nil {
		return nil, err
	}
	for i := len(found.Nodes) - 1; i >= 0; i-- {
		node := found.Nodes[i]
		if !node.Ignored && node.Role != nil && pressable(text(node.Role)) && !has(node, "disabled") && !has(node, "busy") {
			return node, nil
		}
	}
	return nil, nil
}

// object is the handle of an expression's value; "" for null. Handles are used
// rather than node IDs, which end with each new reading of the document.
func object(ctx context.Context, t *chromedp.Target, expression string) (runtime.RemoteObjectID, error) {
	value, err := chromedp.Evaluate[*runtime.RemoteObject](expression)(ctx, t)
	if err != nil || value == nil {
		return "", err
	}
	return value.ObjectID, nil
}

// keys types a text. Each key goes down with its text in one event, as a real
// keyboard's does: a page that takes Enter for itself then gets no line break.
func keys(ctx context.Context, t *chromedp.Target, text string) error {
	for _, char := range text {
		events := kb.Encode(char)
		down, up := *events[0], *events[len(events)-1]
		if len(events) == 3 {
			down.Text, down.UnmodifiedText = events[1].Text, events[1].UnmodifiedText
		}
		for _, event := range [...]input.DispatchKeyEventParams{down, up} {
			if _, err := cdp.Call(ctx, t, input.DispatchKeyEvent, event); err != nil {
				return err
			}
		}
	}
	return nil
}

func has(node *accessibility.Node, property string) bool {
	for _, each := range node.Properties {
		if string(each.Name) == property {
			return each.Value != nil && text(each.Value) == "true"
		}
	}
	return false
}

func text(value *accessibility.Value) string {
	var s string
	if json.Unmarshal([]byte(value.Value), &s) == nil {
		return s
	}
	return string(value.Value)
}

func squeeze(text string) string {
	return strings.Join(strings.Fields(text), " ")
}
