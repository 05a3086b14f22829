package k8s

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"redis-session-bot/internal/redisconf"
)

// storeWith is a store of 12,403 sessions that runs, and will run, with those directives.
func storeWith(running, next string) storeFacts {
	read := func(conf string) settings {
		s, err := settingsOf(redisconf.Parse("dir /data\n" + conf).Directives())
		if err != nil {
			panic(err)
		}
		return s
	}
	return storeFacts{keys: 12403, running: read(running), next: read(next)}
}

// TestPromise is what was tried on Redis 7.0.15, as a table.
func TestPromise(t *testing.T) {
	but := func(f storeFacts, change func(*storeFacts)) storeFacts { change(&f); return f }
	const aof, rdb, none = "appendonly yes", "appendonly no", "appendonly no\nsave \"\""
	tests := map[string]struct {
		facts   storeFacts
		after   int64
		first   keeping
		says    string // in what it will hold
		caution string
		warning string
	}{
		"an append-only file stays one":  {facts: storeWith(aof, aof), after: 12403, says: "about 12,400 sessions (12,403 before)"},
		"snapshots stay, it saves":       {facts: storeWith(rdb, rdb), after: 12403, says: "saves a snapshot when it is told to stop"},
		"appendonly by file alone":       {facts: storeWith(rdb, aof), after: 12403, first: keepAppendOnly, says: "writes its append-only file first"},
		"append-only dropped, it saves":  {facts: storeWith(aof, rdb), after: 12403, says: "saves a snapshot"},
		"append-only dropped, no points": {facts: storeWith(aof+"\nsave \"\"", rdb), after: 12403, first: keepSnapshot, says: "lost"},
		"neither before nor after":       {facts: storeWith(none, none), after: 12403, first: keepSnapshot, warning: "neither appendonly nor save points"},
		"neither, then append-only":      {facts: storeWith(none, aof), after: 12403, first: keepAppendOnly},
		"no volume outlives the pod": {facts: but(storeWith(aof, aof), func(f *storeFacts) { f.folder = folderGoes }), after: 0,
			caution: "The store comes back empty: 12,403 sessions are lost."},
		"no volume, not running": {facts: but(storeWith(aof, aof), func(f *storeFacts) { f.folder, f.keys, f.unknown = folderGoes, -1, "x" }), after: 0,
			caution: "The store comes back empty: all sessions are lost."},
		"no volume, one session":                      {facts: but(storeWith(aof, aof), func(f *storeFacts) { f.folder, f.keys = folderGoes, 1 }), after: 0, caution: "1 session is lost."},
		"no volume, no session":                       {facts: but(storeWith(aof, aof), func(f *storeFacts) { f.folder, f.keys = folderGoes, 0 }), after: 0, says: "no session now"},
		"another folder":                              {facts: storeWith(aof, aof+"\ndir /tmp"), after: 0, caution: "12,403 sessions are lost", says: "/tmp"},
		"another append-only file":                    {facts: storeWith(aof, aof+"\nappendfilename other.aof"), after: 0, caution: "comes back empty"},
		"another snapshot":                            {facts: storeWith(rdb, rdb+"\ndbfilename other.rdb"), after: 0, caution: "comes back empty"},
		"another snapshot beside an append-only file": {facts: storeWith(aof, aof+"\ndbfilename other.rdb"), after: 12403},
		"another volume":                              {facts: but(storeWith(aof, aof), func(f *storeFacts) { f.folder = folderOther }), after: -1, says: "another volume"},
		"nobody says where":                           {facts: but(storeWith(aof, aof), func(f *storeFacts) { f.folder = folderUnknown }), after: -1, says: "not known"},
		"it starts by a script":                       {facts: but(storeWith(aof, aof), func(f *storeFacts) { f.hidden = "It starts by a script." }), after: -1, says: "not known. It starts by a script."},
		"it does not run":                             {facts: but(storeWith(aof, aof), func(f *storeFacts) { f.keys, f.unknown = -1, "The store does not run." }), after: -1, says: "not known. The store does not run. A start loads the append-only files"},
		"it loads":                                    {facts: but(storeWith(aof, aof), func(f *storeFacts) { f.loading = true }), after: -1, warning: "starts the loading over"},
		"the disk fails":                              {facts: but(storeWith(aof, aof), func(f *storeFacts) { f.unsaved = true }), after: -1, says: "has failed", warning: "mend the disk"},
		"the snapshot failed":                         {facts: but(storeWith(rdb, rdb), func(f *storeFacts) { f.unsaved = true }), after: 12403, first: keepSnapshot},
		"it is empty, with files on disk":             {facts: but(storeWith(rdb, aof), func(f *storeFacts) { f.keys = 0 }), after: -1, says: "What is in it is not known"},
		"the volume counts":                           {facts: but(storeWith(rdb, aof), func(f *storeFacts) { f.fromDisk = true }), after: -1, caution: "12,403 sessions that it holds now are replaced"},
		"it does not run, the volume was read": {facts: but(storeWith(aof, aof), func(f *storeFacts) {
			f.keys, f.unknown, f.disk = -1, "The store does not run.", onDisk{asked: true, keys: 12403, says: "a server loaded 12403 keys"}
		}), after: 12403, says: "about 12,400 sessions. The store does not run. A server loaded"},
		"it does not run, the file does not load": {facts: but(storeWith(aof, aof), func(f *storeFacts) {
			f.keys, f.unknown, f.disk = -1, "The store does not run.", onDisk{asked: true, keys: -1, says: "the append-only file does not load"}
		}), after: -1, says: "not known. The store does not run."},
		"it does not run, and the other file has them": {facts: but(storeWith(rdb, aof), func(f *storeFacts) {
			f.keys, f.unknown, f.disk = -1, "The store does not run.", onDisk{asked: true, other: 5000, says: "the volume holds no append-only file"}
		}), after: 0, says: "no session", caution: "the volume has 5,000 sessions in a file"},
		"it does not run, and never held anything": {facts: but(storeWith(aof, aof), func(f *storeFacts) {
			f.keys, f.unknown, f.disk = -1, "The store does not run.", onDisk{asked: true, says: "the volume holds no append-only file"}
		}), after: 0, says: "no session"},
		"it is empty, the volume is not": {facts: but(storeWith(rdb, aof), func(f *storeFacts) {
			f.keys, f.disk = 0, onDisk{asked: true, keys: 5000, says: "a server loaded 5000 keys"}
		}), after: 5000, says: "about 5,000 sessions"},
		"it follows a master":           {facts: but(storeWith(rdb+"\nreplicaof a 1", aof+"\nreplicaof a 1"), func(f *storeFacts) { f.linked = true }), after: 12403, says: "follows a master"},
		"it was promoted, the file not": {facts: storeWith(aof, aof+"\nreplicaof a 1"), after: 12403, warning: "a replica when it starts"},
		"less memory, evicting":         {facts: but(storeWith(aof, aof+"\nmaxmemory 1mb\nmaxmemory-policy allkeys-lru"), func(f *storeFacts) { f.used = 2 << 20 }), after: -1, caution: "Sessions are lost: maxmemory 1Mi"},
		"less memory, refusing":         {facts: but(storeWith(aof, aof+"\nmaxmemory 1mb"), func(f *storeFacts) { f.used = 2 << 20 }), after: 12403, warning: "refuses writes"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := promiseOf(test.facts)
			if got.holds.After != test.after || got.first != test.first {
				t.Errorf("after %d, first %q; want %d and %q", got.holds.After, got.first, test.after, test.first)
			}
			for what, part := range map[string]struct {
				want string
				all  []string
			}{"says": {test.says, got.holds.Says}, "caution": {test.caution, got.cautions}, "warning": {test.warning, got.warnings}} {
				if part.want == "" && what != "says" && len(part.all) > 0 || !strings.Contains(strings.Join(part.all, "\n"), part.want) {
					t.Errorf("%s: %q, want %q", what, part.all, part.want)
				}
			}
			if len(got.holds.Says) == 0 {
				t.Error("it does not say how it knows")
			}
		})
	}
}

