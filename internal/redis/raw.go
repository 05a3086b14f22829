package redis

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
)

const (
	// greetingTimeout is how long a server may take to turn a client away
	// before it is asked anything.
	greetingTimeout = 150 * time.Millisecond
	// maxAnswer bounds in bytes what is read of one answer.
	maxAnswer = 4 << 10
)

// lookRaw reads the first bytes of a connection of its own. The client library
// hides what a server says before it hangs up at once, such as "max number of
// clients reached": its caller sees a broken pipe. It reports whether a client
// may be tried.
func (a *asking) lookRaw(ctx context.Context, dial Dial) bool {
	conn, err := dial(ctx)
	if !a.heard(stageDial, err) {
		return false
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	answer, err := greeting(conn)
	if answer == "" && isTimeout(err) && ctx.Err() == nil {
		_ = conn.SetDeadline(time.Now().Add(answerTimeout))
		answer, err = ask(conn, "PING\r\n")
	}
	if err != nil && answer == "" {
		stage := stagePing
		if errors.Is(err, syscall.ECONNREFUSED) || !errors.Is(err, io.EOF) && !isTimeout(err) && !errors.Is(err, syscall.ECONNRESET) {
			stage = stageDial
		}
		return a.heard(stage, err)
	}
	switch {
	case strings.HasPrefix(answer, "-NOAUTH"):
		a.result.Info[KeyNeedsPassword] = "yes"
		return true
	case strings.HasPrefix(answer, "-ERR max number of clients"), strings.HasPrefix(answer, "-DENIED"):
		return a.heard(stagePing, errors.New(strings.TrimPrefix(answer, "-")))
	case strings.HasPrefix(answer, "+"), strings.HasPrefix(answer, "-"):
		a.result.Info[KeyNeedsPassword] = "no"
		return true
	}
	return a.heard(stagePing, errors.New("the answer is not Redis' protocol"))
}

// greeting waits for what a server says by itself; a timeout is the usual case.
func greeting(conn net.Conn) (string, error) {
	if err := conn.SetReadDeadline(time.Now().Add(greetingTimeout)); err != nil {
		return "", err
	}
	return readLine(conn)
}

func ask(conn net.Conn, command string) (string, error) {
	if _, err := io.WriteString(conn, command); err != nil {
		return "", err
	}
	return readLine(conn)
}

func readLine(conn net.Conn) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(conn, maxAnswer)).ReadString('\n')
	return strings.TrimSpace(line), err
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}

// text is an error as a client's log has it, without the password.
func (a *asking) text(err error) string {
	var number syscall.Errno
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case isTimeout(err):
		return "i/o timeout"
	case errors.Is(err, io.EOF):
		return "EOF: the server closed the connection"
	case errors.As(err, &number):
		return number.Error()
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	if a.password != "" {
		text = strings.ReplaceAll(text, a.password, "[redacted]")
	}
	return text
}
