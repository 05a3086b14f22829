package picture

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"redis-session-bot/internal/evidence"
)

// pictures keeps what the tests draw: go test … -pictures DIR
var pictures = flag.String("pictures", "", "a folder to keep the tests' pictures in")

var start = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)

const mebi = 1 << 20

// samples are those of every half minute, n of them; a value below zero is a gap.
func samples(n int, value func(minute float64) float64) []evidence.Sample {
	var all []evidence.Sample
	for i := range n {
		if v := value(float64(i) / 2); v >= 0 {
			all = append(all, evidence.Sample{At: start.Add(time.Duration(i) * 30 * time.Second), Value: v})
		}
	}
	return all
}

func level(n int, value float64) []evidence.Sample {
	return samples(n, func(float64) float64 { return value })
}

func minute(m float64) time.Time { return start.Add(time.Duration(m * float64(time.Minute))) }

// emptied is a store that comes back without a key after a rollout.
func emptied() Incident {
	held := func(before, left float64) func(float64) float64 {
		return func(m float64) float64 {
			switch {
			case m < 122:
				return before * (1 + m/3000)
			case m < 125:
				return -1
			}
			return left
		}
	}
	return Incident{Title: "INC-7 · langgraph-agent/redis-session", Limit: 512 * mebi,
		Series: evidence.Prometheus{Keys: samples(300, held(12000, 0)), Memory: samples(300, held(180*mebi, 2*mebi)), MaxMemory: samples(300, held(256*mebi, 256*mebi))},
		Marks:  []Mark{{At: minute(121.7), Label: "rollout 8 of redis-session", Kind: Rollout}}}
}

// fills climbs to its limit, is killed again and again, and is mended.
func fills() Incident {
	climbs := func(most float64) func(float64) float64 {
		return func(m float64) float64 {
			if m > 110 && m < 135 && int(m)%5 < 2 {
				return -1
			}
			return most * min(1, 0.3+m/150)
		}
	}
	return Incident{Title: "INC-12 · production-eu-central/redis-session-primary", Limit: 256 * mebi,
		Series: evidence.Prometheus{Keys: samples(300, climbs(1_240_000)), Memory: samples(300, climbs(250*mebi)), MaxMemory: samples(300, func(m float64) float64 {
			if m > 136 {
				return 384 * mebi
			}
			return 240 * mebi
		})},
		Marks: []Mark{
			{At: minute(111), Label: "alert RedisHighMemoryUsage", Kind: Alert}, {At: minute(112), Label: "alert RedisSessionStoreDown", Kind: Alert},
			{At: minute(60), Label: "rollout 7", Kind: Rollout}, {At: minute(118), Label: "rollout 8", Kind: Rollout},
			{At: minute(120), Label: "plan 1: restart redis-session with a limit that somebody has typed in", Kind: Change}, {At: minute(122), Label: "undo plan 1", Kind: Change},
			{At: minute(134), Label: "plan 3: give it more memory", Kind: Change}, {At: minute(139), Label: "verified: fixed", Kind: Fixed}}}
}

func healthy() Incident {
	return Incident{Title: "INC-1 · langgraph-agent/redis-session", Limit: 8 << 30,
		Series: evidence.Prometheus{Keys: level(300, 412), Memory: level(300, 31.4*mebi), MaxMemory: level(300, 64*mebi)},
		Marks:  []Mark{{At: minute(149.5), Label: "incident opened", Kind: Alert}}}
}

