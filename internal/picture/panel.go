package picture

import (
	"image/color"
	"math"
	"slices"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"redis-session-bot/internal/evidence"
)

// panel is one number over time, from zero up.
type panel struct {
	name   string
	line   series
	bounds []bound
	units  func(least float64) float64 // the round number that is least or more
	write  func(int64) string
}

// series is a line of samples.
type series struct {
	samples []evidence.Sample
	colour  color.NRGBA
}

// bound is what the number may not pass: a dashed line with its name.
type bound struct {
	series
	name   string
	dashes []vg.Length // lines and spaces, in pixels
	far    bool        // so far above that it is only told
}

func (b bound) look() draw.LineStyle {
	return draw.LineStyle{Color: b.colour, Width: boundWidth, Dashes: b.dashes}
}

// bounds are maxmemory and the container's limit; none that is not set. A bound
// that is far above the memory would press its line flat: it is told, not drawn.
func bounds(memory, maxMemory []evidence.Sample, limit int64, over span) []bound {
	const far = 6
	most := highest(memory)
	var all []bound
	if top := highest(maxMemory); top > 0 {
		all = append(all, bound{series{maxMemory, colourMaxMemory}, "maxmemory " + evidence.IEC(int64(maxMemory[len(maxMemory)-1].Value)), []vg.Length{10, 8}, top > far*most})
	}
	if limit > 0 {
		level := []evidence.Sample{{At: over.from, Value: float64(limit)}, {At: over.to, Value: float64(limit)}}
		all = append(all, bound{series{level, colourLimit}, "limit " + evidence.IEC(limit), []vg.Length{26, 8}, float64(limit) > far*most})
	}
	return all
}

func highest(samples []evidence.Sample) float64 {
	top := 0.0
	for _, sample := range samples {
		top = max(top, sample.Value)
	}
	return top
}

// top is the highest value that the panel has to show.
func (p panel) top() float64 {
	top := highest(p.line.samples)
	for _, b := range p.bounds {
		if !b.far {
			top = max(top, highest(b.samples))
		}
	}
	return max(top, 1)
}

// ticks are zero and a few round values.
func (p panel) ticks() []plot.Tick {
	step := p.units(p.top() / 4)
	var ticks []plot.Tick
	for value := 0.0; value <= p.top()*1.05; value += step {
		ticks = append(ticks, plot.Tick{Value: value, Label: p.write(int64(value))})
	}
	return ticks
}

// decimal is 1, 2 or 5 times a power of ten, and a whole number.
func decimal(least float64) float64 {
	if least <= 1 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, times := range []float64{1, 2, 5} {
		if times*power >= least {
			return times * power
		}
	}
	return 10 * power
}

// binary is a power of two.
func binary(least float64) float64 { return math.Pow(2, math.Ceil(math.Log2(max(least, 1)))) }

// widestTick is the room that the values of all panels need, so that their time
// axes begin at the same place.
func widestTick(panels []panel) vg.Length {
	widest := vg.Length(0)
	for _, p := range panels {
		for _, tick := range p.ticks() {
			widest = max(widest, style(smallSize, colourSoft).Width(tick.Label))
		}
	}
	return widest
}

// drawName writes the name of the panel in the colour of its line, and those of
// its bounds, each behind a piece of its line.
func (p panel) drawName(row draw.Canvas) {
	const apart, piece = 36, 60
	s := style(textSize, p.line.colour)
	writeIn(row, s, row.Min.X, p.name)
	x := row.Min.X + s.Width(p.name) + apart
	for _, b := range p.bounds {
		s, words := style(smallSize, b.colour), b.name
		if b.far {
			words += " is above"
		} else {
			y := (row.Min.Y + row.Max.Y) / 2
			row.StrokeLine2(b.look(), x, y, x+piece, y)
			x += piece + 12
		}
		writeIn(row, s, x, words)
		x += s.Width(words) + apart
	}
}

// draw draws the panel. Badges stand above it where it is the first one.
func (p panel) draw(c draw.Canvas, over span, badges []badge, left vg.Length, first bool) {
	chart := plot.New()
	chart.BackgroundColor = colourGround
	chart.X.Min, chart.X.Max = seconds(over.from), max(seconds(over.to), seconds(over.from)+1)
	chart.Y.Min, chart.Y.Max = 0, p.top()*1.12
	chart.X.Tick.Marker, chart.Y.Tick.Marker = clock{over}, plot.ConstantTicks(p.ticks())
	for _, axis := range []*plot.Axis{&chart.X, &chart.Y} {
		axis.Color, axis.Width, axis.Padding = colourSoft, 2, 0
		axis.Tick.Color, axis.Tick.Width, axis.Tick.Length = colourSoft, 2, 10
	}
	chart.Y.Width, chart.Y.Tick.Width, chart.Y.Padding = 0, 0, 10 // the lines across are enough
	chart.X.Tick.Label = aligned(style(smallSize, colourSoft), text.XCenter, text.YTop)
	chart.Y.Tick.Label = aligned(style(smallSize, colourSoft), text.XRight, text.YCenter)
	chart.Add(inside{p, badges, first})
	mine := widestTick([]panel{p})
	chart.Draw(draw.Crop(c, left-mine, -margin, 0, 0))
}

