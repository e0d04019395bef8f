package modbus

import (
	"cmp"
	"slices"
)

// block is what one request asks for.
type block struct {
	function   byte
	first      int // address
	count      int // of registers or bits
	converters []*converter
}

// blocks makes as few requests as it may of the registers.
func blocks(s Settings) ([]*block, error) {
	var all []*converter
	for _, r := range s.Registers {
		c, err := newConverter(r, cmp.Or(s.Order, DefaultOrder))
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	slices.SortStableFunc(all, func(a, b *converter) int {
		return cmp.Or(cmp.Compare(a.Function.code(), b.Function.code()), cmp.Compare(a.Address, b.Address))
	})
	var out []*block
	for _, c := range all {
		most := cmp.Or(s.MaxRequest, MostRegisters)
		if c.Function.bits() {
			most = MostBits
		}
		if n := len(out); n > 0 && out[n-1].take(c, s.Bridge, most) {
			continue
		}
		out = append(out, &block{function: c.Function.code(), first: c.Address, count: c.size(), converters: []*converter{c}})
	}
	return out, nil
}

// take adds a series to the block, if the block may grow so far.
func (b *block) take(c *converter, bridge, most int) bool {
	end := b.first + b.count
	grown := max(end, c.Address+c.size()) - b.first
	if c.Function.code() != b.function || c.Address > end+bridge || grown > most {
		return false
	}
	b.count = grown
	b.converters = append(b.converters, c)
	return true
}
