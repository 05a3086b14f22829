package images

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// owner is a user and a group by number.
type owner struct{ uid, gid int }

// entry is one file, folder or link of a root filesystem.
type entry struct {
	mode    fs.FileMode // with its type
	owner   owner
	content []byte
	link    string // where a symbolic link points
}

// tree is a root filesystem by absolute path.
type tree map[string]entry

func (t tree) folder(name string, mode fs.FileMode, o owner) {
	t[name] = entry{mode: mode | fs.ModeDir, owner: o}
}

func (t tree) file(name string, mode fs.FileMode, content []byte) {
	t[name] = entry{mode: mode, content: content}
}

func (t tree) link(name, to string) { t[name] = entry{mode: fs.ModeSymlink | 0o777, link: to} }

// copyFile takes a file of this machine, following links, under the given name.
func (t tree) copyFile(name, from string, mode fs.FileMode) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	t.file(name, mode, content)
	return nil
}

// users writes the account files for root, nobody and one more.
func (t tree) users(name string, o owner) {
	t.file("/etc/passwd", 0o644, fmt.Appendf(nil, "root:x:0:0:root:/:/bin/sh\n%s:x:%d:%d::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n", name, o.uid, o.gid))
	t.file("/etc/group", 0o644, fmt.Appendf(nil, "root:x:0:\n%s:x:%d:\nnogroup:x:65534:\n", name, o.gid))
}

// layer is the tree as a tar: sorted, its parents made, and without times, so
// that the same content is the same bytes.
func (t tree) layer() ([]byte, error) {
	whole := tree{}
	for name, e := range t {
		whole[name] = e
		for dir := path.Dir(name); dir != "/"; dir = path.Dir(dir) {
			if _, set := t[dir]; !set {
				whole.folder(dir, 0o755, owner{})
			}
		}
	}
	names := make([]string, 0, len(whole))
	for name := range whole {
		names = append(names, name)
	}
	slices.Sort(names)
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, name := range names {
		if err := put(w, name, whole[name]); err != nil {
			return nil, fmt.Errorf("pack %s: %w", name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func put(w *tar.Writer, name string, e entry) error {
	h := &tar.Header{
		Name: strings.TrimPrefix(name, "/"),
		Mode: tarMode(e.mode),
		Uid:  e.owner.uid, Gid: e.owner.gid,
		Size:     int64(len(e.content)),
		Linkname: e.link,
		Typeflag: tar.TypeReg,
	}
	switch {
	case e.mode.IsDir():
		h.Typeflag = tar.TypeDir
		h.Name += "/"
	case e.mode&fs.ModeSymlink != 0:
		h.Typeflag = tar.TypeSymlink
	}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err := w.Write(e.content)
	return err
}

// tarMode keeps the sticky bit, which Go and tar write differently.
func tarMode(mode fs.FileMode) int64 {
	bits := int64(mode.Perm())
	if mode&fs.ModeSticky != 0 {
		bits |= 0o1000
	}
	return bits
}
