package picture

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The colours: those of Okabe and Ito, which people tell apart who do not see
// all colours, made lighter where the dark ground asks for it. The ground is the
// picture's own, so that it looks the same in every theme.
var (
	colourGround = color.NRGBA{0x12, 0x14, 0x17, 0xff}
	colourText   = color.NRGBA{0xf5, 0xf5, 0xf5, 0xff}
	colourSoft   = color.NRGBA{0xb4, 0xb9, 0xc1, 0xff}
	colourGrid   = color.NRGBA{0x3a, 0x3f, 0x46, 0xff}

	colourKeys      = color.NRGBA{0x56, 0xb4, 0xe9, 0xff}
	colourMemory    = color.NRGBA{0xe6, 0x9f, 0x00, 0xff}
	colourMaxMemory = color.NRGBA{0xf0, 0xe4, 0x42, 0xff}
	colourLimit     = color.NRGBA{0xff, 0x6e, 0x3a, 0xff}
)

// colourOf is the colour of a mark.
func colourOf(kind Kind) color.NRGBA {
	switch kind {
	case Rollout:
		return color.NRGBA{0xff, 0xff, 0xff, 0xff}
	case Change:
		return color.NRGBA{0xe8, 0x9a, 0xc7, 0xff}
	case Fixed:
		return color.NRGBA{0x1f, 0xd1, 0x9b, 0xff}
	}
	return color.NRGBA{0xff, 0x5a, 0x5a, 0xff}
}

// style is text of that size, upright.
func style(size vg.Length, colour color.Color) text.Style {
	return text.Style{Color: colour, Font: font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, size), YAlign: draw.YCenter, Handler: plot.DefaultTextHandler}
}

// raise lifts text that is centred: the room below its base line counts, and is mostly empty.
const raise = 3

// writeIn writes one line in the middle of a row, from x on.
func writeIn(row draw.Canvas, s text.Style, x vg.Length, words string) {
	row.FillText(s, vg.Point{X: x, Y: (row.Min.Y+row.Max.Y)/2 + raise}, words)
}

// cut shortens a text to what fits.
func cut(words string, s text.Style, width vg.Length) string {
	runes := []rune(words)
	if s.Width(words) <= width {
		return words
	}
	for len(runes) > 0 && s.Width(string(runes)+"…") > width {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "…"
}
