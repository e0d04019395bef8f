package wire

import "fmt"

// Gap is the body of a gap: seqs that will never come, and why.
type Gap struct {
	Reason string   `cbor:"1,keyasint"`
	From   int64    `cbor:"2,keyasint"` // ms, clock of the header
	To     int64    `cbor:"3,keyasint"` // ms, exclusive
	Series []string `cbor:"4,keyasint,omitempty"`
}

// Reasons of a gap that an agent seals.
const (
	DropOldest = "drop_oldest"
	DropNewest = "drop_newest"
	Thinned    = "thinned"
	Damaged    = "damaged"
)

func (g *Gap) check() error {
	switch g.Reason {
	case DropOldest, DropNewest, Thinned, Damaged:
	default:
		return fmt.Errorf("reason %q", g.Reason)
	}
	if g.From > g.To {
		return fmt.Errorf("time from %d behind time to %d", g.From, g.To)
	}
	return nil
}

// AppendGap appends the sealed part of a gap over [h.First, h.First+h.Count).
func AppendGap(dst []byte, h Header, g Gap) ([]byte, error) {
	h.Kind, h.Codec, h.Dict = KindGap, Stored, 0
	if err := g.check(); err != nil {
		return dst, fmt.Errorf("seal gap: %w: %w", ErrFormat, err)
	}
	body, err := dialect.enc.Marshal(g)
	if err != nil {
		return dst, fmt.Errorf("seal gap: %w", err)
	}
	return AppendSealed(dst, h, body)
}

// AppendEnd appends the sealed part that ends an epoch; h.First is its final seq.
func AppendEnd(dst []byte, h Header) ([]byte, error) {
	h.Kind, h.Codec, h.Dict, h.Count = KindEnd, Stored, 0, 0
	return AppendSealed(dst, h, nil)
}

// ParseGap reads the body of a gap.
func ParseGap(s *Sealed) (Gap, error) {
	var g Gap
	if s.Kind != KindGap || s.Codec != Stored {
		return Gap{}, fmt.Errorf("read gap: %w: kind %s, codec %d", ErrVersion, s.Kind, s.Codec)
	}
	if err := dialect.dec.Unmarshal(s.Body, &g); err != nil {
		return Gap{}, fmt.Errorf("read gap: %w: %w", ErrFormat, err)
	}
	if err := g.check(); err != nil {
		return Gap{}, fmt.Errorf("read gap: %w: %w", ErrFormat, err)
	}
	return g, nil
}
