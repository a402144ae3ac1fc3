package memstore

import (
	"testing"

	"github.com/underseal/underseal/server/store"
	"github.com/underseal/underseal/server/store/storetest"
)

func open(t *testing.T, hook store.Hook) store.Store {
	s := New(hook)
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore(t *testing.T) { storetest.Run(t, open) }

func TestModel(t *testing.T) { storetest.Model(t, open, nil, 3000) }
