package page_test

import (
	"encoding/json"
	"fmt"
	"testing"
)

// many is n messages of the bot's; the last one's text is given.
func many(n int, last string) string {
	list := make([]map[string]any, n)
	for i := range list {
		list[i] = map[string]any{"ts": fmt.Sprintf("17323%05d.000100", i*60), "bot_id": "B", "user": "U_BOT", "text": fmt.Sprintf("line %d", i)}
	}
	list[n-1]["text"] = last
	data, _ := json.Marshal(list)
	return string(data)
}

func TestLiveKeepsThePlace(t *testing.T) {
	d, b := newDouble(t), start(t)
	d.messages[""] = []byte(many(80, "the end"))
	must(t, b.Open(d.URL+"/?user=U_RESPONDER&channel=C_INC", 1200, 800))
	must(t, b.WaitText("the end"))

	var gap float64
	const fromEnd = "(s => s.scrollHeight - s.scrollTop - s.clientHeight)(document.querySelector('.scroller'))"
	must(t, b.Eval(fromEnd, &gap))
	if gap > 2 {
		t.Errorf("the newest message is %.0f px out of sight", gap)
	}

	// At the end the page follows what comes; what is being typed stays.
	must(t, b.Type(box, "half a sentence"))
	d.show(many(81, "one more"))
	must(t, b.WaitText("one more"))
	must(t, b.Eval(fromEnd, &gap))
	if gap > 2 {
		t.Errorf("the page did not follow: %.0f px are out of sight", gap)
	}
	var typed string
	must(t, b.Eval("document.querySelector('.channel .box').value", &typed))
	if typed != "half a sentence" {
		t.Errorf("the message box holds %q after an update", typed)
	}

	// Scrolled back, the line that is read stays where it is.
	const place = "[...document.querySelectorAll('.message')].find(m => m.textContent.includes('line 40')).getBoundingClientRect().top"
	must(t, b.Eval("[...document.querySelectorAll('.message')].find(m => m.textContent.includes('line 40')).scrollIntoView()", nil))
	var before, after float64
	must(t, b.Eval("new Promise(done => requestAnimationFrame(() => done("+place+")))", &before))
	longer := many(82, "two more")
	d.show(`[{"ts":"1700000000.000100","user":"U_MEMBER","text":"a message above, which pushes the others down"},` + longer[1:])
	must(t, b.WaitText("two more"))
	must(t, b.Eval(place, &after))
	if diff := after - before; diff < -2 || diff > 2 {
		t.Errorf("the line that was read moved by %.0f px", diff)
	}
}

func TestLiveKeepsWhatIsUnfolded(t *testing.T) {
	d, b := newDouble(t), start(t)
	must(t, b.Open(d.URL+"/?user=U_RESPONDER&channel=C_INC", 1200, 800))
	must(t, b.ClickName("Expand Logs of redis-session"))
	must(t, b.WaitText("line 6 <img src=x onerror=alert(1)>"))
	const file = `[{"ts":"1732331760.000100","bot_id":"B_BOT","user":"U_BOT","text":"edited meanwhile","files":[
		{"id":"F1","name":"a.txt","title":"Logs","filetype":"text","mimetype":"text/plain","size":20,"content":"1\n2\n3\n4\n5\nsixth\n"}]}]`
	d.show(file)
	must(t, b.WaitText("edited meanwhile"))
	must(t, b.WaitText("sixth"))
	must(t, b.ClickName("Collapse Logs"))
	must(t, b.WaitNoText("sixth"))
}

// A button waits visibly for the acknowledgement, and a second press while it
// waits is not sent.
func TestBusyButton(t *testing.T) {
	d, b := inbox(t, button("next", "Run", ""))
	d.mu.Lock() // the double answers when this is released
	must(t, b.Eval("document.querySelector('.btn').click()", nil))
	must(t, b.Eval("document.querySelector('.btn').click()", nil))
	var busy string
	must(t, b.Eval("document.querySelector('.btn').getAttribute('aria-busy')", &busy))
	d.mu.Unlock()
	if busy != "true" {
		t.Errorf("the pressed button is not busy")
	}
	must(t, b.WaitName("Run")) // which is only found when it is no longer busy
	if n := len(d.calls("/user/click")); n != 1 {
		t.Errorf("two presses made %d requests, not 1", n)
	}
}
