package contract

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Set is the contracts in force. It does not change: With and Without return another one.
type Set struct {
	list []*Contract // by id
}

// NewSet returns the contracts as a set. Two contracts must not claim the same devices equally well.
func NewSet(list ...*Contract) (*Set, error) {
	s := &Set{list: slices.Clone(list)}
	slices.SortFunc(s.list, func(a, b *Contract) int { return strings.Compare(a.ID, b.ID) })
	claims := map[string]string{}
	for i, c := range s.list {
		if i > 0 && s.list[i-1].ID == c.ID {
			return nil, fmt.Errorf("two contracts have the id %s: an id is one data product", c.ID)
		}
		for _, glob := range c.Devices {
			if other, twice := claims[glob]; twice {
				return nil, fmt.Errorf("contracts %s and %s both claim the devices %q: make one of the patterns more exact", other, c.ID, glob)
			}
			claims[glob] = c.ID
		}
	}
	return s, nil
}

// With returns the set with a contract in the place of the one with its id.
func (s *Set) With(c *Contract) (*Set, error) {
	return NewSet(append(s.others(c.ID), c)...)
}

// Without returns the set without the contract with that id.
func (s *Set) Without(id string) *Set { return &Set{list: s.others(id)} }

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
	var best *Contract
	most := -1
	for _, c := range s.All() {
		for _, glob := range c.Devices {
			if ok, err := path.Match(glob, device); err == nil && ok {
				if n := len(strings.NewReplacer("*", "", "?", "").Replace(glob)); n > most {
					best, most = c, n
				}
			}
		}
	}
	return best
}
