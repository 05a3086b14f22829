package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"redis-session-bot/internal/chain"
	"redis-session-bot/internal/config"
)

// auditLogOptions are the flags of bot audit-log.
type auditLogOptions struct {
	output, incident string
	heads            []string
}

func auditLogCommand(file *string) *cobra.Command {
	var o auditLogOptions
	cmd := &cobra.Command{
		Use:   "audit-log",
		Short: "Print the audit trail: who did what, when, in which incident",
		Long: `Print the audit trail of every incident's timeline, oldest first. It can be read
while a bot is being served.

With -o json each entry is one line. Its hash is the SHA-256 of the hash of the
entry before it, a line feed, and the line itself without its hash.

Exit code: 0 printed, 2 bad usage or configuration, 3 the store cannot be read.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withTrail(*file, o, func(store keeper) error { return printTrail(cmd, store, o) })
		},
	}
	verify := &cobra.Command{
		Use:   "verify",
		Short: "Tell whether the audit trail or an incident was touched, and where",
		Long: `Check every hash of the audit trail, hold it against the incidents' timelines, and
against heads that were kept elsewhere: each entry's number and hash stand in the
bot's log.

Who can write to the store can write the whole trail anew. Only a head that was
kept elsewhere shows that; it covers all entries up to its own.

Exit code: 0 untouched, 1 touched, 2 bad usage or configuration, 3 the store
cannot be read.`,
		Example: "  bot audit-log verify --head 1234:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withTrail(*file, o, func(store keeper) error { return verifyTrail(cmd, store, o) })
		},
	}
	cmd.PersistentFlags().StringVarP(&o.output, "output", "o", "text", "text or json")
	cmd.Flags().StringVar(&o.incident, "incident", "", "only this one, such as INC-7")
	verify.Flags().StringArrayVar(&o.heads, "head", nil, "an entry that was kept elsewhere, as NUMBER:HASH; may be repeated")
	cmd.AddCommand(verify)
	return cmd
}

// withTrail opens the store to be read.
func withTrail(file string, o auditLogOptions, f func(store keeper) error) error {
	if o.output != "text" && o.output != "json" {
		return exit{exitUsage, fmt.Errorf("-o %s: use text or json", o.output)}
	}
	c, err := config.Load(file)
	if err != nil {
		return exit{exitUsage, err}
	}
	store, shut, err := peekStore(c)
	if err != nil {
		return exit{exitNoCluster, err}
	}
	return errors.Join(f(store), shut())
}

func printTrail(cmd *cobra.Command, store keeper, o auditLogOptions) error {
	out := cmd.OutOrStdout()
	var damaged []error
	for entry, err := range store.Trail(cmd.Context()) {
		if err != nil {
			if entry.N == 0 {
				return exit{exitNoCluster, err}
			}
			damaged = append(damaged, err)
			continue
		}
		if o.incident != "" && !strings.EqualFold(o.incident, entry.Incident) {
			continue
		}
		line := entry.JSON()
		if o.output == "text" {
			line = fmt.Sprintf("%d  %s  %s  %s  %s  %s", entry.N, entry.At.UTC().Format(time.DateTime+" UTC"), entry.Incident, who(entry), plain(entry.Text), entry.Hash[:min(12, len(entry.Hash))])
		}
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	if len(damaged) > 0 {
		return exit{exitNoCluster, errors.Join(damaged...)}
	}
	return nil
}

func who(entry chain.Entry) string {
	if entry.Name == "" || entry.Name == entry.Actor {
		return plain(entry.Actor)
	}
	return plain(fmt.Sprintf("%s (%s)", entry.Name, entry.Actor))
}

// plain takes out what could move a terminal's cursor.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

func verifyTrail(cmd *cobra.Command, store keeper, o auditLogOptions) error {
	var kept []chain.Head
	for _, text := range o.heads {
		head, err := chain.ParseHead(text)
		if err != nil {
			return exit{exitUsage, fmt.Errorf("--head: %w", err)}
		}
		kept = append(kept, head)
	}
	report, err := chain.Verify(cmd.Context(), store, store, kept...)
	if err != nil {
		return exit{exitNoCluster, err}
	}
	if o.output == "json" {
		err = reportJSON(cmd.OutOrStdout(), report)
	} else {
		err = reportText(cmd.OutOrStdout(), report)
	}
	if err == nil && len(report.Troubles) > 0 {
		err = exit{exitProblem, nil}
	}
	return err
}

func reportText(out io.Writer, report chain.Report) error {
	var text strings.Builder
	if len(report.Troubles) == 0 {
		fmt.Fprintf(&text, "OK: %d entries of %d incidents, nothing was touched.\n", report.Entries, report.Incidents)
	} else {
		fmt.Fprintf(&text, "Touched: see below. %d entries of %d incidents were read.\n", report.Entries, report.Incidents)
	}
	for _, trouble := range report.Troubles {
		fmt.Fprintf(&text, " · %s\n", plain(trouble.Says))
	}
	if report.Head.N > 0 {
		fmt.Fprintf(&text, "Head: %s\nKeep it elsewhere: bot audit-log verify --head tells later whether anything up to it was touched.\n", report.Head)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func reportJSON(out io.Writer, report chain.Report) error {
	troubles := report.Troubles
	if troubles == nil {
		troubles = []chain.Trouble{}
	}
	head := ""
	if report.Head.N > 0 {
		head = report.Head.String()
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(struct {
		OK        bool            `json:"ok"`
		Entries   uint64          `json:"entries"`
		Incidents int             `json:"incidents"`
		Head      string          `json:"head"`
		Troubles  []chain.Trouble `json:"troubles"`
	}{len(report.Troubles) == 0, report.Entries, report.Incidents, head, troubles})
}
