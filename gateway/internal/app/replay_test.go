package app

import (
	"errors"
	"testing"

	"github.com/headwater-iot/headwater/gateway/internal/log"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/wire"
)

// TestReplayBeginsAtTheMarksOfItsOwnLog replays a log that has been trimmed: from where its lake has landed to, or from
// where it begins if the lake is not its own. Offsets of another log say nothing.
func TestReplayBeginsAtTheMarksOfItsOwnLog(t *testing.T) {
	l, err := log.Open(log.Config{Dir: t.TempDir(), Partitions: 2, SegmentBytes: 2000})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const records = 60
	for i := range records {
		if _, err := l.Append(t.Context(), log.Record{Kind: log.Hello, Partition: i % 2, Client: "dev", Payload: make([]byte, 200)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Trim([]uint64{20, 20}); err != nil {
		t.Fatal(err)
	}
	first := l.First()
	if first[0] == 0 {
		t.Fatal("nothing was trimmed")
	}
	for name, c := range map[string]struct {
		marks table.Marks
		want  int
	}{
		"its own lake":      {table.Marks{Log: l.ID(), Next: []uint64{25, 21}}, records - 25 - 21},
		"a lake of another": {table.Marks{Log: wire.ID{1}, Next: []uint64{1000, 0}}, records - int(first[0]+first[1])},
		"a lake of nobody":  {table.Marks{}, records - int(first[0]+first[1])},
	} {
		got := 0
		if err := replay(t.Context(), l, c.marks, func(log.Entry) { got++ }); err != nil || got != c.want {
			t.Errorf("%s: %d records and %v, want %d", name, got, err, c.want)
		}
	}
	ahead := table.Marks{Log: l.ID(), Next: []uint64{31, 0}}
	if err := replay(t.Context(), l, ahead, func(log.Entry) {}); !errors.Is(err, log.ErrAhead) {
		t.Errorf("a lake that is ahead of the log: %v", err)
	}
}
