// Package runbooks holds the runbook that the bot runs when config names none.
package runbooks

import _ "embed"

// DefaultName is the file name of Default, for messages.
const DefaultName = "runbooks/redis-session-store-down.md"

// Default is the document for the alert RedisSessionStoreDown.
//
//go:embed redis-session-store-down.md
var Default []byte
