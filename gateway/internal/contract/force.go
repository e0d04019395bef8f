package contract

import (
	"fmt"
	"slices"
)

// Force is the contracts that judge, and those in shadow, which are only counted. It does not change: each change
// returns another one. The nil Force has none.
type Force struct {
	active  *Set
	shadows []*Contract
	trial   *Set // the contracts that would judge if those in shadow did
}

// Apply puts a contract in force, in the place of any of its id.
func (f *Force) Apply(c *Contract) (*Force, error) {
	active, err := f.Active().With(c)
	if err != nil {
		return nil, err
	}
	return newForce(active, f.without(c.ID))
}

// Shadow puts a contract beside those in force.
func (f *Force) Shadow(c *Contract) (*Force, error) {
	return newForce(f.Active(), append(f.without(c.ID), c))
}

// Remove ends a contract, in force or in shadow.
func (f *Force) Remove(id string) (*Force, error) {
	return newForce(f.Active().Without(id), f.without(id))
}

func newForce(active *Set, shadows []*Contract) (*Force, error) {
	trial := active
	for _, c := range shadows {
		var err error
		if trial, err = trial.With(c); err != nil {
			return nil, fmt.Errorf("in shadow: %w", err)
		}
	}
	return &Force{active: active, shadows: shadows, trial: trial}, nil
}

// Active returns the contracts that judge.
func (f *Force) Active() *Set {
	if f == nil {
		return nil
	}
	return f.active
}

// Shadows returns the contracts that are only counted.
func (f *Force) Shadows() []*Contract {
	if f == nil {
		return nil
	}
	return slices.Clone(f.shadows)
}

// InShadow returns the contract with an id that is only counted, or nil.
func (f *Force) InShadow(id string) *Contract {
	for _, c := range f.Shadows() {
		if c.ID == id {
			return c
		}
	}
	return nil
}

func (f *Force) without(id string) []*Contract {
	return slices.DeleteFunc(f.Shadows(), func(c *Contract) bool { return c.ID == id })
}

// For returns the contract that judges a device, and the one in shadow that would. Either may be nil.
func (f *Force) For(device string) (judge, shadow *Contract) {
	if f == nil {
		return nil, nil
	}
	judge, shadow = f.active.For(device), f.trial.For(device)
	if shadow == judge {
		shadow = nil
	}
	if shadow != nil && !slices.Contains(f.shadows, shadow) {
		shadow = nil // without the contract in whose place a shadow stands, another active one comes
	}
	return judge, shadow
}

// Label names a contract and its version, as tables do.
func (c *Contract) Label() string { return c.ID + "@" + c.Version }
