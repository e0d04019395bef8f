package log

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/headwater-iot/headwater/shared/durable"
)

// TestAppendAllIsOneGroup puts a record into every partition beside a crowd that fills groups: one fsync makes all of
// them durable, or none is there.
func TestAppendAllIsOneGroup(t *testing.T) {
	l := open(t, t.TempDir())
	var crowd sync.WaitGroup
	for range 4 {
		crowd.Go(func() {
			for range 8 {
				if _, err := l.Append(t.Context(), Record{Kind: Batch, Client: "dev", Payload: make([]byte, 700<<10)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	payload := bytes.Repeat([]byte("contract"), 64<<10)
	at, err := l.AppendAll(t.Context(), Record{Kind: Contract, Payload: payload})
	if err != nil {
		t.Fatal(err)
	}
	crowd.Wait()
	for p, pos := range at {
		if pos.Partition != p || pos.Received != at[0].Received {
			t.Errorf("partition %d: %+v; want the time of the group %d", p, pos, at[0].Received)
		}
	}
	found := 0
	for _, e := range readAll(t, l, l.First(), 4*8+partitions) {
		if e.Kind == Contract && bytes.Equal(e.Payload, payload) && e.Offset == at[e.Partition].Offset {
			found++
		}
	}
	if found != partitions {
		t.Errorf("%d records of a contract, want one in each of %d partitions", found, partitions)
	}
}

func TestAppendAllFailsWhole(t *testing.T) {
	bad := errors.New("bad disk")
	var fail bool
	l := open(t, t.TempDir(), func(c *Config) {
		c.Disk.Step = func(name, _ string) error {
			if fail && name == durable.StepSync {
				return bad
			}
			return nil
		}
	})
	if _, err := l.AppendAll(t.Context(), Record{Kind: Contract, Payload: make([]byte, maxGroup/partitions+1)}); err == nil ||
		!strings.Contains(err.Error(), "do not fit a group") {
		t.Errorf("a record too large: %v", err)
	}
	fail = true
	if _, err := l.AppendAll(t.Context(), Record{Kind: Contract, Payload: []byte("x")}); !errors.Is(err, bad) {
		t.Errorf("a failed sync: %v", err)
	}
	for p, next := range l.Next() {
		if next != 0 {
			t.Errorf("partition %d goes on at %d after a group that failed", p, next)
		}
	}
}
