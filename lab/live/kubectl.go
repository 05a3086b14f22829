package live

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// kubectl is the folder of a kubectl, built once.
var kubectl = sync.OnceValues(func() (string, error) {
	repo, err := repoRoot()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(repo, "bin", "under-test", filepath.Base(os.Args[0])+"-tools")
	build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(folder, "kubectl"), "./bench/kubectl")
	build.Dir, build.Env = filepath.Join(repo, "lab"), append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build kubectl: %w\n%s", err, output)
	}
	return folder, nil
})

// Type runs command lines in a shell as the cluster's administrator would, one
// after another in one folder. The first that fails ends the test.
func (p *Patient) Type(lines ...string) {
	p.T.Helper()
	folder, err := kubectl()
	if err != nil {
		p.T.Fatal(err)
	}
	home := p.T.TempDir()
	for _, line := range lines {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(p.T.Context()), 90*time.Second) // also when the test has ended
		command := exec.CommandContext(ctx, "sh", "-c", line)
		command.Dir = home
		command.Env = append(os.Environ(), "KUBECONFIG="+p.Admin, "HOME="+home, "PATH="+folder+":"+os.Getenv("PATH"))
		output, err := command.CombinedOutput()
		cancel()
		if err != nil {
			p.T.Fatalf("%s: %v\n%s", line, err, output)
		}
		p.T.Logf("%s\n%s", line, strings.TrimSpace(string(output)))
	}
}
