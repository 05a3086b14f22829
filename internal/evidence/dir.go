package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"strings"
)

// Bounds of what is read of a bundle, in bytes. A log is read at both ends:
// a crash report has its cause near the top, a flood its news at the end.
const (
	maxJSON    = 64 << 20
	maxLogHead = 256 << 10
	maxLogTail = 256 << 10
	maxLogs    = 500
)

// file is one JSON file of a bundle and where it belongs.
type file struct {
	name string
	into any // pointer to a pointer to the list
	kind string
}

func (b *Bundle) files() []file {
	return []file{
		{FilePods, &b.Pods, "Pod"},
		{FileEvents, &b.Events, "Event"},
		{FileServices, &b.Services, "Service"},
		{FileSlices, &b.Slices, "EndpointSlice"},
		{FileClaims, &b.Claims, "PersistentVolumeClaim"},
		{FileDeployments, &b.Deployments, "Deployment"},
		{FileStatefulSets, &b.StatefulSets, "StatefulSet"},
		{FileReplicaSets, &b.ReplicaSets, "ReplicaSet"},
		{FileRevisions, &b.Revisions, "ControllerRevision"},
		{FileConfigMaps, &b.ConfigMaps, "ConfigMap"},
		{FileSecrets, &b.Secrets, "Secret"},
		{FileClasses, &b.Classes, "StorageClass"},
		{FileNodes, &b.Nodes, "Node"},
		{FileRanges, &b.Ranges, "LimitRange"},
		{FilePolicies, &b.Policies, "NetworkPolicy"},
		{FileMetrics, &b.Metrics, "PodMetrics"},
	}
}

// Open reads a bundle from a folder. A file that is not there is evidence that
// is not known; a file that cannot be understood is an error that names it.
func Open(dir string) (Bundle, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Bundle{}, fmt.Errorf("open the bundle: %w", err)
	}
	defer root.Close()
	b := Bundle{Missing: map[string]string{}}
	found := 0
	for _, f := range b.files() {
		there, err := readJSON(root, f.name, f.kind, f.into)
		if err != nil {
			return Bundle{}, fmt.Errorf("bundle %s: %w", dir, err)
		}
		if !there {
			b.Missing[f.name] = "the bundle has no " + f.name
			continue
		}
		found++
	}
	for _, f := range []file{{FileProbes, &b.Probes, ""}, {FileAlerts, &b.Alerts, ""}, {FilePrometheus, &b.Prometheus, ""}, {FileMeta, &b.Meta, ""}} {
		there, err := readJSON(root, f.name, "", f.into)
		if err != nil {
			return Bundle{}, fmt.Errorf("bundle %s: %w", dir, err)
		}
		if !there && f.name == FileProbes {
			b.Missing[FileProbes] = "the bundle has no " + FileProbes
		}
		if there {
			found++
		}
	}
	if err := b.openLogs(root); err != nil {
		return Bundle{}, fmt.Errorf("bundle %s: %w", dir, err)
	}
	maps.Copy(b.Missing, b.Meta.Missing)
	b.Meta.Missing = nil
	if found == 0 && b.Logs == nil {
		return Bundle{}, fmt.Errorf("%s holds no file of a bundle, such as pods.json or logs/POD/CONTAINER.log", dir)
	}
	return b, nil
}

// readJSON reads one file; kind is what its items must be, "" for anything.
func readJSON(root *os.Root, name, kind string, into any) (bool, error) {
	f, err := openRegular(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxJSON+1))
	if err != nil {
		return false, fmt.Errorf("%s: %w", name, err)
	}
	if len(data) > maxJSON {
		return false, fmt.Errorf("%s is larger than %s: keep the namespace's own objects only", name, Bytes(maxJSON))
	}
	if len(strings.TrimSpace(string(data))) == 0 {
		return false, fmt.Errorf("%s is empty", name)
	}
	if err := checkKind(name, kind, data); err != nil {
		return false, err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return false, fmt.Errorf("%s: %w", name, err)
	}
	return true, nil
}

