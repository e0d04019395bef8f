package contract

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// UnmarshalText reads 30d, 90m, 1h30m.
func (s *Span) UnmarshalText(text []byte) error {
	if days, ok := strings.CutSuffix(string(text), "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return fmt.Errorf("%q is no length of time; write 30d, 12h, 90m or 10s", text)
		}
		*s = Span(time.Duration(n) * 24 * time.Hour)
		return nil
	}
	d, err := time.ParseDuration(string(text))
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is no length of time; write 30d, 12h, 90m or 10s", text)
	}
	*s = Span(d)
	return nil
}

// String writes whole days as such.
func (s Span) String() string {
	const day = 24 * time.Hour
	d := time.Duration(s)
	if d == 0 {
		return "none"
	}
	if d > 0 && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	return d.String()
}
