package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
)

// MaxRanges is the largest number of ranges a message may name in one set.
const MaxRanges = 4096

const (
	typeHello = 1 + iota
	typeAck
	typeNack
)

// EpochState says what a device knows of the end of an epoch.
type EpochState uint8

// The states of an epoch in a hello.
const (
	EpochCurrent EpochState = iota
	EpochEnded              // its `end` is held or was landed
	EpochLost               // no `end` can come; what lies behind Next is unknown
)

// BootAnchor is the anchor of one boot.
type BootAnchor struct {
	_ struct{} `cbor:",toarray"`

	Boot        record.Boot
	Generation  uint64
	State       AnchorState
	Wall        int64
	Monotonic   int64
	Uncertainty uint64
}

// Anchor returns the anchor without its boot.
func (a BootAnchor) Anchor() Anchor {
	return Anchor{State: a.State, Generation: a.Generation, Wall: a.Wall, Monotonic: a.Monotonic, Uncertainty: a.Uncertainty}
}

// HelloEpoch is what a device says of one epoch.
type HelloEpoch struct {
	Epoch       record.Epoch `cbor:"1,keyasint"`
	Predecessor record.Epoch `cbor:"2,keyasint"` // 0 = none
	Boot        record.Boot  `cbor:"3,keyasint"`
	Floor       uint64       `cbor:"4,keyasint"` // nothing below is held
	Next        uint64       `cbor:"5,keyasint"` // seqs given out
	Held        []uint64     `cbor:"6,keyasint"` // flat set
	State       EpochState   `cbor:"7,keyasint"`
	CountMax    uint64       `cbor:"8,keyasint"` // with EpochLost
}

// Hello is what a device says on connect and every 60 s.
type Hello struct {
	Device         string            `cbor:"1,keyasint"`
	Client         string            `cbor:"2,keyasint"`
	Nonce          uint64            `cbor:"3,keyasint"`
	Sent           int64             `cbor:"4,keyasint"` // us monotonic
	Boot           record.Boot       `cbor:"5,keyasint"`
	Version        string            `cbor:"6,keyasint"`
	Anchors        []BootAnchor      `cbor:"7,keyasint"`
	Epochs         []HelloEpoch      `cbor:"8,keyasint"`
	Wire           []uint64          `cbor:"9,keyasint"`
	BacklogBytes   uint64            `cbor:"10,keyasint"`
	BacklogBatches uint64            `cbor:"11,keyasint"`
	Site           string            `cbor:"12,keyasint,omitempty"`
	Owner          string            `cbor:"13,keyasint,omitempty"`
	Tags           map[string]string `cbor:"14,keyasint,omitempty"`
	Schedule       map[string]uint64 `cbor:"15,keyasint,omitempty"` // series -> interval in ms
}

// AckEpoch is what a gateway says of one epoch of a device.
type AckEpoch struct {
	Epoch      record.Epoch `cbor:"1,keyasint"`
	StoredMark uint64       `cbor:"2,keyasint"`
	Stored     []uint64     `cbor:"3,keyasint"` // flat set above StoredMark
	LandedMark uint64       `cbor:"4,keyasint"`
	Landed     []uint64     `cbor:"5,keyasint"` // flat set above LandedMark
	Ended      bool         `cbor:"6,keyasint"`
}

// StoredSet returns every seq the gateway has in its log or lake.
func (e *AckEpoch) StoredSet() seqset.Set { return markedSet(e.StoredMark, e.Stored) }

// LandedSet returns every seq that is in a committed transaction.
func (e *AckEpoch) LandedSet() seqset.Set { return markedSet(e.LandedMark, e.Landed) }

// markedSet relies on ParseAck having checked flat.
func markedSet(mark uint64, flat []uint64) seqset.Set {
	s, _ := seqset.FromFlat(flat)
	s.Add(0, mark)
	return s
}

// NewAckEpoch says what is stored and landed of an epoch.
func NewAckEpoch(epoch record.Epoch, stored, landed *seqset.Set, ended bool) AckEpoch {
	e := AckEpoch{Epoch: epoch, Ended: ended}
	e.StoredMark, e.Stored = splitMark(stored)
	e.LandedMark, e.Landed = splitMark(landed)
	return e
}

