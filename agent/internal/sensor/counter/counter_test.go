package counter

import "testing"

func TestCounts(t *testing.T) {
	var c Counter
	announced := c.Announce()
	for want := range int64(5) {
		cells, err := c.Read(t.Context())
		if err != nil || len(cells) != 1 || cells[0].Int != want || cells[0].Series != announced[0].Series || cells[0].Kind != announced[0].Kind {
			t.Fatalf("read %d gave %+v, %v", want, cells, err)
		}
	}
}
