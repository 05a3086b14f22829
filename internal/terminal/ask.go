package terminal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Ask asks a question and reads one line, without the spaces around it. Its
// error says that nothing was answered: the input has ended, or ctx has.
func (t Terminal) Ask(ctx context.Context, in io.Reader, question string) (string, error) {
	fmt.Fprint(t.Out, t.style(bold, clean(question)))
	type answer struct {
		line string
		err  error
	}
	answered := make(chan answer, 1)
	go func() { // it stays in its read after ctx has ended: a read of a terminal cannot be called back
		line, err := line(in)
		answered <- answer{line, err}
	}()
	select {
	case a := <-answered:
		if a.err != nil {
			fmt.Fprintln(t.Out)
			return "", errors.New("not answered. Nothing was changed")
		}
		return a.line, nil
	case <-ctx.Done():
		fmt.Fprintln(t.Out)
		return "", errors.New("interrupted. Nothing was changed")
	}
}

// line reads to the end of a line and not beyond it, so that the next question
// finds the next line.
func line(in io.Reader) (string, error) {
	var text strings.Builder
	one := bufio.NewReaderSize(singly{in}, 16)
	for {
		b, err := one.ReadByte()
		if err != nil && text.Len() == 0 {
			return "", err
		}
		if err != nil || b == '\n' || text.Len() >= longestLine {
			return strings.TrimSpace(text.String()), nil
		}
		text.WriteByte(b)
	}
}

const longestLine = 1000

// singly reads one byte at a time.
type singly struct{ io.Reader }

func (s singly) Read(p []byte) (int, error) { return s.Reader.Read(p[:1]) }
