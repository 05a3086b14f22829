package live

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Type runs command lines in a shell as the cluster's administrator would, one
// after another in one folder. The first that fails ends the test.
func (p *Patient) Type(lines ...string) {
	p.T.Helper()
	home := p.T.TempDir()
	for _, line := range lines {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(p.T.Context()), 90*time.Second) // also when the test has ended
		output, err := p.shell(ctx, home, line).CombinedOutput()
		cancel()
		if err != nil {
			p.T.Fatalf("%s: %v\n%s", line, err, output)
		}
		p.T.Logf("%s\n%s", line, strings.TrimSpace(string(output)))
	}
}

// shell is a command line as the cluster's administrator runs it in a folder.
func (p *Patient) shell(ctx context.Context, home, line string) *exec.Cmd {
	p.T.Helper()
	folder, err := kubectl()
	if err != nil {
		p.T.Fatal(err)
	}
	command := exec.CommandContext(ctx, "sh", "-c", line)
	command.Dir = home
	command.Env = append(os.Environ(), "KUBECONFIG="+p.Admin, "HOME="+home, "PATH="+folder+":"+os.Getenv("PATH"))
	return command
}