// splitMark never claims too much: ranges beyond MaxRanges are left out.
func splitMark(s *seqset.Set) (uint64, []uint64) {
	mark, r := s.Mark(), s.Ranges()
	if mark > 0 {
		r = r[1:]
	}
	flat := make([]uint64, 0, 2*min(len(r), MaxRanges))
	for _, x := range r[:min(len(r), MaxRanges)] {
		flat = append(flat, x.From, x.To)
	}
	return mark, flat
}

// AckNumber orders acks within one lake_id and log_id.
type AckNumber struct{ Start, N uint64 }

// Less reports whether a came before b.
func (a AckNumber) Less(b AckNumber) bool {
	return a.Start < b.Start || a.Start == b.Start && a.N < b.N
}

// ID is a 128-bit id of a lake or a log.
type ID [16]byte

// String returns 32 lower-case hex digits.
func (id ID) String() string { return fmt.Sprintf("%x", id[:]) }

// Ack is what a gateway says to one client.
type Ack struct {
	Lake   ID         `cbor:"1,keyasint"`
	Log    ID         `cbor:"2,keyasint"`
	Start  uint64     `cbor:"3,keyasint"`
	N      uint64     `cbor:"4,keyasint"`
	Client string     `cbor:"5,keyasint"`
	Nonce  uint64     `cbor:"6,keyasint"`
	Sent   int64      `cbor:"7,keyasint"` // us monotonic, of the device
	Epochs []AckEpoch `cbor:"8,keyasint"`
	Wire   []uint64   `cbor:"9,keyasint"`
	Dicts  []uint64   `cbor:"10,keyasint"`
	Time   int64      `cbor:"11,keyasint"` // us wall, of the gateway
	Credit uint64     `cbor:"12,keyasint"` // bytes per second
}

// Number returns the place of a among the acks of its log.
func (a *Ack) Number() AckNumber { return AckNumber{a.Start, a.N} }

// Reason says why a gateway did not take a batch.
type Reason string

// The reasons of FORMAT.md, section 4.
const (
	NotNow      Reason = "not_now"
	HoleFirst   Reason = "hole_first"
	BadVersion  Reason = "version"
	TooLarge    Reason = "too_large"
	BadIdentity Reason = "identity"
	ShareFull   Reason = "share_full"
	BadCRC      Reason = "crc"
)

// Nack is what a gateway says of one batch it did not take.
type Nack struct {
	Epoch       record.Epoch `cbor:"1,keyasint"`
	First       uint64       `cbor:"2,keyasint"`
	Count       uint64       `cbor:"3,keyasint"`
	CRC         uint32       `cbor:"4,keyasint"`
	Reason      Reason       `cbor:"5,keyasint"`
	MissingFrom uint64       `cbor:"6,keyasint,omitempty"`
	MissingTo   uint64       `cbor:"7,keyasint,omitempty"`
	Detail      string       `cbor:"8,keyasint,omitempty"`
}

// modes are the one pair of CBOR dialects of this package.
type modes struct {
	enc cbor.EncMode
	dec cbor.DecMode
}

var dialect = newModes() // read only

func newModes() modes {
	eo := cbor.CoreDetEncOptions()
	eo.NilContainers = cbor.NilContainerAsEmpty
	enc, err := eo.EncMode()
	if err != nil {
		panic("wire: CBOR encoding options: " + err.Error())
	}
	dec, err := cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		IndefLength:      cbor.IndefLengthForbidden,
		MaxNestedLevels:  8,
		MaxArrayElements: 1 << 17,
		MaxMapPairs:      1 << 12,
		TagsMd:           cbor.TagsForbidden,
		UTF8:             cbor.UTF8RejectInvalid,
	}.DecMode()
	if err != nil {
		panic("wire: CBOR decoding options: " + err.Error())
	}
	return modes{enc, dec}
}

func appendMessage(dst []byte, typ byte, v any) ([]byte, error) {
	body, err := dialect.enc.Marshal(v)
	if err != nil {
		return dst, fmt.Errorf("write message %T: %w", v, err)
	}
	from := len(dst)
	dst = append(dst, 'H', 'M', version, typ)
	dst = append(dst, body...)
	return appendCRC(dst, from), nil
}