func TestHowItStarts(t *testing.T) {
	conf := func(name, key string) (string, error) {
		if name != "conf" || key != "redis.conf" {
			return "", refuse("There is no %s/%s.", name, key)
		}
		return "dir /data\nappendonly yes\nsave 900 1\nsave 300 10\n", nil
	}
	yes := settings{appendOnly: true, points: true, dir: "/data", snapshot: "dump.rdb", appendDir: "appendonlydir", appendFile: "appendonly.aof"}
	no, clear := yes, yes
	no.appendOnly, clear.points = false, false
	tests := map[string]struct {
		line []string
		want settings
		says string
	}{
		"a file":                      {[]string{"redis-server", "/etc/redis/redis.conf"}, yes, ""},
		"an option over the file":     {[]string{"redis-server", "/etc/redis/redis.conf", "--appendonly", "no", "--requirepass", "$(P)"}, no, ""},
		"save points cleared":         {[]string{"/usr/bin/valkey-server", "/etc/redis/redis.conf", "--save", ""}, clear, ""},
		"save points cleared, one on": {[]string{"redis-server", "/etc/redis/redis.conf", "--save", "", "--save", "60", "1"}, yes, ""},
		"the official image":          {[]string{"/etc/redis/redis.conf"}, yes, ""},
		"its entry point":             {[]string{"docker-entrypoint.sh", "redis-server", "/etc/redis/redis.conf"}, yes, ""},
		"a shell around it":           {[]string{"sh", "-c", `exec redis-server /etc/redis/redis.conf --requirepass "$P"`}, yes, ""},
		"a script":                    {[]string{"sh", "-c", "cp a b; redis-server /tmp/c"}, settings{}, "starts by a script"},
		"a start script":              {[]string{"/opt/run.sh"}, settings{}, "starts by run.sh"},
		"the image's own":             {nil, settings{}, "image alone"},
		"a file of the image":         {[]string{"redis-server", "/opt/redis.conf"}, settings{}, "comes from no ConfigMap"},
	}
	for name, test := range tests {
		spec := &corev1.PodSpec{Volumes: []corev1.Volume{{Name: "c", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "conf"}}}}},
			Containers: []corev1.Container{{Name: "redis", Command: test.line, VolumeMounts: []corev1.VolumeMount{{Name: "c", MountPath: "/etc/redis/"}}}}}
		got, err := startOf(spec, "redis", conf)
		switch {
		case test.says == "" && (err != nil || got != test.want):
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, test.want)
		case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)):
			t.Errorf("%s: %v, want %q", name, err, test.says)
		}
	}
	if _, err := settingsOf(redisconf.Parse("include /etc/more.conf").Directives()); err == nil {
		t.Error("an included file is taken for read")
	}
}

