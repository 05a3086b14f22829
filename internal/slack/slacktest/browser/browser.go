// Package browser drives a headless Chromium for tests and pictures, the way a
// person would: it looks for what is shown and presses what has a name.
//
// It owns the browser's process and its profile, and removes both. It never
// waits a fixed time, and its browser reaches loopback addresses only.
package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// ErrMissing means that no Chromium is installed.
var ErrMissing = errors.New("no Chromium on this machine: run scripts/chromium, then try again")

// ErrNotThere means that the page did not show what was looked for in time.
var ErrNotThere = errors.New("not there in time")

// Browser is one running Chromium with one tab. Its methods are for one
// goroutine at a time.
type Browser struct {
	// Patience is how long a method waits for what it looks for.
	Patience time.Duration
	// Scale is the number of picture pixels per CSS pixel of the next Open.
	Scale float64

	tab  context.Context
	stop func() error

	mu          sync.Mutex
	problems    []string
	interrupted int // fetches that a change of the machine's interfaces ended
}

// Start starts a browser that lives until Close or the end of ctx. Its clock
// is in UTC and its language is English, so that pictures and texts are the
// same everywhere. The error is ErrMissing where there is no Chromium.
func Start(ctx context.Context) (*Browser, error) {
	program, err := find()
	if err != nil {
		return nil, err
	}
	b := &Browser{Patience: 30 * time.Second, Scale: 1}
	options := append(chromedp.DefaultExecAllocatorOptions[:len(chromedp.DefaultExecAllocatorOptions):len(chromedp.DefaultExecAllocatorOptions)],
		chromedp.ExecPath(program),
		chromedp.NoSandbox, // Chromium refuses to run as root with it
		chromedp.DisableGPU,
		chromedp.Env("TZ=UTC"),
		chromedp.Flag("lang", "en-US"),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-features", "Translate,BackForwardCache"), // a page left is a page gone, with its connections
		chromedp.Flag("hide-scrollbars", true),
		// The last word on traffic: no other name or address resolves.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE ::1"),
	)
	allocator, stopAllocator := chromedp.NewExecAllocator(ctx, options...)
	tab, stopTab := chromedp.NewContext(allocator)
	b.tab = tab
	b.stop = sync.OnceValue(func() error {
		// Cancel closes the browser gently and waits; the other two take what is left.
		err := chromedp.Cancel(tab)
		stopTab()
		stopAllocator()
		return err
	})
	if err := chromedp.Listen(tab, b.listen); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", program, err), b.stop())
	}
	err = chromedp.Do(tab, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, log.Enable, cdp.Empty{})
		return err
	}))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", program, err), b.stop())
	}
	return b, nil
}

func find() (string, error) {
	for _, name := range [...]string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrMissing
}

// Close ends the browser and removes its profile. No process stays. A second
// Close does nothing and answers as the first one did.
func (b *Browser) Close() error {
	return b.stop()
}

// Open goes to an address with a window of the given size in CSS pixels, and
// waits until the page and all that it loads at once are there.
func (b *Browser) Open(url string, width, height int) error {
	ctx, cancel := b.patient()
	defer cancel()
	err := chromedp.Do(ctx, chromedp.EmulateViewport(int64(width), int64(height), chromedp.EmulateScale(b.Scale)))
	for err == nil {
		before := b.interruptions()
		err = chromedp.Do(ctx, chromedp.Navigate(url))
		interrupted := b.interruptions() > before || (err != nil && strings.Contains(err.Error(), networkChanged))
		if !interrupted || ctx.Err() != nil {
			break
		}
		err = nil
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", url, err)
	}
	return nil
}

// Chromium gives up what it is about to fetch whenever an interface of the
// machine comes or goes, such as a pod's; even what it fetches from loopback.
// That says nothing of the page.
const networkChanged = "net::ERR_NETWORK_CHANGED"

// Screenshot writes what the window shows as a PNG file, once all fonts and
// pictures are there.
func (b *Browser) Screenshot(path string) error {
	const settled = `Promise.all([document.fonts.ready, ...[...document.images].map(i => i.decode().catch(() => null))])` +
		`.then(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true)))))`
	ctx, cancel := b.patient()
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](settled, chromedp.EvalAwaitPromise)); err != nil {
		return fmt.Errorf("settle %s: %w", path, err)
	}
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return fmt.Errorf("picture %s: %w", path, err)
	}
	return os.WriteFile(path, png, 0o644)
}

// Problems is what went wrong inside of the page since Start: exceptions that
// nobody caught, refused scripts, files that were not there.
func (b *Browser) Problems() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.problems...)
}

func (b *Browser) listen(event any) {
	var problem string
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		problem = e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			problem += " " + e.ExceptionDetails.Exception.Description
		}
	case *log.EventEntryAdded:
		if e.Entry.Level != log.EntryLevelError {
			return
		}
		problem = strings.TrimSpace(e.Entry.Text + " " + e.Entry.URL)
	default:
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if strings.Contains(problem, networkChanged) {
		b.interrupted++
		return
	}
	b.problems = append(b.problems, problem)
}

func (b *Browser) interruptions() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.interrupted
}

func (b *Browser) patient() (context.Context, context.CancelFunc) {
	return context.WithTimeout(b.tab, b.Patience)
}

func (b *Browser) do(steps ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := b.patient()
	defer cancel()
	return chromedp.Do(ctx, steps...)
}
