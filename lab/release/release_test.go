package release

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// TestTheImage packs the same programs twice: the same bytes, an image for each
// Linux platform, not root, and nothing in it but the program.
func TestTheImage(t *testing.T) {
	binaries := map[Platform]string{}
	for _, platform := range Platforms() {
		binaries[platform] = filepath.Join(t.TempDir(), platform.file())
		if err := os.WriteFile(binaries[platform], []byte("the program for "+platform.Arch), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var packed [][]byte
	for range 2 {
		o := Options{Out: t.TempDir(), Version: "v1.2.3", Time: time.Unix(1_790_000_000, 0)}
		file := filepath.Join(o.Out, "image.tar")
		if err := Image(o, binaries, file); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		packed = append(packed, data)
		if left, err := os.ReadDir(o.Out); err != nil || len(left) != 1 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
	if !bytes.Equal(packed[0], packed[1]) {
		t.Error("the same programs give other bytes")
	}
	blobs := files(t, packed[0])
	var outer, inner v1.IndexManifest
	decode(t, blobs["index.json"], &outer)
	if len(outer.Manifests) != 1 || outer.Manifests[0].Annotations["org.opencontainers.image.ref.name"] != "v1.2.3" {
		t.Fatalf("index: %+v", outer)
	}
	decode(t, blobs[blob(outer.Manifests[0].Digest)], &inner)
	var arches []string
	for _, one := range inner.Manifests {
		arches = append(arches, one.Platform.String())
		var manifest v1.Manifest
		decode(t, blobs[blob(one.Digest)], &manifest)
		var config v1.ConfigFile
		decode(t, blobs[blob(manifest.Config.Digest)], &config)
		if config.Config.User != "65532:65532" || !slices.Equal(config.Config.Entrypoint, []string{"/bot"}) || config.Architecture != one.Platform.Architecture || len(config.RootFS.DiffIDs) != 1 {
			t.Errorf("%s: %+v", one.Platform, config)
		}
		if len(manifest.Layers) != 1 {
			t.Errorf("%s: %d layers", one.Platform, len(manifest.Layers))
		}
	}
	if !slices.Equal(arches, []string{"linux/amd64", "linux/arm64"}) {
		t.Errorf("platforms: %q", arches)
	}
}

func blob(digest v1.Hash) string { return "blobs/" + digest.Algorithm + "/" + digest.Hex }

func files(t *testing.T, packed []byte) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	r := tar.NewReader(bytes.NewReader(packed))
	for {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if all[header.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

func decode(t *testing.T, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%v: %q", err, data)
	}
}

// TestTheBillOfMaterials is of a binary, here of this test, which names no modules; twice alike.
func TestTheBillOfMaterials(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var lists [][]byte
	for range 2 {
		to := filepath.Join(t.TempDir(), "bom.json")
		if err := billOfMaterials(self, "v1.2.3", to); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(to)
		if err != nil {
			t.Fatal(err)
		}
		lists = append(lists, data)
	}
	for _, wanted := range []string{`"name": "std"`, `"version": "v1.2.3"`} {
		if !strings.Contains(string(lists[0]), wanted) {
			t.Errorf("it does not name %s", wanted)
		}
	}
	if !bytes.Equal(lists[0], lists[1]) {
		t.Error("the same binary gives another list")
	}
}
