package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// typed finds what the documents have people type: a line of a code block, or a
// word of a sentence.
var typed = regexp.MustCompile("(?m)^(?:\\$ )?(?:bin/)?((?:bot|make) [a-z-][^#`\n]*)|`(?:bin/)?((?:bot|make) [^`]*)`")

// documented lists every bot and make command of the README and of docs, with
// the documents that have it.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, file := range append(files, "../../README.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range typed.FindAllStringSubmatch(string(text), -1) {
			line := strings.Join(strings.Fields(found[1]+found[2]), " ")
			line, _, _ = strings.Cut(line, " >") // into a file
			if name := filepath.Base(file); !slices.Contains(all[line], name) {
				all[line] = append(all[line], name)
			}
		}
	}
	return all
}

// TestTheDocumentedCommands runs each, on a recorded bundle where it takes one and
// with a kubeconfig that leads nowhere: what is typed has to be understood. What
// each does on a cluster, the lab's tests show.
func TestTheDocumentedCommands(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	nowhere, queue := filepath.Join(folder, "kubeconfig"), filepath.Join(folder, "queue.md")
	err = errors.Join(
		os.WriteFile(nowhere, []byte("apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}]\ncontexts: [{name: a, context: {cluster: a}}]\ncurrent-context: a\n"), 0o600),
		os.WriteFile(queue, append(example.FindSubmatch(document)[1], '\n'), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", nowhere)
	t.Setenv("REDIS_SESSION_BOT_LIMITS_VERIFY", "1s") // nobody will answer
	stands := map[string]string{"DIR": healthy(t), "bundle": healthy(t), "my-runbook.md": queue, "queue.md": queue,
		"NUMBER:HASH": "1:" + strings.Repeat("0", 64), "config.yaml": filepath.Join(folder, "config.yaml")}
	if err := os.WriteFile(stands["config.yaml"], nil, 0o600); err != nil {
		t.Fatal(err)
	}
	all := documented(t)
	for line, where := range all {
		t.Run(line, func(t *testing.T) {
			words := strings.Fields(line)
			if words[0] == "make" {
				if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(words[1]) + `:`).Match(makefile) {
					t.Errorf("%s: there is no such target", where)
				}
				return
			}
			for i, word := range words {
				if real, ok := stands[word]; ok {
					words[i] = real
				}
			}
			_, says := bot(t, words[1:]...)
			for _, misread := range []string{"unknown flag", "unknown shorthand", "unknown command", "invalid argument", "accepts ", "requires at least", "flag needs"} {
				if strings.Contains(says, misread) {
					t.Errorf("%s: %s", where, says)
				}
			}
		})
	}
	if len(all) < 20 {
		t.Errorf("only %d commands were found", len(all))
	}
}
