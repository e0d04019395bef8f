package quarantine

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/headwater-iot/headwater/gateway/internal/decision"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/seqset"
)

// Name names rows: by seqs of an epoch, or by the log record they came from.
type Name struct {
	Key    table.Key
	Seqs   seqset.Range
	Record *decision.Place // instead of both
}

// ParseName reads `device/epoch/from-to` (the last seq not included), `device/epoch` or `log:partition:offset`.
func ParseName(text string) (Name, error) {
	parts := strings.Split(text, "/")
	if len(parts) == 1 {
		return parsePlace(text)
	}
	bad := func(what string) (Name, error) {
		return Name{}, fmt.Errorf("%q: %s; want DEVICE/EPOCH/FROM-TO, DEVICE/EPOCH or LOG:PARTITION:OFFSET, as the list command prints them", text, what)
	}
	if len(parts) > 3 {
		return bad("too many slashes")
	}
	epoch, err := record.ParseEpoch(parts[1])
	if err != nil {
		return bad(err.Error())
	}
	n := Name{Key: table.Key{Device: parts[0], Epoch: epoch}, Seqs: seqset.Range{To: record.MaxSeq}}
	if err := record.CheckDevice(n.Key.Device); err != nil {
		return bad(err.Error())
	}
	if len(parts) == 2 {
		return n, nil
	}
	from, to, ok := strings.Cut(parts[2], "-")
	n.Seqs.From, err = strconv.ParseUint(from, 10, 63)
	if err == nil {
		n.Seqs.To, err = strconv.ParseUint(to, 10, 63)
	}
	if !ok || err != nil || n.Seqs.From >= n.Seqs.To {
		return bad("the seqs are no range")
	}
	return n, nil
}

func parsePlace(text string) (Name, error) {
	parts := strings.Split(text, ":")
	var p decision.Place
	if len(parts) == 3 && len(parts[0]) == 2*len(p.Log) {
		_, err := hex.Decode(p.Log[:], []byte(parts[0]))
		if err == nil {
			p.Partition, err = strconv.Atoi(parts[1])
		}
		if err == nil {
			p.Offset, err = strconv.ParseUint(parts[2], 10, 63)
		}
		if err == nil && p.Partition >= 0 {
			return Name{Record: &p}, nil
		}
	}
	return Name{}, fmt.Errorf("%q names no row; want DEVICE/EPOCH/FROM-TO, DEVICE/EPOCH or LOG:PARTITION:OFFSET, as the list command prints them", text)
}

// NameOf returns the name of a row, as ParseName reads it.
func NameOf(r *table.QuarantineRow) string {
	if r.Count == 0 {
		return placeOf(r)
	}
	return fmt.Sprintf("%s/%s/%d-%d", r.Device, r.Epoch, r.From, r.To)
}

func placeOf(r *table.QuarantineRow) string {
	return fmt.Sprintf("%s:%d:%d", r.Origin.Log, r.Origin.Partition, r.Origin.Offset)
}

// Has reports whether the name is of a row, or of some of its seqs.
func (n *Name) Has(r *table.QuarantineRow) bool {
	if p := n.Record; p != nil {
		return r.Origin.Log == p.Log && r.Origin.Partition == p.Partition && r.Origin.Offset == p.Offset
	}
	return r.Device == n.Key.Device && r.Epoch == n.Key.Epoch && r.From < n.Seqs.To && n.Seqs.From < r.To
}

// of returns what is named of a row.
func (n *Name) of(r *table.QuarantineRow) seqset.Range {
	if n.Record != nil {
		return seqset.Range{From: r.From, To: r.To}
	}
	return seqset.Range{From: max(r.From, n.Seqs.From), To: min(r.To, n.Seqs.To)}
}
