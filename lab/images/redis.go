package images

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path"
	"strings"
)

// redisUser is the user that the image's files and the manifests name, the same
// number as in the official image.
func redisUser() owner { return owner{999, 999} }

// redisImage holds Debian's Redis: the server, its client, its repair tools,
// the libraries that they load, and busybox.
func redisImage(ctx context.Context) (image, error) {
	t := tree{}
	if err := t.addBusybox(); err != nil {
		return image{}, err
	}
	// One program is the server and both checkers: it looks at its own name.
	for _, name := range []string{"redis-check-rdb", "redis-cli", "redis-benchmark"} {
		if err := t.addProgram(ctx, "/usr/bin/"+name); err != nil {
			return image{}, err
		}
	}
	t.link("/usr/bin/redis-server", "redis-check-rdb")
	t.link("/usr/bin/redis-check-aof", "redis-check-rdb")
	t.users("redis", redisUser())
	t.folder("/data", 0o755, redisUser())
	return image{root: t, user: "999:999", workdir: "/data", command: []string{"redis-server"}}, nil
}

// addProgram copies a program and each library that the loader finds for it.
func (t tree) addProgram(ctx context.Context, program string) error {
	if err := t.copyFile(program, program, 0o755); err != nil {
		return fmt.Errorf("%w; install it: apt-get install %s", err, strings.Join(Packages(), " "))
	}
	out, err := exec.CommandContext(ctx, "ldd", program).Output()
	if err != nil {
		return fmt.Errorf("list the libraries of %s: %w", program, err)
	}
	libraries, err := parseLibraries(string(out))
	if err != nil {
		return fmt.Errorf("list the libraries of %s: %w", program, err)
	}
	for _, library := range libraries {
		if err := t.copyFile(library, library, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// parseLibraries reads what ldd prints, one library a line:
// "libm.so.6 => /lib/…/libm.so.6 (0x…)" or "/lib64/ld-linux-x86-64.so.2 (0x…)".
func parseLibraries(text string) ([]string, error) {
	var found []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, "not found") {
			return nil, errors.New(strings.TrimSpace(line))
		}
		for _, field := range strings.Fields(line) {
			if path.IsAbs(field) {
				found = append(found, path.Clean(field))
			}
		}
	}
	return found, nil
}