// checkKind refuses a list of something else than the file's name says.
func checkKind(name, kind string, data []byte) error {
	if kind == "" {
		return nil
	}
	var list struct {
		Kind  string `json:"kind"`
		Items []struct {
			Kind string `json:"kind"`
		} `json:"items"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if list.Kind != "List" && list.Kind != kind+"List" {
		return fmt.Errorf("%s holds a %q, not a List of %s: save it with kubectl get -o json", name, list.Kind, kind)
	}
	for i, item := range list.Items {
		if item.Kind != "" && item.Kind != kind {
			return fmt.Errorf("%s: item %d is a %s, not a %s", name, i+1, item.Kind, kind)
		}
	}
	return nil
}

const (
	logSuffix      = ".log"
	previousSuffix = ".previous.log"
)

// openLogs reads logs/POD/CONTAINER.log and CONTAINER.previous.log.
func (b *Bundle) openLogs(root *os.Root) error {
	err := fs.WalkDir(root.FS(), "logs", func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name == "logs" {
			return fs.SkipAll
		}
		if err != nil {
			return err
		}
		parts := strings.Split(name, "/")
		if entry.IsDir() {
			if len(parts) > 2 {
				return fs.SkipDir
			}
			return nil
		}
		if len(parts) != 3 || path.Ext(name) != logSuffix {
			return nil
		}
		if len(b.Logs) == maxLogs {
			return fmt.Errorf("more than %d logs: keep those of the store and of the application", maxLogs)
		}
		log := RawLog{Pod: parts[1]}
		if container, ok := strings.CutSuffix(parts[2], previousSuffix); ok {
			log.Container, log.Previous = container, true
		} else {
			log.Container = strings.TrimSuffix(parts[2], logSuffix)
		}
		log.Text, log.Truncated, err = readEnds(root, name)
		b.Logs = append(b.Logs, log)
		return err
	})
	if err != nil {
		return fmt.Errorf("logs: %w", err)
	}
	if b.Logs == nil {
		b.Missing[SourceLogs] = "the bundle has no folder logs"
	}
	return nil
}

// openRegular opens a regular file and nothing else: to open a pipe waits for
// who writes into it.
func openRegular(root *os.Root, name string) (*os.File, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	return root.Open(name)
}

// readEnds reads the head and the tail of a log.
func readEnds(root *os.Root, name string) (string, bool, error) {
	f, err := openRegular(root, name)
	if err != nil {
		return "", false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", false, err
	}
	if info.Size() <= maxLogHead+maxLogTail {
		data, err := io.ReadAll(io.LimitReader(f, maxLogHead+maxLogTail))
		return string(data), false, err
	}
	head, tail := make([]byte, maxLogHead), make([]byte, maxLogTail)
	if _, err := f.ReadAt(head, 0); err != nil {
		return "", false, err
	}
	if _, err := f.ReadAt(tail, info.Size()-maxLogTail); err != nil && !errors.Is(err, io.EOF) {
		return "", false, err
	}
	left := fmt.Sprintf("\n… %s left out …\n", Bytes(info.Size()-maxLogHead-maxLogTail))
	return string(head) + left + string(tail), true, nil
}

// Save writes a bundle to a folder, which it makes. It refuses a folder that
// already holds something.
func Save(b Bundle, dir string) error {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("save the bundle: %s is not empty: name a new folder", dir)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("save the bundle: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("save the bundle: %w", err)
	}
	defer root.Close()
	b.Meta.Missing = b.Missing
	for _, f := range append(b.files(), file{name: FileProbes, into: &b.Probes}, file{name: FileAlerts, into: &b.Alerts},
		file{name: FilePrometheus, into: &b.Prometheus}, file{name: FileMeta, into: &b.Meta}) {
		data, err := json.MarshalIndent(f.into, "", " ")
		if err != nil {
			return fmt.Errorf("save %s: %w", f.name, err)
		}
		if string(data) == "null" {
			continue
		}
		if data, err = asList(data, f.kind); err != nil {
			return fmt.Errorf("save %s: %w", f.name, err)
		}
		if err := root.WriteFile(f.name, data, 0o640); err != nil {
			return fmt.Errorf("save %s: %w", f.name, err)
		}
	}
	for _, log := range b.Logs {
		if log.Err != "" {
			continue
		}
		suffix := logSuffix
		if log.Previous {
			suffix = previousSuffix
		}
		folder := path.Join("logs", log.Pod)
		if err := root.MkdirAll(folder, 0o750); err != nil {
			return fmt.Errorf("save the log of %s: %w", log.Pod, err)
		}
		if err := root.WriteFile(path.Join(folder, log.Container+suffix), []byte(log.Text), 0o640); err != nil {
			return fmt.Errorf("save the log of %s: %w", log.Pod, err)
		}
	}
	return nil
}

// asList gives a list of a client the head that kubectl prints.
func asList(data []byte, kind string) ([]byte, error) {
	if kind == "" {
		return data, nil
	}
	var list map[string]any
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, err
	}
	list["apiVersion"], list["kind"] = "v1", "List"
	if list["items"] == nil {
		list["items"] = []any{}
	}
	return json.MarshalIndent(list, "", " ")
}
