package k8s

import _ "embed" // the scripts are files, so that a shell's own tools can read them

// What a pod on the store's volume runs: one of the scripts, after the common part.
var (
	//go:embed scripts/common.sh
	commonScript string
	//go:embed scripts/read.sh
	readScript string
)