func TestFolderOfTheData(t *testing.T) {
	with := func(source corev1.VolumeSource) any {
		d := deploymentWith("")
		d.Spec.Template.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: source}}
		d.Spec.Template.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
		return d
	}
	claim := func(name string) any {
		return with(corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name}})
	}
	empty := with(corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}})
	for name, test := range map[string]struct {
		base, want any
		dir        string
		fate       folderFate
	}{
		"the same claim":       {claim("a"), claim("a"), "/data", folderStays},
		"a folder of it":       {claim("a"), claim("a"), "/data/redis", folderStays},
		"another claim":        {claim("a"), claim("b"), "/data", folderOther},
		"from a claim to none": {claim("a"), empty, "/data", folderGoes},
		"an emptyDir":          {empty, empty, "/data", folderGoes},
		"from none to a claim": {empty, claim("a"), "/data", folderOther},
		"beside the volume":    {claim("a"), claim("a"), "/database", folderGoes},
	} {
		if got := fateOf(test.dir, "redis", test.base, test.want); got != test.fate {
			t.Errorf("%s: %d, want %d", name, got, test.fate)
		}
	}
}

func TestSaved(t *testing.T) {
	for name, test := range map[string]struct {
		with         keeping
		info         string
		done, failed bool
	}{
		"rewriting":        {keepAppendOnly, "aof_enabled:1 aof_rewrite_in_progress:1 aof_last_bgrewrite_status:ok", false, false},
		"waiting for it":   {keepAppendOnly, "aof_enabled:1 aof_rewrite_in_progress:0 aof_rewrite_scheduled:1 aof_last_bgrewrite_status:ok", false, false},
		"rewritten":        {keepAppendOnly, "aof_enabled:1 aof_rewrite_in_progress:0 aof_rewrite_scheduled:0 aof_last_bgrewrite_status:ok", true, false},
		"not rewritten":    {keepAppendOnly, "aof_enabled:1 aof_rewrite_in_progress:0 aof_last_bgrewrite_status:err", false, true},
		"switched off":     {keepAppendOnly, "aof_enabled:0 aof_rewrite_in_progress:0 aof_last_bgrewrite_status:ok", false, true},
		"saving":           {keepSnapshot, "rdb_bgsave_in_progress:1 rdb_last_bgsave_status:ok", false, false},
		"saved":            {keepSnapshot, "rdb_bgsave_in_progress:0 rdb_last_bgsave_status:ok", true, false},
		"not saved":        {keepSnapshot, "rdb_bgsave_in_progress:0 rdb_last_bgsave_status:err", false, true},
		"nothing was said": {keepSnapshot, "", false, false},
	} {
		info := map[string]string{}
		for field := range strings.FieldsSeq(test.info) {
			key, value, _ := strings.Cut(field, ":")
			info[key] = value
		}
		if done, _, failed := savedIn(test.with, info); done != test.done || failed != test.failed {
			t.Errorf("%s: done %t, failed %t", name, done, failed)
		}
	}
}

func TestNumbersForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 12403: "12,403", 1234567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("%d is written %s", n, got)
		}
	}
	for n, want := range map[int64]int64{999: 999, 1000: 1000, 1004: 1000, 1006: 1010, 12403: 12400, 99999: 100000} {
		if got := rounded(n); got != want {
			t.Errorf("%d is rounded to %d, want %d", n, got, want)
		}
	}
}

func TestNewPassword(t *testing.T) {
	var seen []string
	for range 100 {
		password := newPassword()
		if len(password) < 32 || strings.Trim(password, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" || slices.Contains(seen, password) {
			t.Fatalf("a password of %d letters that does not do", len(password))
		}
		seen = append(seen, password)
	}
}
