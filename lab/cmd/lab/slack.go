package main

import (
	"context"
	"encoding/json"
	"os"

	"github.com/spf13/cobra"

	"redis-session-bot/internal/slack/slacktest"
)

func slackCommand() *cobra.Command {
	listen := ""
	cmd := &cobra.Command{
		Use:   "slack",
		Short: "Serve a local Slack workspace; the first line of output is JSON with its addresses and tokens",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			workspace, err := slacktest.Start(cmd.Context(), slacktest.Options{Listen: listen})
			if err != nil {
				return err
			}
			if err := json.NewEncoder(os.Stdout).Encode(workspace.Ready()); err != nil {
				return err
			}
			return serveUntil(cmd.Context(), workspace)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:0", "address on loopback; port 0 takes a free one")
	return cmd
}

// serveUntil closes the workspace when ctx ends.
func serveUntil(ctx context.Context, workspace *slacktest.Workspace) error {
	<-ctx.Done()
	return workspace.Close()
}
