package slack_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"image"
	"image/png"
	"strings"
	"sync/atomic"
	"testing"

	"redis-session-bot/internal/incident"
	"redis-session-bot/internal/slack/slacktest"
)

// TestAPictureIsPostedOnce: not again however often the incident changes, nor by
// another process, but once more when it is worth it. What could not be drawn is
// drawn later.
func TestAPictureIsPostedOnce(t *testing.T) {
	o := open(t, slacktest.Options{})
	var drawn atomic.Int32
	o.handler.draw = func(context.Context) ([]byte, error) {
		if drawn.Add(1) == 1 {
			return nil, errors.New("the store does not answer")
		}
		var file bytes.Buffer
		err := png.Encode(&file, image.NewGray(image.Rect(0, 0, 3, 2)))
		return file.Bytes(), err
	}
	stop := o.run()
	inc := o.opened("pods")
	root := o.thread()
	count := func() int { return strings.Count(o.text("U_RESPONDER", root), `"mimetype":"image/png"`) }
	o.until("the picture is there", func() bool { return count() == 1 })
	stop()

	o.run()
	o.change(inc.ID, func(inc *incident.Incident) { inc.Steps[0].Summary = "second" })
	o.until("the step is edited", func() bool { return strings.Contains(o.text("U_RESPONDER", root), "pods second") })
	o.change(inc.ID, func(inc *incident.Incident) { inc.State = incident.Fixed })
	o.until("the picture after the fix is there", func() bool { return count() >= 2 })
	o.change(inc.ID, func(inc *incident.Incident) { inc.State = incident.Closed })
	o.until("the end is shown", func() bool { return strings.Contains(o.text("U_RESPONDER", ""), "state closed") })
	if n := count(); n != 2 || drawn.Load() != 3 {
		t.Errorf("%d pictures are there, drawn %d times; want 2, and one try more", n, drawn.Load())
	}

	thread := o.text("U_RESPONDER", root)
	if !strings.Contains(thread, `"alt_txt":"a dot"`) {
		t.Error("nothing says what is to be seen")
	}
	_, rest, _ := strings.Cut(thread, `"content":"`)
	content, _, _ := strings.Cut(rest, `"`)
	data, err := base64.StdEncoding.DecodeString(content)
	if err != nil {
		t.Fatal(err)
	}
	if read, err := png.Decode(bytes.NewReader(data)); err != nil || read.Bounds().Dx() != 3 {
		t.Errorf("what the page gets is no picture: %v", err)
	}
}

func TestAPictureOfNothingIsNotPosted(t *testing.T) {
	o := open(t, slacktest.Options{})
	var drawn atomic.Int32
	o.handler.draw = func(context.Context) ([]byte, error) { drawn.Add(1); return nil, nil }
	o.run()
	inc := o.opened()
	root := o.thread()
	o.until("it is known that there is nothing", func() bool {
		kept, err := o.incidents.Get(t.Context(), inc.ID)
		return err == nil && strings.HasSuffix(kept.Shown["picture"], " 1")
	})
	if thread := o.text("U_RESPONDER", root); strings.Contains(thread, "a.png") || drawn.Load() != 1 {
		t.Errorf("asked %d times, and the thread has %s", drawn.Load(), thread)
	}
}