func aligned(s text.Style, x text.XAlignment, y text.YAlignment) text.Style {
	s.XAlign, s.YAlign = x, y
	return s
}

func seconds(at time.Time) float64 { return float64(at.UnixMilli()) / 1000 }

// inside is what is drawn between the axes.
type inside struct {
	panel  panel
	badges []badge
	first  bool
}

// Plot implements plot.Plotter.
func (i inside) Plot(c draw.Canvas, chart *plot.Plot) {
	toX, toY := chart.Transforms(&c)
	for _, tick := range i.panel.ticks() {
		c.StrokeLine2(draw.LineStyle{Color: colourGrid, Width: 2}, c.Min.X, toY(tick.Value), c.Max.X, toY(tick.Value))
	}
	for _, b := range i.badges {
		x := toX(seconds(b.mark.At))
		top := c.Max.Y
		if i.first {
			top += vg.Length(b.row) * badgeRow
		}
		c.StrokeLine2(draw.LineStyle{Color: colourOf(b.mark.Kind), Width: 4}, x, c.Min.Y, x, top)
	}
	for _, b := range i.panel.bounds {
		if !b.far {
			strokeSeries(c, b.series, b.look(), toX, toY)
		}
	}
	strokeSeries(c, i.panel.line, draw.LineStyle{Color: i.panel.line.colour, Width: lineWidth}, toX, toY)
	if len(i.panel.line.samples) == 0 {
		s := aligned(style(smallSize, colourSoft), text.XCenter, text.YCenter)
		c.FillText(s, c.Center(), "nothing was kept")
	}
	if i.first {
		for _, b := range i.badges {
			b.draw(c, vg.Point{X: toX(seconds(b.mark.At)), Y: c.Max.Y + vg.Length(b.row)*badgeRow + badgeRow/2})
		}
	}
}

// strokeSeries draws a line, with a gap where samples are missing. A sample
// alone is a dot.
func strokeSeries(c draw.Canvas, s series, look draw.LineStyle, toX, toY func(float64) vg.Length) {
	for _, run := range runs(s.samples) {
		points := make([]vg.Point, len(run))
		for n, sample := range run {
			points[n] = vg.Point{X: toX(seconds(sample.At)), Y: toY(sample.Value)}
		}
		if len(points) == 1 {
			c.DrawGlyph(draw.GlyphStyle{Color: look.Color, Radius: look.Width, Shape: draw.CircleGlyph{}}, points[0])
			continue
		}
		c.StrokeLines(look, points)
	}
}

// runs parts samples where one or more are missing: where the time between two
// is clearly longer than it mostly is.
func runs(samples []evidence.Sample) [][]evidence.Sample {
	if len(samples) == 0 {
		return nil
	}
	var steps []time.Duration
	for n := 1; n < len(samples); n++ {
		steps = append(steps, samples[n].At.Sub(samples[n-1].At))
	}
	slices.Sort(steps)
	var all [][]evidence.Sample
	from := 0
	for n := 1; n < len(samples); n++ {
		if samples[n].At.Sub(samples[n-1].At) > steps[len(steps)/2]*3/2 {
			all, from = append(all, samples[from:n]), n
		}
	}
	return append(all, samples[from:])
}

// clock puts ticks at round times of UTC, five at most.
type clock struct{ over span }

// Ticks implements plot.Ticker.
func (k clock) Ticks(_, _ float64) []plot.Tick {
	steps := []time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour}
	step, layout := 24*time.Hour, "15:04"
	whole := k.over.to.Sub(k.over.from)
	if n := slices.IndexFunc(steps, func(s time.Duration) bool { return whole/s <= 5 }); n >= 0 {
		step = steps[n]
	} else {
		step, layout = step*max(1, (whole/5).Round(step)/step), "2 Jan"
	}
	var ticks []plot.Tick
	for at := k.over.from.UTC().Truncate(step); !at.After(k.over.to); at = at.Add(step) {
		if !at.Before(k.over.from) {
			ticks = append(ticks, plot.Tick{Value: seconds(at), Label: at.Format(layout)})
		}
	}
	return ticks
}