func parseMessage(b []byte, typ byte, v any) error {
	err := func() error {
		switch {
		case len(b) > MaxSealed:
			return ErrTooLarge
		case len(b) < 4+1+4 || b[0] != 'H' || b[1] != 'M':
			return fmt.Errorf("%w: not a message", ErrFormat)
		case binary.LittleEndian.Uint32(b[len(b)-4:]) != Checksum(b[:len(b)-4]):
			return ErrCRC
		case b[2] != version || b[3] != typ:
			return fmt.Errorf("%w: version %d, type %d", ErrVersion, b[2], b[3])
		}
		if err := dialect.dec.Unmarshal(b[4:len(b)-4], v); err != nil {
			return fmt.Errorf("%w: %w", ErrFormat, err)
		}
		return nil
	}()
	if err != nil {
		return fmt.Errorf("read message %T of %d bytes: %w", v, len(b), err)
	}
	return nil
}

// AppendHello appends h as a message to dst.
func AppendHello(dst []byte, h *Hello) ([]byte, error) { return appendMessage(dst, typeHello, h) }

// ParseHello reads and checks a hello: names, states and sets are valid when it returns nil.
func ParseHello(b []byte) (*Hello, error) {
	h := new(Hello)
	if err := parseMessage(b, typeHello, h); err != nil {
		return nil, err
	}
	if device, err := record.DeviceOf(h.Client); err != nil || device != h.Device {
		return nil, fmt.Errorf("read hello: %w: client %q does not speak for device %q", ErrFormat, h.Client, h.Device)
	}
	for i := range h.Epochs {
		e := &h.Epochs[i]
		held, err := checkSet(e.Held)
		if err != nil || e.Epoch == 0 || e.State > EpochLost || e.Next > record.MaxSeq || e.Floor > e.Next || held.Max() > e.Next {
			return nil, fmt.Errorf("read hello of %s: %w: entry of epoch %s", h.Device, ErrFormat, e.Epoch)
		}
	}
	for _, a := range h.Anchors {
		if a.State > Synced || a.Boot == 0 {
			return nil, fmt.Errorf("read hello of %s: %w: anchor of boot %s", h.Device, ErrFormat, a.Boot)
		}
	}
	return h, nil
}

func checkSet(flat []uint64) (seqset.Set, error) {
	if len(flat) > 2*MaxRanges {
		return seqset.Set{}, ErrTooLarge
	}
	return seqset.FromFlat(flat)
}

// AppendAck appends a as a message to dst.
func AppendAck(dst []byte, a *Ack) ([]byte, error) { return appendMessage(dst, typeAck, a) }

// ParseAck reads and checks an ack.
func ParseAck(b []byte) (*Ack, error) {
	a := new(Ack)
	if err := parseMessage(b, typeAck, a); err != nil {
		return nil, err
	}
	for i := range a.Epochs {
		e := &a.Epochs[i]
		_, err1 := checkSet(e.Stored)
		_, err2 := checkSet(e.Landed)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("read ack: %w: sets of epoch %s", ErrFormat, e.Epoch)
		}
	}
	return a, nil
}

// AppendNack appends n as a message to dst.
func AppendNack(dst []byte, n *Nack) ([]byte, error) { return appendMessage(dst, typeNack, n) }

// ParseNack reads a nack.
func ParseNack(b []byte) (*Nack, error) {
	n := new(Nack)
	if err := parseMessage(b, typeNack, n); err != nil {
		return nil, err
	}
	return n, nil
}

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

// AppendGap appends the sealed part of a gap over [h.First, h.First+h.Count).
func AppendGap(dst []byte, h Header, g Gap) ([]byte, error) {
	h.Kind, h.Codec, h.Dict = KindGap, Stored, 0
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
		return g, fmt.Errorf("read gap: %w: kind %s, codec %d", ErrVersion, s.Kind, s.Codec)
	}
	if err := dialect.dec.Unmarshal(s.Body, &g); err != nil {
		return g, fmt.Errorf("read gap: %w: %w", ErrFormat, err)
	}
	switch g.Reason {
	case DropOldest, DropNewest, Thinned, Damaged:
		return g, nil
	}
	return g, fmt.Errorf("read gap: %w: reason %q", ErrFormat, g.Reason)
}
