package iio

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// errNumber reports a file that does not hold a number.
var errNumber = errors.New("not a number")

// longestNumber is more than any of the kernel's formats for a value gives.
const longestNumber = 40

// decimal reads a number as the kernel writes it, -12, 0.000244140, or with a unit behind (1.5 dB), and how many decimals it has.
func decimal(text string) (v *big.Rat, places int, err error) {
	number := strings.TrimSuffix(text, " dB")
	if len(number) > longestNumber || strings.Trim(number, "+-.0123456789") != "" {
		return nil, 0, fmt.Errorf("%w: %.40q", errNumber, text)
	}
	v, ok := new(big.Rat).SetString(number)
	if !ok {
		return nil, 0, fmt.Errorf("%w: %.40q", errNumber, text)
	}
	_, behind, _ := strings.Cut(number, ".")
	return v, len(behind), nil
}

// power returns 10^n.
func power(n int) *big.Rat {
	p := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(n, -n))), nil))
	if n < 0 {
		p.Inv(p)
	}
	return p
}

// mostDecimals is enough for one step of a converter of 24 bits that measures in nanofarads.
const mostDecimals = 24

// short returns the float64 nearest to v, cut to the fewest decimals that keep values a step apart distinct.
func short(v, step *big.Rat) (float64, error) {
	step, digits := new(big.Rat).Abs(step), 0
	for unit := power(0); step.Sign() > 0 && unit.Cmp(step) > 0 && digits < mostDecimals; unit = power(-digits) {
		digits++
	}
	f, err := strconv.ParseFloat(v.FloatString(digits), 64)
	return f + 0, err // no negative zero
}
