// Package picture draws what the store held over the hours around an incident:
// its keys and its memory, with what was done to it.
//
// It owns the looks of that one image. It reads nothing, decides nothing about
// the incident, and knows no chat vendor: data in, PNG out.
package picture

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"redis-session-bot/internal/evidence"
)

// Incident is what the picture needs of one.
type Incident struct {
	Title  string // what it is about, such as INC-7 · langgraph-agent/redis-session
	Series evidence.Prometheus
	Until  time.Time // later samples are left out; zero: all are drawn
	Limit  int64     // of the container's memory, in bytes; 0 for none
	Marks  []Mark    // in any order; those outside the hours of the series are left out
}

// Mark is one moment that has a line across the panels, and a row below them.
type Mark struct {
	At    time.Time
	Label string // the row is cut where it does not fit
	Kind  Kind
}

// Kind is what happened at a mark; it gives the colour.
type Kind int

// The kinds of mark.
const (
	Alert   Kind = iota // the alert began, or the incident
	Rollout             // a revision of the workload was made
	Change              // the bot has applied or undone a plan
	Fixed               // the verification held
)

// ErrNothing means that no series has two samples, so that there is no line to draw.
var ErrNothing = errors.New("no series of keys or memory has two samples")

// Width is that of every picture, in pixels: three for each of a small phone.
const Width = 1080

// mostMarks is how many marks are drawn, the newest.
const mostMarks = 12

// Draw writes the picture as PNG. Its error is ErrNothing, or that of w.
func Draw(w io.Writer, of Incident) error {
	keys, memory := until(of.Series.Keys, of.Until), until(of.Series.Memory, of.Until)
	if len(keys) < 2 && len(memory) < 2 {
		return ErrNothing
	}
	over := spanOf(keys, memory, of.Marks)
	marks := over.within(of.Marks)
	badges := stagger(marks, over)
	sheet := newSheet(of.Title, over, badges)
	sheet.draw(
		panel{name: "Keys", line: series{samples: keys, colour: colourKeys}, units: decimal, write: evidence.Count},
		panel{name: "Memory", line: series{samples: memory, colour: colourMemory}, units: binary, write: evidence.IEC,
			bounds: bounds(memory, until(of.Series.MaxMemory, of.Until), of.Limit, over)},
	)
	if _, err := (vgimg.PngCanvas{Canvas: sheet.image}).WriteTo(w); err != nil {
		return fmt.Errorf("write the picture: %w", err)
	}
	return nil
}

// until leaves out what is later; nothing for the zero time.
func until(samples []evidence.Sample, end time.Time) []evidence.Sample {
	if end.IsZero() {
		return samples
	}
	n, _ := slices.BinarySearchFunc(samples, end, func(s evidence.Sample, end time.Time) int {
		if s.At.After(end) {
			return 1
		}
		return -1
	})
	return samples[:n]
}

// span is the time that the panels show.
type span struct{ from, to time.Time }

// after is how long after the last sample a mark may be and still be shown.
const after = 15 * time.Minute

// spanOf is the time of the samples, and of the marks soon after them.
func spanOf(keys, memory []evidence.Sample, marks []Mark) span {
	var s span
	for _, samples := range [][]evidence.Sample{keys, memory} {
		if len(samples) == 0 {
			continue
		}
		if first := samples[0].At; s.from.IsZero() || first.Before(s.from) {
			s.from = first
		}
		if last := samples[len(samples)-1].At; last.After(s.to) {
			s.to = last
		}
	}
	end := s.to
	for _, mark := range marks {
		if mark.At.After(s.to) && mark.At.Sub(end) <= after {
			s.to = mark.At
		}
	}
	return s
}

// within are the marks of that time, oldest first; the newest where they are many.
func (s span) within(marks []Mark) []Mark {
	var shown []Mark
	for _, mark := range marks {
		if !mark.At.Before(s.from) && !mark.At.After(s.to) {
			shown = append(shown, mark)
		}
	}
	slices.SortStableFunc(shown, func(a, b Mark) int { return a.At.Compare(b.At) })
	return shown[max(0, len(shown)-mostMarks):]
}

// part is where a moment is in the span, from 0 to 1.
func (s span) part(at time.Time) float64 {
	return float64(at.Sub(s.from)) / float64(max(s.to.Sub(s.from), 1))
}

// Sizes in pixels. A phone shows a third of them.
const (
	margin     = 24
	textSize   = 36
	smallSize  = 33
	titleRow   = 62
	nameRow    = 56
	badgeSize  = 44
	badgeRow   = 52
	panelSize  = 400
	markRow    = 50
	lineWidth  = 6
	boundWidth = 5
)

// sheet is the image with its rows: the title, the panels, the list of marks.
type sheet struct {
	image  *vgimg.Canvas
	canvas draw.Canvas
	title  string
	over   span
	badges []badge
}

func newSheet(title string, over span, badges []badge) *sheet {
	height := 2*margin + titleRow + 2*(nameRow+panelSize) + rows(badges)*badgeRow + len(badges)*markRow
	s := &sheet{title: title, over: over, badges: badges}
	// At 72 dots per inch a point is a pixel.
	s.image = vgimg.NewWith(vgimg.UseWH(Width, vg.Length(height)), vgimg.UseDPI(72), vgimg.UseBackgroundColor(colourGround))
	s.canvas = draw.New(s.image)
	return s
}

// draw fills the sheet from the top.
func (s *sheet) draw(panels ...panel) {
	left := widestTick(panels)
	top := s.canvas.Max.Y - margin
	next := func(height vg.Length) draw.Canvas {
		row := s.canvas
		row.Min.X, row.Max.X = s.canvas.Min.X+margin, s.canvas.Max.X-margin
		row.Max.Y, row.Min.Y = top, top-height
		top -= height
		return row
	}
	head := next(titleRow)
	day := "times in UTC, " + s.over.to.UTC().Format("2 Jan 2006")
	dayWidth := style(smallSize, colourSoft).Width(day)
	writeIn(head, style(textSize, colourText), head.Min.X, cut(s.title, style(textSize, colourText), head.Size().X-dayWidth-margin))
	writeIn(head, style(smallSize, colourSoft), head.Max.X-dayWidth, day)
	for n, p := range panels {
		p.drawName(next(nameRow))
		if n == 0 {
			next(vg.Length(rows(s.badges) * badgeRow))
		}
		p.draw(next(panelSize), s.over, s.badges, left, n == 0)
	}
	for _, b := range s.badges {
		row := next(markRow)
		b.draw(row, vg.Point{X: row.Min.X + badgeSize/2, Y: (row.Min.Y + row.Max.Y) / 2})
		words := b.mark.At.UTC().Format("15:04") + "  " + b.mark.Label
		from := row.Min.X + badgeSize + 16
		writeIn(row, style(smallSize, colourText), from, cut(words, style(smallSize, colourText), row.Max.X-from))
	}
}
