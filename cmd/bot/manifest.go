package main

import (
	"slices"

	"github.com/spf13/cobra"

	"redis-session-bot/internal/commands"
	"redis-session-bot/internal/config"
	"redis-session-bot/internal/runbook"
	"redis-session-bot/internal/slack"
)

func manifestCommand(file *string) *cobra.Command {
	var o fixOptions
	private := false
	cmd := &cobra.Command{
		Use:   "manifest",
		Short: "Print the manifest of the Slack app that the bot needs",
		Long: `Print the manifest of the Slack app that the bot needs, for Create New App, From a
manifest: the slash command of the runbook, and the least scopes for this
configuration. A comment at each scope says what it is for. Nothing is asked of
Slack.

Exit code: 0 printed, 2 bad usage or configuration.`,
		Example: "  bot manifest >slack-app.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, book, err := o.load(*file)
			if err != nil {
				return err
			}
			manifest, err := slack.Manifest([]slack.Command{slashCommand(book)}, slackUses(c, private))
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(manifest)
			return err
		},
	}
	cmd.Flags().BoolVar(&private, "private", false, "also the scopes for private channels")
	cmd.Flags().StringVar(&o.on.runbook, "runbook", "", "runbook document (default: the configured one)")
	return cmd
}

// slashCommand is the one that a runbook is asked by.
func slashCommand(book *runbook.Runbook) slack.Command {
	return slack.Command{Name: book.Command, Description: book.Title + ": diagnose it and repair it", UsageHint: commands.UsageHint(book)}
}

// slackUses are what a configuration asks of Slack. One without roles is not
// finished: it may name user groups later.
func slackUses(c config.Config, private bool) slack.Uses {
	named := slices.Concat(c.Roles.Responders, c.Roles.Approvers, mentions(c.Pagers))
	return slack.Uses{Private: private, Groups: len(c.Roles.Responders)+len(c.Roles.Approvers) == 0 || slack.NamesGroups(named)}
}