// drawn is the picture, read back.
func drawn(t *testing.T, name string, of Incident) image.Image {
	t.Helper()
	var file bytes.Buffer
	if err := Draw(&file, of); err != nil {
		t.Fatalf("draw %s: %v", name, err)
	}
	if *pictures != "" {
		if err := os.WriteFile(filepath.Join(*pictures, name+".png"), file.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	read, err := png.Decode(&file)
	if err != nil {
		t.Fatalf("%s is no PNG: %v", name, err)
	}
	return read
}

// columns are those that have a colour below the names at the top, as runs of
// more than a few pixels.
func columns(read image.Image, colour color.NRGBA) (runs [][2]int) {
	in := func(x int) bool {
		for y := margin + titleRow + nameRow; y < read.Bounds().Max.Y; y++ {
			if color.NRGBAModel.Convert(read.At(x, y)) == color.Color(colour) {
				return true
			}
		}
		return false
	}
	for x := 0; x < read.Bounds().Max.X; x++ {
		switch {
		case !in(x):
		case len(runs) > 0 && runs[len(runs)-1][1] == x-1:
			runs[len(runs)-1][1] = x
		default:
			runs = append(runs, [2]int{x, x})
		}
	}
	return runs
}

func TestThePictureHasEveryLineAndMark(t *testing.T) {
	read := drawn(t, "fills", fills())
	if size := read.Bounds().Size(); size.X != Width || size.Y < 1200 || size.Y > 2000 {
		t.Errorf("it is %s large", size)
	}
	for what, colour := range map[string]color.NRGBA{"keys": colourKeys, "memory": colourMemory, "maxmemory": colourMaxMemory, "the limit": colourLimit,
		"an alert": colourOf(Alert), "a rollout": colourOf(Rollout), "a change": colourOf(Change), "the fix": colourOf(Fixed)} {
		if len(columns(read, colour)) == 0 {
			t.Errorf("%s is not there", what)
		}
	}
	bare := fills()
	bare.Marks, bare.Limit, bare.Series.MaxMemory = nil, 0, nil
	read = drawn(t, "bare", bare)
	for what, colour := range map[string]color.NRGBA{"maxmemory": colourMaxMemory, "the limit": colourLimit, "an alert": colourOf(Alert), "a change": colourOf(Change), "the fix": colourOf(Fixed)} {
		if len(columns(read, colour)) > 0 {
			t.Errorf("%s is there, and was not given", what)
		}
	}
}

func TestAGapStaysAGap(t *testing.T) {
	of := emptied()
	of.Marks = nil
	runs := columns(drawn(t, "gap", of), colourKeys)
	if len(runs) != 2 {
		t.Fatalf("the line of keys has %d parts: %v", len(runs), runs)
	}
	if gap := runs[1][0] - runs[0][1]; gap < 10 || gap > 40 {
		t.Errorf("3 of 150 minutes are %d pixels", gap)
	}
	of.Series.Keys = level(300, 12000)
	if runs := columns(drawn(t, "no-gap", of), colourKeys); len(runs) != 1 {
		t.Errorf("a line without a gap has %d parts: %v", len(runs), runs)
	}
}

func TestWhatIsFarAboveIsToldAndNotDrawn(t *testing.T) {
	far := healthy() // its limit is 8 GiB
	if runs := columns(drawn(t, "healthy", far), colourLimit); len(runs) == 0 || runs[len(runs)-1][1] > Width*0.95 {
		t.Errorf("the limit far above is in columns %v, and should be a name only", runs)
	}
	far.Limit = 64 * mebi
	if runs := columns(drawn(t, "limit", far), colourLimit); runs[len(runs)-1][1] < Width*0.95 {
		t.Errorf("the limit is not drawn to the end: %v", runs)
	}
}

func TestLaterSamplesAreLeftOut(t *testing.T) {
	of := emptied()
	of.Marks, of.Until = nil, minute(100)
	if runs := columns(drawn(t, "until", of), colourKeys); len(runs) != 1 {
		t.Errorf("what came later is drawn: %v", runs)
	}
}

func TestNothingIsNotDrawn(t *testing.T) {
	one := level(1, 5)
	for name, series := range map[string]evidence.Prometheus{"no series": {}, "one sample each": {Keys: one, Memory: one}, "up alone": {Up: level(9, 1), MaxMemory: level(9, 1)}} {
		var file bytes.Buffer
		if err := Draw(&file, Incident{Series: series}); !errors.Is(err, ErrNothing) || file.Len() > 0 {
			t.Errorf("%s: %v, %d bytes", name, err, file.Len())
		}
	}
}

func TestOddSeriesAreDrawn(t *testing.T) {
	at := []evidence.Sample{{At: start, Value: 1}, {At: start, Value: 2}}
	days := []evidence.Sample{{At: start, Value: 1e12}, {At: start.AddDate(0, 0, 30), Value: 1}, {At: start.AddDate(0, 2, 0), Value: 0}}
	crowd := []Mark{}
	for n := range 40 {
		crowd = append(crowd, Mark{minute(5), fmt.Sprint("change ", n), Change})
	}
	for name, of := range map[string]Incident{
		"keys alone":     {Series: evidence.Prometheus{Keys: level(9, 3)}},
		"memory alone":   {Series: evidence.Prometheus{Memory: level(9, 3*mebi)}},
		"all zero":       {Series: evidence.Prometheus{Keys: level(9, 0), Memory: level(9, 0), MaxMemory: level(9, 0)}},
		"one moment":     {Series: evidence.Prometheus{Keys: at}},
		"months":         {Series: evidence.Prometheus{Keys: days, Memory: days}},
		"every other":    {Series: evidence.Prometheus{Keys: samples(90, func(m float64) float64 { return float64(int(m*2)%3) - 1 })}},
		"marks at once":  {Series: evidence.Prometheus{Keys: level(60, 3)}, Marks: crowd},
		"a mark of old":  {Series: evidence.Prometheus{Keys: level(9, 3)}, Marks: []Mark{{At: start.AddDate(0, 0, -12)}}},
		"foreign script": {Title: "日本 \u202e <!channel>", Series: evidence.Prometheus{Keys: level(9, 3)}, Marks: []Mark{{At: minute(1), Label: "改行\nab"}}},
	} {
		if size := drawn(t, name, of).Bounds().Size(); size.X != Width || size.Y > 2400 {
			t.Errorf("%s: it is %s large", name, size)
		}
	}
}

func TestBadgesDoNotTouch(t *testing.T) {
	over := span{start, minute(150)}
	var marks []Mark
	for _, m := range []float64{0, 1, 2, 3, 20, 21, 60, 149, 150} {
		marks = append(marks, Mark{At: minute(m)})
	}
	badges := stagger(marks, over)
	for i, a := range badges {
		for _, b := range badges[:i] {
			// The panel of a real picture is at least this wide.
			if apart := (over.part(a.mark.At) - over.part(b.mark.At)) * Width * 0.78; a.row == b.row && apart < badgeSize {
				t.Errorf("%d and %d are %.0f pixels apart in one row", b.number, a.number, apart)
			}
		}
	}
	if n := rows(badges); n != 4 {
		t.Errorf("they take %d rows", n)
	}
}

// TestSeveralAreDrawnAtOnce is for the race detector: the fonts are shared.
func TestSeveralAreDrawnAtOnce(t *testing.T) {
	var drawing sync.WaitGroup
	var files [4]bytes.Buffer
	for n := range files {
		drawing.Go(func() {
			if err := Draw(&files[n], emptied()); err != nil {
				t.Error(err)
			}
		})
	}
	drawing.Wait()
	for n := range files {
		if !bytes.Equal(files[n].Bytes(), files[0].Bytes()) {
			t.Errorf("picture %d is another one", n)
		}
	}
}
