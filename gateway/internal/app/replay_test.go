package app

import (
	"fmt"
	"slices"
	"testing"

	"github.com/headwater-iot/headwater/gateway/internal/log"
)

// TestReplayWhileLandingTrims replays a log of which landing, which runs beside it, lets go: nothing waits for what is
// gone, and what is not gone is given once.
func TestReplayWhileLandingTrims(t *testing.T) {
	l, err := log.Open(log.Config{Dir: t.TempDir(), Partitions: 2, SegmentBytes: 2000})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const records = 60
	for i := range records {
		if _, err := l.Append(t.Context(), log.Record{Kind: log.Hello, Partition: i % 2, Client: fmt.Sprint(i), Payload: make([]byte, 200)}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	err = replay(t.Context(), l, make([]uint64, 2), func(_ uint8, client string, _ []byte) {
		got = append(got, client)
		if len(got) == 3 { // landing is far ahead
			if err := l.Trim([]uint64{20, 20}); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	first := l.First()
	if first[0] == 0 || first[0] > 20 {
		t.Fatalf("the log begins at %d", first)
	}
	for i := int(first[0] + first[1]); i < records; i++ {
		if n := len(slices.DeleteFunc(slices.Clone(got), func(c string) bool { return c != fmt.Sprint(i) })); n != 1 {
			t.Errorf("record %d was given %d times", i, n)
		}
	}
}
