package browser

import (
	"context"
	"errors"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// aim scrolls an element into the window, waits until it rests there, and says
// where to click it; null where something else lies over it, or it moves on. It
// also notes a click that arrives, for hit.
const aim = `async function() {
	const frame = () => new Promise(done => requestAnimationFrame(done));
	this.scrollIntoView({block: "nearest", inline: "nearest", behavior: "instant"});
	await frame();
	const before = this.getBoundingClientRect();
	await frame();
	const box = this.getBoundingClientRect();
	if (!this.isConnected || box.width === 0 || box.top !== before.top || box.left !== before.left) return null;
	const x = box.left + box.width / 2, y = box.top + box.height / 2;
	const top = document.elementFromPoint(x, y);
	if (!top || !(this.contains(top) || top.contains(this) && top.tagName === "LABEL")) return null;
	this.pressedByTest = false;
	this.addEventListener("click", () => { this.pressedByTest = true; }, {once: true, capture: true});
	return [x, y];
}`

const hit = `function() { return this.pressedByTest === true; }`

var errMoved = errors.New("it moved, or something lies over it")

// press clicks the middle of an element, and makes sure that the element is
// what got the click: a page that is drawn anew meanwhile moves under the mouse.
func press(ctx context.Context, t *chromedp.Target, element runtime.RemoteObjectID) error {
	on := func(p *runtime.CallFunctionOnParams) {
		yes := true
		p.ObjectID, p.AwaitPromise = element, &yes
	}
	place, err := chromedp.CallFunctionOn[[]float64](aim, on)(ctx, t)
	if err != nil {
		return err
	}
	if len(place) != 2 {
		return errMoved
	}
	if _, err := chromedp.MouseClickXY(place[0], place[1])(ctx, t); err != nil {
		return err
	}
	got, err := chromedp.CallFunctionOn[bool](hit, on)(ctx, t)
	if err != nil {
		return err
	}
	if !got {
		return errMoved
	}
	return nil
}
