package evidence_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"redis-session-bot/internal/evidence"
)

// bundles are what Open may be given: good, empty, cut off, of another kind,
// with folders for files and links out of the bundle.
var bundles = []string{
	`-- meta.json --
{"at":"2026-01-02T03:04:05Z","namespace":"shop","workload":"sessions"}
-- pods.json --
{"kind":"List","items":[{"kind":"Pod","metadata":{"name":"sessions-0","namespace":"shop","labels":{"app":"sessions"},"ownerReferences":[{"kind":"StatefulSet","name":"sessions","controller":true}]},
"spec":{"containers":[{"name":"redis","resources":{"limits":{"memory":"512Mi"}},"livenessProbe":{"exec":{"command":["redis-cli","ping"]}}}],"volumes":[{"name":"data","persistentVolumeClaim":{"claimName":"data-sessions-0"}}]},
"status":{"phase":"Running","conditions":[{"type":"Ready","status":"False"}],"containerStatuses":[{"name":"redis","restartCount":6,"state":{"waiting":{"reason":"CrashLoopBackOff"}},
"lastState":{"terminated":{"reason":"OOMKilled","exitCode":137,"finishedAt":"2026-01-02T03:04:00Z"}}}]}}]}
-- logs/sessions-0/redis.previous.log --
2026-01-02T03:04:00Z 1:C # *** FATAL CONFIG FILE ERROR (Redis 7.2.4) ***
Reading the configuration file, at line 3
>>> 'maxmemory-policy allkeys'
argument(s) must be one of the following
`,
	`-- statefulsets.json --
{"kind":"List","items":[{"kind":"StatefulSet","metadata":{"name":"sessions"},"spec":{"selector":{"matchLabels":{"app":"sessions"}},"template":{"spec":{"volumes":[{"name":"c","configMap":{"name":"conf"}}]}}}}]}
-- configmaps.json --
{"kind":"List","items":[{"metadata":{"name":"conf"},"data":{"redis.conf":"maxmemory 99999999999999gb\nsave \"\nrequirepass x\n"}}]}
-- events.json --
{"kind":"EventList","items":[{"reason":"BackOff","count":-1,"lastTimestamp":"0001-01-01T00:00:00Z"},{"eventTime":"9999-12-31T23:59:59.999999Z"}]}
-- nodes.json --
{"kind":"List","items":[{"spec":{"taints":[{"key":"","effect":""}]},"status":{"allocatable":{"memory":"1e400"}}}]}
-- probes.json --
{"reach":[{"from":"app","ok":false,"error":"no route"}],"redis":[{"pod":"sessions-0","error":"NOAUTH","info":{"maxmemory":"x"}}]}
`,
	`-- services.json --
{"kind":"List","items":[null,{"spec":{"ports":[{"targetPort":{}}],"selector":{"":""}}}]}
-- endpointslices.json --
{"kind":"List","items":[{"endpoints":[{"addresses":[],"targetRef":null}],"ports":[{}]}]}
-- replicasets.json --
{"kind":"List","items":[{"metadata":{"annotations":{"deployment.kubernetes.io/revision":"-99999999999999999999"}}}]}
-- podmetrics.json --
{"kind":"List","items":[{"containers":[{"name":"x","usage":{"memory":"-1","cpu":"9223372036854775807"}}]}]}
-- persistentvolumeclaims.json --
{"kind":"List","items":[{"status":{"capacity":{"storage":"10Ei"}}}]}
`,
	"-- pods.json --\nnull\n",
	"-- pods.json --\n{\"kind\":\"List\",\"items\":[\n",
	"-- pods.json/x --\n-- logs/a/b.log/c --\n",
	"-- pods.json --\nlink ../../../../etc/passwd\n",
	"-- logs --\nlink .\n-- logs/a/b.log --\nlink /dev/zero\n",
	"-- logs/a/.log --\n\xff\xfe\n-- logs/a/b.c.log --\n\x00\n",
	"-- deployments.json --\n" + strings.Repeat("[", 20000) + "\n",
}

// FuzzOpen reads folders of files that nobody vouches for: a bundle is opened
// or refused with a reason, and what is read of it is not larger than it.
func FuzzOpen(f *testing.F) {
	for _, bundle := range bundles {
		f.Add([]byte(bundle))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<20 {
			return
		}
		dir := filepath.Join(t.TempDir(), "bundle")
		lay(t, dir, txtar.Parse(data))
		bundle, err := evidence.Open(dir)
		if err != nil {
			return
		}
		seen := evidence.Read(bundle, evidence.Target{Namespace: "shop", Workload: "sessions", Config: "conf", ConfigKey: "redis.conf", App: "app"})
		read, err := json.Marshal(seen)
		if err != nil {
			// A time of year 10000 has no JSON.
			var unsupported *json.MarshalerError
			if errors.As(err, &unsupported) {
				return
			}
			t.Fatal(err)
		}
		if len(read) > 64<<10+64*len(data) {
			t.Errorf("%d bytes became %d", len(data), len(read))
		}
	})
}

// lay writes the files of an archive below dir. A file that begins with the
// word link becomes a link to what follows.
func lay(t *testing.T, dir string, archive *txtar.Archive) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for i, file := range archive.Files {
		if i == 100 {
			return
		}
		if err := root.MkdirAll(filepath.Dir(file.Name), 0o750); err != nil {
			continue // not a name that a file can have here
		}
		if target, ok := strings.CutPrefix(string(file.Data), "link "); ok {
			_ = root.Symlink(strings.TrimSpace(target), file.Name)
			continue
		}
		_ = root.WriteFile(file.Name, file.Data, 0o640)
	}
}
