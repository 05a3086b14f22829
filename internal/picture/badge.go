package picture

import (
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// badge is a mark's number, which stands above its line and before its words.
type badge struct {
	mark   Mark
	number int
	row    int // above the panel, from 0: close ones stand one above the other
}

// stagger numbers marks and gives each the lowest row in which it touches none.
func stagger(marks []Mark, over span) []badge {
	// The panel is a little narrower than this: badges are kept a little farther apart.
	const apart = (badgeSize + 8.0) / (Width * 0.78)
	var badges []badge
	var ends []float64 // where the last one of each row is
	for i, mark := range marks {
		at, row := over.part(mark.At), 0
		for row < len(ends) && at-ends[row] < apart {
			row++
		}
		if row == len(ends) {
			ends = append(ends, at)
		}
		ends[row] = at
		badges = append(badges, badge{mark, i + 1, row})
	}
	return badges
}

// rows is how many rows the badges need.
func rows(badges []badge) int {
	most := 0
	for _, b := range badges {
		most = max(most, b.row+1)
	}
	return most
}

// draw draws the badge around a point.
func (b badge) draw(c draw.Canvas, at vg.Point) {
	c.DrawGlyphNoClip(draw.GlyphStyle{Color: colourOf(b.mark.Kind), Radius: badgeSize / 2, Shape: draw.CircleGlyph{}}, at)
	s := style(30, colourGround)
	s.XAlign = draw.XCenter
	c.FillText(s, vg.Point{X: at.X, Y: at.Y + raise}, strconv.Itoa(b.number))
}
