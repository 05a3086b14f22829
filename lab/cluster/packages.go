package cluster

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Package is a package of Debian that the lab needs, and why.
type Package struct{ Name, Why string }

// debianPackages are what the cluster needs.
var debianPackages = []Package{
	{"containerd", "runs the pods"},
	{"runc", "starts their containers"},
	{"containernetworking-plugins", "connects them"},
	{"iptables", "carries Services to pods"},
	{"redis-tools", "holds the lab's Redis"},
	{"busybox-static", "is the shell in the lab's images"},
}

// Install installs what is missing, and says so first. No service of theirs is
// started.
func Install(ctx context.Context, out io.Writer, packages []Package) error {
	var missing []string
	for _, pkg := range packages {
		status, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f", "${db:Status-Status}", pkg.Name).Output()
		if err == nil && string(status) == "installed" {
			continue
		}
		fmt.Fprintf(out, "  installing Debian's %s: it %s\n", pkg.Name, pkg.Why)
		missing = append(missing, pkg.Name)
	}
	if len(missing) == 0 {
		return nil
	}
	remove, err := noServices()
	if err != nil {
		return err
	}
	defer remove()
	// Another part of the set-up may be installing at the same time.
	wait := []string{"-o", "DPkg::Lock::Timeout=600"}
	for _, args := range [][]string{append(wait, "update"), slices.Concat(wait, []string{"install", "-y", "--no-install-recommends"}, missing)} {
		command := exec.CommandContext(ctx, "apt-get", args...)
		command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
		if output, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", strings.Join(args, " "), err, lastLines(output, 10))
		}
	}
	return nil
}

// noServices keeps Debian from starting the services of what is installed.
func noServices() (remove func(), err error) {
	const (
		file   = "/usr/sbin/policy-rc.d"
		policy = "#!/bin/sh\n# by redis-session-bot's lab, while it installs\nexit 101\n"
	)
	have, err := os.ReadFile(file)
	if err == nil && string(have) != policy {
		return func() {}, nil // the machine has a policy of its own
	}
	if err := os.WriteFile(file, []byte(policy), 0o755); err != nil {
		return nil, fmt.Errorf("keep services from starting: %w", err)
	}
	return func() { _ = os.Remove(file) }, nil
}

func lastLines(output []byte, n int) string {
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// buildKube gives the path of the binary that is every program of Kubernetes.
// It is compiled once for each state of its sources.
func buildKube(ctx context.Context, repo string, out io.Writer) (string, error) {
	sum, err := kubeSum(repo)
	if err != nil {
		return "", err
	}
	repo, err = filepath.Abs(repo)
	if err != nil {
		return "", err
	}
	tools := filepath.Join(repo, ".tools")
	path := filepath.Join(tools, "kube-"+sum)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(tools, 0o755); err != nil {
		return "", err
	}
	fmt.Fprintln(out, "  compiling Kubernetes, once; this takes about 8 minutes on 2 cores")
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path+".new", "./cmd/kube")
	command.Dir = filepath.Join(repo, "lab")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	began := time.Now()
	if err := command.Start(); err != nil {
		return "", fmt.Errorf("go build: %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- command.Wait() }()
	ticker := time.NewTicker(30 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case err := <-done:
			if err != nil {
				return "", fmt.Errorf("go build: %w\n%s", err, lastLines(output.Bytes(), 10))
			}
			return path, os.Rename(path+".new", path)
		case <-ticker.C:
			fmt.Fprintf(out, "  still compiling, %.0f s\n", time.Since(began).Seconds())
		}
	}
}

// kubeSum is a hash of what the binary is made of.
func kubeSum(repo string) (string, error) {
	hash := sha256.New()
	var files []string
	err := filepath.WalkDir(filepath.Join(repo, "lab", "cmd", "kube"), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("find the sources of the lab's Kubernetes: %w", err)
	}
	for _, file := range files {
		if err := hashFile(hash, file); err != nil {
			return "", err
		}
	}
	// Of the module only Kubernetes' own versions count: a new library of the
	// bot's does not make another Kubernetes.
	data, err := os.ReadFile(filepath.Join(repo, "lab", "go.mod"))
	if err != nil {
		return "", err
	}
	var versions []string
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, "k8s.io/") || strings.Contains(line, "etcd") || strings.Contains(line, "coredns") {
			line, _, _ = strings.Cut(line, "//")
			versions = append(versions, strings.TrimSpace(line))
		}
	}
	slices.Sort(versions)
	io.WriteString(hash, strings.Join(versions, "\n"))
	return hex.EncodeToString(hash.Sum(nil))[:12], nil
}

func hashFile(hash io.Writer, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(hash, file)
	return err
}
