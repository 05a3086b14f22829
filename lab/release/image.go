package release

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// The account in the image: nobody's, as in the Dockerfile.
const user = 65532

// home is where the incidents are, if they are in a file.
const home = "var/lib/redis-session-bot"

// Reference names the image of a version.
func Reference(version string) string { return Name + ":" + version }

// Image writes one archive in OCI's layout with an image for each Linux platform
// that there is a binary of: docker load, ctr image import and skopeo read it.
// There is nothing in it but the binary and the roots of TLS, which are Mozilla's as
// golang.org/x/crypto has them, not this machine's.
func Image(o Options, binaries map[Platform]string, to string) error {
	var index v1.ImageIndex = mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, platform := range Platforms() { // in this order, for the same bytes
		binary, ok := binaries[platform]
		if platform.OS != "linux" || !ok {
			continue
		}
		image, err := imageOf(o, platform, binary)
		if err != nil {
			return fmt.Errorf("%s/%s: %w", platform.OS, platform.Arch, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: platform.OS, Architecture: platform.Arch}}})
	}
	folder, err := os.MkdirTemp(o.Out, "layout-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	path, err := layout.Write(folder, empty.Index)
	if err != nil {
		return fmt.Errorf("begin the layout: %w", err)
	}
	reference := Reference(o.Version)
	if err := path.AppendIndex(index, layout.WithAnnotations(map[string]string{
		"org.opencontainers.image.ref.name": o.Version, "io.containerd.image.name": "docker.io/library/" + reference})); err != nil {
		return fmt.Errorf("write the layout: %w", err)
	}
	return archive(folder, to)
}

// imageOf is the image for one platform.
func imageOf(o Options, platform Platform, binary string) (v1.Image, error) {
	program, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	packed, err := rootFiles(program)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed)), nil }, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, fmt.Errorf("make the layer: %w", err)
	}
	image, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1), layer)
	if err != nil {
		return nil, fmt.Errorf("append the layer: %w", err)
	}
	return mutate.ConfigFile(mutate.ConfigMediaType(image, types.OCIConfigJSON), &v1.ConfigFile{
		OS: platform.OS, Architecture: platform.Arch, Created: v1.Time{Time: o.Time.UTC()}, RootFS: rootOf(image),
		Config: v1.Config{User: fmt.Sprintf("%d:%d", user, user), WorkingDir: "/", Entrypoint: []string{"/bot"}, Cmd: []string{"serve"},
			Env:    []string{"REDIS_SESSION_BOT_STORE_PATH=/" + home + "/incidents.db"},
			Labels: map[string]string{"org.opencontainers.image.version": o.Version, "org.opencontainers.image.licenses": "Apache-2.0", "org.opencontainers.image.title": Name}},
	})
}

// rootOf is the list of layers, which the configuration has to repeat.
func rootOf(image v1.Image) v1.RootFS {
	config, err := partial.ConfigFile(image.(partial.WithRawConfigFile))
	if err != nil {
		return v1.RootFS{Type: "layers"} // it was made a line before
	}
	return config.RootFS
}

// rootFiles is the root filesystem as a tar without times.
func rootFiles(program []byte) ([]byte, error) {
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	var err error
	file := func(name string, mode int64, content []byte) {
		err = errors.Join(err, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content)), Format: tar.FormatPAX}))
		_, failure := w.Write(content)
		err = errors.Join(err, failure)
	}
	file("bot", 0o755, program)
	file("etc/ssl/certs/ca-certificates.crt", 0o644, roots())
	for _, folder := range []string{"tmp/", "var/", "var/lib/", home + "/"} {
		header := tar.Header{Typeflag: tar.TypeDir, Name: folder, Mode: 0o755, Format: tar.FormatPAX}
		if folder == home+"/" {
			header.Uid, header.Gid = user, user
		}
		if folder == "tmp/" {
			header.Mode = 0o1777
		}
		err = errors.Join(err, w.WriteHeader(&header))
	}
	return packed.Bytes(), errors.Join(err, w.Close())
}

// roots are the certificates that TLS trusts, as PEM. Those that are trusted with a
// constraint are left out: a file of PEM cannot say it.
func roots() []byte {
	var all bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&all, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a Buffer takes everything
		}
	}
	return all.Bytes()
}

// archive packs a folder, in the order of its names and without times.
func archive(folder, to string) (err error) {
	file, err := os.Create(to)
	if err != nil {
		return err
	}
	w := tar.NewWriter(file)
	defer func() { err = errors.Join(err, w.Close(), file.Close()) }()
	return filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		name, failure := filepath.Rel(folder, path)
		if err = errors.Join(err, failure); err != nil || name == "." {
			return err
		}
		if entry.IsDir() {
			return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: filepath.ToSlash(name) + "/", Mode: 0o755, Format: tar.FormatPAX})
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: filepath.ToSlash(name), Mode: 0o644, Size: int64(len(data)), Format: tar.FormatPAX}); err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	})
}
