package sketch

import (
	"math"
	"math/big"
)

const (
	limbBits = 32
	// limbs hold every double in fixed point: from 2^-1074 to 2^1024, and room for 2^60 of the largest.
	limbs = (1074+1024+60)/limbBits + 1
	// carryAfter is how many additions a limb takes before it could overflow: each adds less than 2^32.
	carryAfter = 1 << 30
)

// Sum is an exact sum of finite doubles: a fixed-point number as wide as all of them. Integers add up the same in any
// order, which no sum of doubles does, compensated or not. The zero value is 0.
type Sum struct {
	limb  [limbs]int64 // little end first; may be negative, and wider than 32 bits until the next carry
	added int
}

// Add adds a finite v.
func (s *Sum) Add(v float64) {
	bits := math.Float64bits(v)
	exponent, mantissa := int(bits>>52&0x7ff), bits&(1<<52-1)
	switch exponent {
	case 0x7ff:
		panic("sketch: a sum of what is no finite number")
	case 0:
		exponent = 1 // subnormal: the same scale, without the hidden bit
	default:
		mantissa |= 1 << 52
	}
	at, shift := (exponent-1)/limbBits, uint((exponent-1)%limbBits)
	low, high := mantissa<<shift, mantissa>>1>>(63-shift)
	parts := [3]int64{int64(low & math.MaxUint32), int64(low >> 32), int64(high)}
	for i, p := range parts {
		if v < 0 {
			p = -p
		}
		s.limb[at+i] += p
	}
	if s.added++; s.added >= carryAfter {
		s.carry()
	}
}

// AddSquare adds v*v without rounding; of numbers so small that the square has no room it adds what there is room
// for. Beyond 1e150 the square is no number, and the caller keeps v out.
func (s *Sum) AddSquare(v float64) {
	square := v * v
	s.Add(square)
	s.Add(math.FMA(v, v, -square))
}

// Merge adds all that was added to other.
func (s *Sum) Merge(other *Sum) {
	o := *other
	o.carry()
	s.carry()
	for i, p := range o.limb {
		s.limb[i] += p
	}
	s.added = 2 // each limb is as wide as two values at most
}

// carry leaves less than 32 bits in every limb but the last, which has the sign.
func (s *Sum) carry() {
	for i := range limbs - 1 {
		over := s.limb[i] >> limbBits
		s.limb[i] -= over << limbBits
		s.limb[i+1] += over
	}
	s.added = 1
}

// Big returns the sum as it is.
func (s *Sum) Big() *big.Float {
	c := *s
	c.carry()
	n := new(big.Int)
	for i := limbs - 1; i >= 0; i-- {
		n.Lsh(n, limbBits)
		n.Add(n, big.NewInt(c.limb[i]))
	}
	f := new(big.Float).SetPrec(limbs * limbBits).SetInt(n)
	return f.SetMantExp(f, -1074)
}

// Float returns the sum, rounded once.
func (s *Sum) Float() float64 {
	v, _ := s.Big().Float64()
	return v
}
