package memblob

import (
	"testing"

	"github.com/underseal/underseal/server/blob"
	"github.com/underseal/underseal/server/blob/blobtest"
)

func TestStore(t *testing.T) { blobtest.Run(t, func(*testing.T) blob.Store { return New() }) }
