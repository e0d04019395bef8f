package cursor

import (
	"maps"

	"github.com/fxamacker/cbor/v2"

	"github.com/headwater-iot/headwater/gateway/internal/contract"
)

// Memory is what the rules of one contract remember of an epoch, by series. It is not changed: what is kept is a new one.
type Memory map[string]contract.State

// Recall returns what the rules of a contract (id@version#text) remember of the epoch.
func (c *Cursor) Recall(contract string) Memory {
	if c.memory == nil {
		c.memory = decodeMemory(c.Row.SeriesState)
	}
	return c.memory[contract]
}

// Keep makes this all that rules remember of the epoch, by contract. What contracts remembered that are not among them is
// forgotten: another version may mean another unit.
func (c *Cursor) Keep(memory map[string]Memory) {
	maps.DeleteFunc(memory, func(_ string, m Memory) bool { return len(m) == 0 })
	c.memory, c.recalled = memory, true
}

// seal brings the row up to what rules remember.
func (c *Cursor) seal() {
	if !c.recalled {
		return
	}
	c.recalled = false
	if c.Row.SeriesState = nil; len(c.memory) > 0 {
		c.Row.SeriesState = encodeMemory(c.memory)
	}
}

func encodeMemory(m map[string]Memory) []byte {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic("cursor: CBOR encoding options: " + err.Error())
	}
	b, err := mode.Marshal(m)
	if err != nil {
		panic("cursor: a memory that cannot be written: " + err.Error())
	}
	return b
}

// decodeMemory reads a column. What cannot be read is forgotten: rules that compare with nothing are better than an epoch
// that does not land.
func decodeMemory(b []byte) map[string]Memory {
	m := map[string]Memory{}
	if len(b) > 0 && cbor.Unmarshal(b, &m) != nil {
		return map[string]Memory{}
	}
	return m
}
