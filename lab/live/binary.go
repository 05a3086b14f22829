package live

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
)

// Bot is the bot's binary, of the sources as they are.
var Bot = sync.OnceValues(func() (string, error) { return binary("bot", "", "./cmd/bot") })

// kubectl is the folder that has what people type with.
var kubectl = sync.OnceValues(func() (string, error) {
	file, err := binary(filepath.Join("tools", "kubectl"), "lab", "./bench/kubectl")
	return filepath.Dir(file), err
})

// binary builds a program of one of the repository's modules. Packages that are
// tested at the same time share it: the first links it, and the others find it as
// it should be.
func binary(name, module, program string) (file string, failure error) {
	repo, err := repoRoot()
	if err != nil {
		return "", err
	}
	file = filepath.Join(repo, "bin", "under-test", name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(file+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer func() { failure = errors.Join(failure, lock.Close()) }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("wait for who builds %s: %w", name, err)
	}
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file, program)
	build.Dir, build.Env = filepath.Join(repo, module), append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", name, err, output)
	}
	return file, nil
}
