package wire

import (
	"errors"

	"github.com/headwater-iot/headwater/shared/record"
)

// Encoder seals readings. It keeps its buffers and zstd state between calls; one goroutine.
type Encoder struct{}

// NewEncoder returns an encoder.
func NewEncoder() (*Encoder, error) { return &Encoder{}, nil }

// AppendReadings appends the sealed part of body to dst. It sets kind, codec, dictionary and
// count of h; device, epoch, boot, first, base, promise and the time kind are the caller's.
// The error wraps ErrTooLarge when the caller has to seal fewer rows.
func (e *Encoder) AppendReadings(dst []byte, h Header, body *record.Body) ([]byte, error) {
	return dst, errors.ErrUnsupported
}

// Decoder opens readings. It keeps its zstd state between calls; one goroutine.
type Decoder struct{}

// NewDecoder returns a decoder.
func NewDecoder() (*Decoder, error) { return &Decoder{}, nil }

// Readings inflates and reads the body of s into out, reusing its memory. Text and Blobs of
// out share no memory with s. The number of readings equals s.Count when it returns nil.
func (d *Decoder) Readings(s *Sealed, out *record.Body) error { return errors.ErrUnsupported }
