package lake

import (
	"context"
	"errors"
)

// Maintain merges manifests, lets old snapshots go, and deletes files that nothing has named for an hour.
func (l *Lake) Maintain(ctx context.Context) error { return errors.ErrUnsupported }
