package wire

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
)

// MaxRanges is the largest number of ranges a message may name in one set.
const MaxRanges = 4096

// MaxPairs is the largest number of entries of a map in a message: what a hello may say of tags and schedule.
const MaxPairs = 4096

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

// splitMark never claims too much: ranges beyond MaxRanges are left out. The set may have more.
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

// UnmarshalBinary takes exactly 16 bytes; the CBOR decoder alone would pad or cut.
func (id *ID) UnmarshalBinary(b []byte) error {
	if len(b) != len(id) {
		return fmt.Errorf("id of %d bytes, want %d", len(b), len(id))
	}
	copy(id[:], b)
	return nil
}

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
		MaxMapPairs:      MaxPairs,
		TagsMd:           cbor.TagsForbidden,
		UTF8:             cbor.UTF8RejectInvalid,
	}.DecMode()
	if err != nil {
		panic("wire: CBOR decoding options: " + err.Error())
	}
	return modes{enc, dec}
}
