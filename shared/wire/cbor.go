package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"
)

// Major types of CBOR (RFC 8949, section 3), in place.
const (
	majUint  = 0 << 5
	majNint  = 1 << 5
	majBytes = 2 << 5
	majText  = 3 << 5
	majArray = 4 << 5
	majMap   = 5 << 5
	majTag   = 6 << 5

	cborNull = 0xf6
)

// appendHead appends the shortest head of a data item.
func appendHead(dst []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(dst, major|byte(n))
	case n <= math.MaxUint8:
		return append(dst, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), n)
}

func appendInt(dst []byte, v int64) []byte {
	if v < 0 {
		return appendHead(dst, majNint, uint64(^v))
	}
	return appendHead(dst, majUint, uint64(v))
}

func appendText(dst []byte, s string) []byte {
	return append(appendHead(dst, majText, uint64(len(s))), s...)
}

// items takes CBOR data items off a byte string, one fixed shape at a time: there is no recursion
// to limit. Heads must be definite and shortest. The first failure sticks.
type items struct {
	b   []byte
	off int
	err error
}

func (r *items) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: body: %s at byte %d", ErrFormat, what, r.off)
	}
}

// peek returns the first byte of the next item, or 0xff (a break, valid nowhere) when there is none.
func (r *items) peek() byte {
	if r.err != nil || r.off >= len(r.b) {
		return 0xff
	}
	return r.b[r.off]
}

// null takes a null if it is next.
func (r *items) null() bool {
	if r.peek() == cborNull {
		r.off++
		return true
	}
	return false
}

// head takes the head of an item of the given major type and returns its argument.
func (r *items) head(major byte, what string) uint64 {
	c := r.peek()
	if c&0xe0 != major || r.err != nil {
		r.fail(what)
		return 0
	}
	low := c & 0x1f
	if low < 24 {
		r.off++
		return uint64(low)
	}
	if low > 27 {
		r.fail(what + " of indefinite or reserved length")
		return 0
	}
	size := 1 << (low - 24)
	if len(r.b)-r.off-1 < size {
		r.fail(what + " cut short")
		return 0
	}
	var n uint64
	for _, x := range r.b[r.off+1 : r.off+1+size] {
		n = n<<8 | uint64(x)
	}
	// The shortest spelling is the only one: n must not have fit the next smaller head.
	if size == 1 && n < 24 || size > 1 && n>>(4*size) == 0 {
		r.fail(what + " with a head longer than needed")
		return 0
	}
	r.off += 1 + size
	return n
}

// limited is head with an upper bound.
func (r *items) limited(major byte, limit int, what string) int {
	n := r.head(major, what)
	if n > uint64(limit) {
		r.fail(what + " out of bounds")
		return 0
	}
	return int(n)
}

// array takes the head of an array. Every element takes a byte at least, so a length beyond what is
// left is refused before anything is allocated for it.
func (r *items) array(what string) int { return r.limited(majArray, len(r.b)-r.off, what) }

// arrayOf takes the head of an array of exactly n elements.
func (r *items) arrayOf(n int, what string) {
	if r.array(what) != n {
		r.fail(what + " with another number of elements")
	}
}

func (r *items) integer(what string) int64 {
	major := byte(majUint)
	if r.peek()&0xe0 == majNint {
		major = majNint
	}
	n := r.head(major, what)
	if n > math.MaxInt64 {
		r.fail(what + " out of bounds")
		return 0
	}
	if major == majNint {
		return ^int64(n)
	}
	return int64(n)
}

// bytes takes a byte string; the result shares the memory of the body.
func (r *items) bytes(what string) []byte { return r.content(majBytes, what) }

// text takes a text string; the result shares the memory of the body.
func (r *items) text(what string) []byte {
	b := r.content(majText, what)
	if !utf8.Valid(b) {
		r.fail(what + " is not UTF-8")
	}
	return b
}

func (r *items) content(major byte, what string) []byte {
	n := r.limited(major, len(r.b)-r.off, what)
	if r.err != nil || n > len(r.b)-r.off {
		r.fail(what + " cut short")
		return nil
	}
	b := r.b[r.off : r.off+n : r.off+n]
	r.off += n
	return b
}
