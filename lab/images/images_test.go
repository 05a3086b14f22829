package images

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func TestLayerIsSortedWholeAndTheSameEachTime(t *testing.T) {
	root := tree{}
	root.file("/usr/bin/x", 0o755, []byte("x"))
	root.link("/bin/y", "busybox")
	root.folder("/tmp", 0o777|os.ModeSticky, owner{1, 2})
	first, err := root.layer()
	if err != nil {
		t.Fatal(err)
	}
	second, _ := root.layer()
	if !bytes.Equal(first, second) {
		t.Error("two layers of one tree differ")
	}
	var names []string
	r := tar.NewReader(bytes.NewReader(first))
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if h.Name == "tmp/" && (h.Mode != 0o1777 || h.Uid != 1 || h.Gid != 2) {
			t.Errorf("tmp is %o of %d:%d", h.Mode, h.Uid, h.Gid)
		}
	}
	if want := []string{"bin/", "bin/y", "tmp/", "usr/", "usr/bin/", "usr/bin/x"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}

func TestParseLibraries(t *testing.T) {
	got, err := parseLibraries(`	linux-vdso.so.1 (0x00007fd63c69f000)
	libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007fd63c320000)
	/lib64/ld-linux-x86-64.so.2 (0x00007fd63c6a1000)
`)
	if want := []string{"/lib/x86_64-linux-gnu/libm.so.6", "/lib64/ld-linux-x86-64.so.2"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if _, err := parseLibraries("\tlibx.so.1 => not found\n"); err == nil || !strings.Contains(err.Error(), "libx.so.1") {
		t.Errorf("a missing library: %v", err)
	}
}

// TestBuild makes the images of this machine and looks into each.
func TestBuild(t *testing.T) {
	dir := t.TempDir()
	tars, err := Build(t.Context(), "..", dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Build(t.Context(), "..", dir)
	if err != nil || !slices.Equal(tars, again) {
		t.Errorf("a second build gave %q, %v; want the same files %q", again, err, tars)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.part-*")); len(left) > 0 {
		t.Errorf("unfinished files are left: %q", left)
	}
	redis, err := Redis(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	holds := map[string][]string{
		redis: {"usr/bin/redis-server", "usr/bin/redis-cli", "usr/bin/redis-check-aof", "usr/bin/redis-check-rdb",
			"bin/sh", "bin/cp", "bin/ls", "bin/cat", "bin/dd", "bin/stat", "bin/tar", "data"},
		Agent: {"usr/bin/langgraph-agent", "bin/sh", "bin/nc"},
		Pause: {"bin/sleep", "pause"},
	}
	for _, path := range tars {
		reference, files := lookInto(t, path)
		for _, want := range holds[reference] {
			if !slices.Contains(files, want) {
				t.Errorf("%s holds no /%s", reference, want)
			}
		}
		for _, file := range files {
			if strings.HasSuffix(file, "/bash") || strings.Contains(file, "python") {
				t.Errorf("%s holds /%s", reference, file)
			}
		}
		delete(holds, reference)
	}
	if len(holds) > 0 {
		t.Errorf("not built: %v", holds)
	}
}

// lookInto reads an archive's tag and the files of its filesystem.
func lookInto(t *testing.T, path string) (reference string, files []string) {
	t.Helper()
	manifest, err := tarball.LoadManifest(func() (io.ReadCloser, error) { return os.Open(path) })
	if err != nil {
		t.Fatal(err)
	}
	img, err := tarball.ImageFromPath(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	content := mutate.Extract(img)
	defer content.Close()
	r := tar.NewReader(content)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return manifest[0].RepoTags[0], files
		}
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, strings.TrimSuffix(h.Name, "/"))
	}
}
