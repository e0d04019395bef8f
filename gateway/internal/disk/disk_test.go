package disk

import (
	"errors"
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
	broken := errors.New("broken")
	if _, err := ReserveOf("d", 5, func(string) (uint64, uint64, error) { return 0, 0, broken }); !errors.Is(err, broken) {
		t.Errorf("the error of the file system is %v", err)
	}
}
