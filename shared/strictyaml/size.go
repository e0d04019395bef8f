package strictyaml

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes, written with a unit: 64MiB, 512KiB, 1.5GiB, 4MB, or a plain number.
type Size int64

// Units of Size.
const (
	KiB Size = 1 << 10
	MiB Size = 1 << 20
	GiB Size = 1 << 30
	TiB Size = 1 << 40
)

// UnmarshalText reads a size. Only sizes that are whole, not negative and fit are taken.
func (s *Size) UnmarshalText(text []byte) error {
	word := string(text)
	digits := strings.TrimRight(word, "BKMGTikb ")
	unit, ok := unitOf(strings.TrimLeft(word[len(digits):], " "))
	n, err := strconv.ParseFloat(digits, 64)
	if !ok || err != nil || strings.ContainsAny(digits, "xXpPeE_+naN") {
		return fmt.Errorf("want %s, not %.40q", "a size such as 512KiB or 64MiB", word)
	}
	bytes := n * float64(unit)
	if bytes < 0 || bytes >= 1<<53 || bytes != math.Trunc(bytes) {
		return fmt.Errorf("%s is not a whole number of bytes from 0 to 8PiB", word)
	}
	*s = Size(bytes)
	return nil
}

// unitOf returns the bytes in a unit. The decimal ones are what disks are sold in.
func unitOf(word string) (Size, bool) {
	switch word {
	case "", "B":
		return 1, true
	case "KiB":
		return KiB, true
	case "MiB":
		return MiB, true
	case "GiB":
		return GiB, true
	case "TiB":
		return TiB, true
	case "kB", "KB":
		return 1e3, true
	case "MB":
		return 1e6, true
	case "GB":
		return 1e9, true
	case "TB":
		return 1e12, true
	}
	return 0, false
}

// MarshalText writes the size as UnmarshalText reads it.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String returns the size in the largest binary unit that leaves a whole number.
func (s Size) String() string {
	for _, u := range []struct {
		size Size
		name string
	}{{TiB, "TiB"}, {GiB, "GiB"}, {MiB, "MiB"}, {KiB, "KiB"}} {
		if s != 0 && s%u.size == 0 {
			return strconv.FormatInt(int64(s/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}
