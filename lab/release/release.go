// Package release makes what is published of a version: static binaries, a
// container image, a bill of materials for each binary, and their checksums.
//
// The same commit gives the same bytes: nothing in them is of the machine or of
// the moment.
package release

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Name is how the files begin.
const Name = "redis-session-bot"

// Platform is an operating system and a processor, as Go names them.
type Platform struct{ OS, Arch string }

// Platforms are those that a release is made for. The image has the Linux ones.
func Platforms() []Platform {
	return []Platform{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}}
}

// file is the name of the binary in a release.
func (p Platform) file() string { return fmt.Sprintf("%s-%s-%s", Name, p.OS, p.Arch) }

// Options say what is released.
type Options struct {
	Source  string    // the folder of the product's module
	Out     string    // the folder that the release is written to; what was there is replaced
	Version string    // what bot --version says
	Time    time.Time // of the commit: when the image was made, as far as it says
	Say     func(format string, args ...any)
}

// Make writes a release.
func Make(ctx context.Context, o Options) error {
	if err := os.RemoveAll(o.Out); err != nil {
		return fmt.Errorf("clear the folder: %w", err)
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	binaries := map[Platform]string{}
	var files []string
	for _, platform := range Platforms() {
		o.Say("building for %s/%s", platform.OS, platform.Arch)
		binary := filepath.Join(o.Out, platform.file())
		if err := compile(ctx, o, platform, binary); err != nil {
			return err
		}
		bom := binary + ".cdx.json"
		if err := billOfMaterials(binary, o.Version, bom); err != nil {
			return fmt.Errorf("bill of materials of %s: %w", filepath.Base(binary), err)
		}
		binaries[platform], files = binary, append(files, binary, bom)
	}
	o.Say("packing the image")
	image := filepath.Join(o.Out, Name+"-image.tar")
	if err := Image(o, binaries, image); err != nil {
		return fmt.Errorf("pack the image: %w", err)
	}
	return checksums(append(files, image), filepath.Join(o.Out, "SHA256SUMS"))
}

// compile builds the bot for a platform. The folder it is built in is not in it.
func compile(ctx context.Context, o Options, platform Platform, to string) error {
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid= -X main.version="+o.Version, "-o", to, "./cmd/bot")
	command.Dir = o.Source
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOOS="+platform.OS, "GOARCH="+platform.Arch, "GOAMD64=v1", "GOARM64=v8.0")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build for %s/%s: %w\n%s", platform.OS, platform.Arch, err, out)
	}
	return nil
}

// checksums writes what sha256sum -c reads.
func checksums(files []string, to string) error {
	var lines strings.Builder
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("read what was made: %w", err)
		}
		fmt.Fprintf(&lines, "%x  %s\n", sha256.Sum256(data), filepath.Base(file))
	}
	return os.WriteFile(to, []byte(lines.String()), 0o644)
}
