package commit_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/commit"
	"github.com/headwater-iot/headwater/gateway/internal/land/landtest"
	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// untrimmed is the log of a gateway that dies between each commit and its trim.
type untrimmed struct{ *landtest.Log }

func (untrimmed) Trim(table.Marks) error { return nil }

// TestStartTrimsWhatHasLanded holds that a log that is full of what has landed gets room by a start alone: nothing can
// be appended to it, so there is no commit that would trim it.
func TestStartTrimsWhatHasLanded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, func(c *commit.Config) { c.Log = untrimmed{c.Log.(*landtest.Log)} })
		s.send(5)
		pass(2 * time.Second)
		s.commits(1)
		s.end()
		if n := len(s.log.Entries()); n != 5 {
			t.Fatalf("the log holds %d records, want 5", n)
		}
		s.run(nil)
		if n := len(s.log.Entries()); n != 0 {
			t.Errorf("after a start the log holds %d records that have landed", n)
		}
		s.end()
	})
}
