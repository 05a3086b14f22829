package k8s

import _ "embed" // the scripts are files, so that a shell's own tools can read them

// What a pod on the store's volume runs, each after the common part; those
// that change something after the part of those, too.
var (
	//go:embed scripts/common.sh
	commonScript string
	//go:embed scripts/read.sh
	readScript string
	//go:embed scripts/work.sh
	workScript string
	//go:embed scripts/repair.sh
	repairScript string
	//go:embed scripts/aside.sh
	asideScript string
	//go:embed scripts/restore.sh
	restoreScript string
)
