package bus

import (
	"errors"
	"strings"
	"testing"
)

func TestNumber(t *testing.T) {
	for name, want := range map[string]int{"1": 1, "i2c-0": 0, "I2C7": 7, "/dev/i2c-12": 12} {
		if got, err := Number(name); got != want || err != nil {
			t.Errorf("Number(%q) = %d, %v; want %d", name, got, err, want)
		}
	}
	for _, name := range []string{"", "sim", "i2c-", "-1", "/dev/ttyUSB0", "99999"} {
		if _, err := Number(name); !errors.Is(err, ErrName) {
			t.Errorf("Number(%q): %v, want ErrName", name, err)
		}
	}
}

func TestOpenSaysWhatToDoWhenThereIsNoBus(t *testing.T) {
	b, err := Open("65000")
	if err == nil {
		_ = b.Close()
		t.Skip("this machine has an I2C bus 65000")
	}
	if !strings.Contains(err.Error(), "i2c-dev") {
		t.Errorf("no hint in: %v", err)
	}
}
