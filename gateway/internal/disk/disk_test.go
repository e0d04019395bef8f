package disk

import (
	"errors"
	"strings"
	"testing"
)

func TestSpaceOfADirectory(t *testing.T) {
	free, total, err := Space(t.TempDir())
	if err != nil || total == 0 || free > total {
		t.Errorf("%d of %d bytes are free, %v", free, total, err)
	}
	if _, _, err := Space("/no/such/directory"); err == nil {
		t.Error("a directory that is not there has space")
	}
}

func TestReserveSaysWhatIsMissing(t *testing.T) {
	for _, c := range []struct{ free, missing uint64 }{{1000, 0}, {50, 0}, {49, 1}, {0, 50}} {
		r, err := ReserveOf("d", 5, func(string) (uint64, uint64, error) { return c.free, 1000, nil })
		if err != nil || r.Missing != c.missing {
			t.Errorf("%d of 1000 free, 5 %% kept: %+v, %v", c.free, r, err)
		}
	}
	for _, c := range []struct {
		r    Reserve
		want string
	}{{Reserve{Free: 20, Total: 1000, Kept: 50, Missing: 30}, "free 30 bytes"}, {Reserve{Free: 90, Total: 1000, Kept: 50}, "inodes"}} {
		if text := c.r.String(); !strings.Contains(text, c.want) || strings.Contains(text, "free 0 bytes") {
			t.Errorf("%+v is said as %q, want %q in it", c.r, text, c.want)
		}
	}
	broken := errors.New("broken")
	if _, err := ReserveOf("d", 5, func(string) (uint64, uint64, error) { return 0, 0, broken }); !errors.Is(err, broken) {
		t.Errorf("the error of the file system is %v", err)
	}
}
