package images

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// agentUser runs the application.
func agentUser() owner { return owner{1000, 1000} }

// agentImage holds the application, built static, and busybox for whoever has
// to look around in its pod.
func agentImage(ctx context.Context, source string) (image, error) {
	dir, err := os.MkdirTemp("", "langgraph-agent-")
	if err != nil {
		return image{}, err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "langgraph-agent")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", program, "./app")
	build.Dir = source
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return image{}, fmt.Errorf("build ./app in %s: %w\n%s", source, err, out)
	}
	t := tree{}
	if err := t.addBusybox(); err != nil {
		return image{}, err
	}
	if err := t.copyFile("/usr/bin/langgraph-agent", program, 0o755); err != nil {
		return image{}, err
	}
	t.users("agent", agentUser())
	return image{root: t, user: "1000:1000", workdir: "/", command: []string{"/usr/bin/langgraph-agent"}}, nil
}

// pauseImage holds a pod's namespaces open by sleeping for 68 years. The
// runtime ends it by SIGKILL, so it need not listen to any signal.
func pauseImage() (image, error) {
	t := tree{}
	if err := t.copyFile("/bin/busybox", "/bin/busybox", 0o755); err != nil {
		return image{}, fmt.Errorf("%w; install it: apt-get install busybox-static", err)
	}
	t.link("/bin/sleep", "busybox")
	t.link("/pause", "/bin/busybox")
	return image{root: t, user: "65534:65534", workdir: "/", command: []string{"/bin/sleep", "2147483647"}}, nil
}
