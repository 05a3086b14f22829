package images

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// image is a root filesystem and how it is started.
type image struct {
	root    tree
	user    string // uid:gid
	workdir string
	command []string
}

// sum is over everything that the image is made of, so that a known one need
// not be packed again to be recognised.
func (i image) sum(packed []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q\n", i.user, i.workdir, i.command)
	h.Write(packed)
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// assemble makes one layer and its configuration.
func (i image) assemble(packed []byte) (v1.Image, error) {
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(packed)), nil
	}, tarball.WithCompressionLevel(gzip.BestSpeed))
	if err != nil {
		return nil, fmt.Errorf("make the layer: %w", err)
	}
	whole, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, fmt.Errorf("append the layer: %w", err)
	}
	config, err := whole.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config = v1.Config{
		User: i.user, WorkingDir: i.workdir, Cmd: i.command,
		Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin"},
	}
	return mutate.ConfigFile(whole, config)
}

// write puts the image into dir as <name>-<tag>-<content>.tar, unless it is
// there. It appears whole or not at all.
func write(i image, reference, dir string) (string, error) {
	packed, err := i.root.layer()
	if err != nil {
		return "", err
	}
	file := fmt.Sprintf("%s-%s.tar", strings.NewReplacer("/", "_", ":", "-").Replace(reference), i.sum(packed))
	path := filepath.Join(dir, file)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	whole, err := i.assemble(packed)
	if err != nil {
		return "", err
	}
	tag, err := name.NewTag(reference)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	part, err := os.CreateTemp(dir, file+".part-")
	if err != nil {
		return "", err
	}
	defer os.Remove(part.Name())
	if err := errors.Join(tarball.Write(tag, whole, part), part.Close()); err != nil {
		return "", err
	}
	return path, os.Rename(part.Name(), path)
}
