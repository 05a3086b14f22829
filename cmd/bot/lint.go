package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"redis-session-bot/internal/runbook"
)

func lintCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "lint [FILE…]",
		Short: "Check runbook documents without a cluster",
		Long: `Check runbook documents without a cluster. Without a FILE, the compiled-in one
is checked. Each problem is a line: file, line, what is wrong, and what to do.

Exit code: 0 good, 2 a document has problems or cannot be read.`,
		RunE: func(cmd *cobra.Command, files []string) error {
			if len(files) == 0 {
				files = []string{""}
			}
			wrong := 0
			for _, file := range files {
				book, err := loadRunbook(file)
				if problems := runbook.AsProblems(err); problems != nil {
					wrong += len(problems)
					fmt.Fprintln(cmd.OutOrStdout(), problems.Error())
					continue
				}
				if err != nil {
					return exit{exitUsage, err}
				}
				for _, doubt := range book.Doubts {
					fmt.Fprintln(cmd.OutOrStdout(), doubt)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: good: %d steps, %d scenarios, %d verifications\n", book.File, len(book.Steps), len(book.Scenarios), len(book.Verification))
			}
			if wrong > 0 {
				return exit{exitUsage, nil}
			}
			return nil
		},
	}
}
