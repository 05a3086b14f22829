package memory_test

import (
	"testing"

	"redis-session-bot/internal/store/memory"
	"redis-session-bot/internal/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Stores {
		store := &memory.Store{}
		return storetest.Stores{One: store, Other: store}
	})
}
