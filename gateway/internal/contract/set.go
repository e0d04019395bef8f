package contract

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Set is the contracts in force. It does not change: With and Without return another one.
type Set struct {
	list   []*Contract // by id
	claims []claim     // the most exact first, and of equal ones the first by id
}

// claim is one pattern of a contract.
type claim struct {
	glob     string
	letters  int // that are no wildcard
	contract *Contract
}

// NewSet returns the contracts as a set. Two contracts must not claim the same devices equally well.
func NewSet(list ...*Contract) (*Set, error) {
	s := newSet(slices.Clone(list))
	for i, c := range s.list {
		if i > 0 && s.list[i-1].ID == c.ID {
			return nil, fmt.Errorf("two contracts have the id %s: an id is one data product", c.ID)
		}
	}
	claimed := map[string]string{}
	for _, c := range s.claims {
		if other, twice := claimed[c.glob]; twice && other != c.contract.ID {
			return nil, fmt.Errorf("contracts %s and %s both claim the devices %q: make one of the patterns more exact", other, c.contract.ID, c.glob)
		}
		claimed[c.glob] = c.contract.ID
	}
	return s, nil
}

func newSet(list []*Contract) *Set {
	s := &Set{list: list}
	slices.SortFunc(s.list, func(a, b *Contract) int { return strings.Compare(a.ID, b.ID) })
	for _, c := range s.list {
		for _, glob := range c.Devices {
			s.claims = append(s.claims, claim{glob, letters(glob), c})
		}
	}
	slices.SortStableFunc(s.claims, func(a, b claim) int { return b.letters - a.letters })
	return s
}

// letters counts what a pattern says exactly.
func letters(glob string) int {
	n, class := 0, false
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; {
		case class:
			class = c != ']'
		case c == '[':
			class = true
		case c == '\\':
			i++ // the next one is a letter, whatever it is
			n++
		case c != '*' && c != '?':
			n++
		}
	}
	return n
}

// With returns the set with a contract in the place of the one with its id.
func (s *Set) With(c *Contract) (*Set, error) {
	return NewSet(append(s.others(c.ID), c)...)
}

// Without returns the set without the contract with that id.
func (s *Set) Without(id string) *Set { return newSet(s.others(id)) }

func (s *Set) others(id string) []*Contract {
	if s == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.list), func(c *Contract) bool { return c.ID == id })
}

// All returns the contracts, by id.
func (s *Set) All() []*Contract {
	if s == nil {
		return nil
	}
	return slices.Clone(s.list)
}

// Get returns the contract with an id, or nil.
func (s *Set) Get(id string) *Contract {
	for _, c := range s.All() {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// For returns the contract that a device is under, or nil: the one whose pattern has most letters that are no
// wildcard, and of equal ones the first by id.
func (s *Set) For(device string) *Contract {
	if s == nil {
		return nil
	}
	for i := range s.claims {
		if ok, err := path.Match(s.claims[i].glob, device); err == nil && ok {
			return s.claims[i].contract
		}
	}
	return nil
}
