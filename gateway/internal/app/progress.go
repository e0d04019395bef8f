package app

import (
	"context"
	"sync"

	"github.com/headwater-iot/headwater/gateway/internal/log"
)

// progress is how far the log has landed, for who waits for a record of it.
type progress struct {
	mu    sync.Mutex
	next  []uint64      // by partition; guarded by mu
	moved chan struct{} // closed when next moves; guarded by mu
}

func newProgress() *progress { return &progress{moved: make(chan struct{})} }

// to is called with the marks of each commit.
func (p *progress) to(next []uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = next
	close(p.moved)
	p.moved = make(chan struct{})
}

// past reports whether all of these records have landed, and what is closed when more has.
func (p *progress) past(at []log.Position) (bool, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range at {
		if a.Partition >= len(p.next) || p.next[a.Partition] <= a.Offset {
			return false, p.moved
		}
	}
	return true, nil
}

// wait returns true when all of these records have landed, and false when ctx ends first.
func (p *progress) wait(ctx context.Context, at []log.Position) bool {
	for {
		done, moved := p.past(at)
		if done {
			return true
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return false
		}
	}
}
