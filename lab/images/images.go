// Package images makes the lab's container images out of what Debian has
// installed and what Go builds, as docker-archive tars that no registry serves.
//
// It owns the root filesystems and the images' names. It never talks to a
// container runtime, and never downloads anything.
package images

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// The images that need no look at the machine. The agent's tag moves with what
// it promises to the manifests, not with its every build.
const (
	Agent = "lab.local/langgraph-agent:1"
	Pause = "lab.local/pause:3.10"
)

// Packages are the Debian packages that must be installed before Build.
//
// redis-tools is enough: it holds the server's program too, and the package
// redis-server adds only a link to it and a service that would start.
func Packages() []string { return []string{"redis-tools", "busybox-static"} }

// Redis names the image of the installed Redis, such as lab.local/redis:7.0.15.
func Redis(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "redis-cli", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask redis-cli for its version: %w; install it: apt-get install %s", err, strings.Join(Packages(), " "))
	}
	fields := strings.Fields(string(out)) // redis-cli 7.0.15
	if len(fields) < 2 {
		return "", fmt.Errorf("redis-cli --version said %q: no version in it", out)
	}
	return "lab.local/redis:" + fields[1], nil
}

// Build writes every image into dir and returns the tars' paths. A tar is named
// by its content: one that is there already is kept, and the path tells whether
// it is new. Source is the folder of the lab's Go module.
func Build(ctx context.Context, source, dir string) ([]string, error) {
	redis, err := Redis(ctx)
	if err != nil {
		return nil, err
	}
	recipes := []struct {
		name string
		make func() (image, error)
	}{
		{redis, func() (image, error) { return redisImage(ctx) }},
		{Agent, func() (image, error) { return agentImage(ctx, source) }},
		{Pause, pauseImage},
	}
	var tars []string
	for _, recipe := range recipes {
		made, err := recipe.make()
		if err != nil {
			return nil, fmt.Errorf("make the image %s: %w", recipe.name, err)
		}
		tar, err := write(made, recipe.name, dir)
		if err != nil {
			return nil, fmt.Errorf("write the image %s: %w", recipe.name, err)
		}
		tars = append(tars, tar)
	}
	return tars, nil
}
