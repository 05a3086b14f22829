package images

import (
	"fmt"
	"io/fs"
)

// applets are the commands that a person, or the bot, finds in the lab's
// images. Debian's static busybox knows more; bash and python3 are not there
// on purpose, and its nc knows no -z.
func applets() []string {
	return []string{
		"sh", "ash", "awk", "base64", "cat", "chmod", "chown", "cmp", "cp", "cut", "date", "dd", "df", "du", "echo", "env",
		"false", "find", "grep", "gunzip", "gzip", "head", "hexdump", "hostname", "id", "kill", "ln", "ls", "md5sum", "mkdir",
		"mktemp", "mv", "nc", "netstat", "nslookup", "od", "ping", "printf", "ps", "pwd", "rm", "rmdir", "sed", "seq",
		"sha256sum", "sleep", "sort", "stat", "sync", "tail", "tar", "tee", "test", "touch", "tr", "true", "truncate",
		"uname", "uniq", "wc", "which", "xargs",
	}
}

// addBusybox puts the static busybox and its links under /bin.
func (t tree) addBusybox() error {
	if err := t.copyFile("/bin/busybox", "/bin/busybox", 0o755); err != nil {
		return fmt.Errorf("%w; install it: apt-get install busybox-static", err)
	}
	for _, name := range applets() {
		t.link("/bin/"+name, "busybox")
	}
	t.folder("/tmp", 0o777|fs.ModeSticky, owner{})
	return nil
}
