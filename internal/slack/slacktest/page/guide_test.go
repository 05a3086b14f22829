package page_test

import "testing"

// TestGuide: the advice goes with what the newest message of the app says, back too,
// is text alone, and stays away once it is hidden.
func TestGuide(t *testing.T) {
	d, b := newDouble(t), start(t)
	d.guide = `[{"when":"","says":"Wait for it."},{"when":"Run all","says":"Press <b>Run all</b>."},{"when":"Fixed at","says":"Done."}]`
	one := func(text string) string {
		return `[{"ts":"1732330800.000100","bot_id":"B","user":"U_BOT","text":"Fixed at 3"},{"ts":"1732330801.000100","bot_id":"B","user":"U_BOT","text":` + quote(text) + `}]`
	}
	d.messages[""] = []byte("[]")
	must(t, b.Open(d.URL+"/?user=U_RESPONDER&channel=C_INC", 1180, 700))
	must(t, b.WaitText("Wait for it."))
	d.show(one("Run all"))
	must(t, b.WaitText("Press <b>Run all</b>."))
	must(t, b.WaitText("2 of 3"))
	picture(t, b, "guide")
	d.show(one("Run all again. Fixed at 4"))
	must(t, b.WaitText("Done."))
	d.show(one("Run all"))
	must(t, b.WaitText("Press <b>Run all</b>."))
	must(t, b.ClickName("Hide the guide"))
	must(t, b.WaitNoText("Press <b>"))
	d.show(one("Fixed at 5"))
	must(t, b.WaitText("Fixed at 5"))
	must(t, b.WaitNoText("Done."))
}
