package decision

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// ErrFormat means bytes that are no decision.
var ErrFormat = errors.New("not a decision in the form of FORMAT.md")

// Action is what is done with a contract.
type Action uint8

// The actions.
const (
	Apply  Action = 1 + iota // it judges from here on, in the place of any of its id
	Shadow                   // it judges beside the one in force, and what it says is only counted
	Remove                   // nothing of its id judges any more, in shadow or in force
)

// String returns the word of the table `contracts`, column mode.
func (a Action) String() string {
	switch a {
	case Apply:
		return "active"
	case Shadow:
		return "shadow"
	case Remove:
		return "removed"
	}
	return fmt.Sprintf("Action(%d)", uint8(a))
}

// ParseAction is the inverse of String.
func ParseAction(word string) (Action, error) {
	for a := Apply; a <= Remove; a++ {
		if a.String() == word {
			return a, nil
		}
	}
	return 0, fmt.Errorf("%q is no mode of a contract", word)
}

// Contract is one change of the contracts in force.
type Contract struct {
	Action  Action `cbor:"1,keyasint"`
	ID      string `cbor:"2,keyasint"`
	Version string `cbor:"3,keyasint"`
	Source  []byte `cbor:"4,keyasint,omitempty"` // the text of the contract; none to remove
	Subject string `cbor:"5,keyasint,omitempty"` // who decided
}

// Append appends the payload.
func (c *Contract) Append(dst []byte) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	b, err := encoding().Marshal(c)
	return append(dst, b...), err
}

// ParseContract reads a payload. Source shares b.
func ParseContract(b []byte) (Contract, error) {
	var c Contract
	if err := decoding().Unmarshal(b, &c); err != nil {
		return Contract{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if again, err := c.Append(nil); err != nil || !bytes.Equal(again, b) {
		return Contract{}, errors.Join(fmt.Errorf("%w: it is not written in the one way there is", ErrFormat), err)
	}
	return c, nil
}

func (c *Contract) check() error {
	switch {
	case c.Action < Apply || c.Action > Remove:
		return fmt.Errorf("%w: action %d", ErrFormat, c.Action)
	case c.ID == "":
		return fmt.Errorf("%w: no id", ErrFormat)
	case (c.Action == Remove) != (len(c.Source) == 0):
		return fmt.Errorf("%w: %s with %d bytes of source", ErrFormat, c.Action, len(c.Source))
	}
	return nil
}

func encoding() cbor.EncMode {
	m, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic("decision: CBOR encoding options: " + err.Error())
	}
	return m
}

func decoding() cbor.DecMode {
	m, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, MaxNestedLevels: 4,
		TagsMd: cbor.TagsForbidden, UTF8: cbor.UTF8RejectInvalid,
	}.DecMode()
	if err != nil {
		panic("decision: CBOR decoding options: " + err.Error())
	}
	return m
}
