package wire

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Rice codes: the zigzag number u as u>>shift zeros, a one, then the low shift bits of u; bits fill bytes from
// the lowest. They are within a few hundredths of a bit of ideal for the noise of a converter and need no table,
// which for a column of a few hundred values is what zstd spends most on. See BODY.md for the measurement.
const (
	// riceLimit zeros are followed by a one and all 64 bits: a step in a quiet column costs 11 bytes, not a thousand.
	riceLimit = 24
	// maxShift leaves remainder, one and limit within the 57 bits a refill always has.
	maxShift = 32
)

// riceSize returns the best shift for v and its size in bits; all is the or of all zigzag numbers.
func riceSize(v []int64, all uint64) (shift, size int) {
	const never = math.MaxInt
	if bits.Len64(all) > 48 {
		return 0, never // the sum below could overflow, and so long a number gains nothing
	}
	sum := uint64(0)
	for _, x := range v {
		sum += zigzag(x)
	}
	// The best shift is beside the length of the mean.
	guess := bits.Len64(sum / uint64(len(v)))
	if guess > maxShift {
		return 0, never
	}
	lowest := max(guess-2, 0)
	var cost [3]int
	for _, x := range v {
		u := zigzag(x) >> lowest
		for i := range cost {
			if q := u >> i; q < riceLimit {
				cost[i] += int(q) + 1 + lowest + i
			} else {
				cost[i] += riceLimit + 1 + 64
			}
		}
	}
	best := 0
	for i, c := range cost {
		if c < cost[best] {
			best = i
		}
	}
	return lowest + best, cost[best]
}

func appendRice(dst []byte, v []int64, shift, size int) []byte {
	dst = append(dst, majArray|2)
	dst = appendHead(dst, majUint, uint64(shift))
	dst = appendHead(dst, majBytes, uint64(size+7)/8)
	w := bitWriter{dst: dst}
	for _, x := range v {
		u := zigzag(x)
		if q := u >> shift; q < riceLimit {
			w.put(1<<q, uint(q)+1)
			w.put(u&(1<<shift-1), uint(shift))
			continue
		}
		w.put(1<<riceLimit, riceLimit+1)
		w.put(u&0xffffffff, 32)
		w.put(u>>32, 32)
	}
	return w.end()
}

// bitWriter fills bytes from the lowest bit.
type bitWriter struct {
	dst  []byte
	hold uint64
	n    uint
}

// put appends the low n <= 32 bits of v, which has no others.
func (w *bitWriter) put(v uint64, n uint) {
	w.hold |= v << w.n
	if w.n += n; w.n >= 32 {
		w.dst = binary.LittleEndian.AppendUint32(w.dst, uint32(w.hold))
		w.hold >>= 32
		w.n -= 32
	}
}

func (w *bitWriter) end() []byte {
	for ; w.n > 0; w.n -= min(w.n, 8) {
		w.dst = append(w.dst, byte(w.hold))
		w.hold >>= 8
	}
	return w.dst
}

// rice reads len(dst) Rice codes.
func (r *items) rice(dst []int64) {
	r.arrayOf(2, "Rice codes")
	shift := uint(r.limited(majUint, maxShift, "shift"))
	b := r.bytes("Rice codes")
	if r.err != nil {
		return
	}
	mask := uint64(1)<<shift - 1
	at := 0 // in bits
	for i := range dst {
		word := bitsAt(b, at)
		q := uint(bits.TrailingZeros64(word))
		if q >= riceLimit {
			if q != riceLimit {
				r.fail("Rice code")
				return
			}
			at += riceLimit + 1
			u := bitsAt(b, at)&0xffffffff | bitsAt(b, at+32)<<32
			if u>>shift < riceLimit {
				r.fail("Rice code longer than needed")
				return
			}
			dst[i] = unzigzag(u)
			at += 64
			continue
		}
		u := uint64(q)<<shift | word>>(q+1)&mask
		dst[i] = unzigzag(u)
		at += int(q + 1 + shift)
	}
	// Bits behind the last byte read as zero, so running over the end shows here at the latest.
	if (at+7)/8 != len(b) || at%8 != 0 && b[len(b)-1]>>(at%8) != 0 {
		r.fail("bits behind the Rice codes, or too few")
	}
}

// bitsAt returns at least 57 bits from bit at on; bits behind the end are zero.
func bitsAt(b []byte, at int) uint64 {
	i := at >> 3
	if i+8 <= len(b) {
		return binary.LittleEndian.Uint64(b[i:]) >> (at & 7)
	}
	var tail [8]byte
	if i < len(b) {
		copy(tail[:], b[i:])
	}
	return binary.LittleEndian.Uint64(tail[:]) >> (at & 7)
}
