package contract

import (
	"strings"
	"testing"
)

// claiming returns a contract for devices.
func claiming(id string, globs ...string) *Contract { return &Contract{ID: id, Devices: globs} }

func TestSet(t *testing.T) {
	set, err := NewSet(claiming("all", "*"), claiming("green", "green-*", "green-*"), claiming("exact", "green-12"), claiming("class", "gree[a-z]-[0-9]2"), claiming("b", "??", "x*"), claiming("a", "x?"))
	if err != nil {
		t.Fatal(err)
	}
	for device, want := range map[string]string{
		"green-12": "exact", "green-13": "green", "green-22": "class", "greep-22": "class", "red": "all", "zz": "all",
		"xy": "a", "xyz": "b", "": "all",
	} {
		if c := set.For(device); c == nil || c.ID != want {
			t.Errorf("%q is under %v, want %s", device, c, want)
		}
	}
	if c := set.Without("all").For("red"); c != nil {
		t.Errorf("red is under %s", c.ID)
	}
	if set.Get("exact") == nil || set.Get("none") != nil || len(set.All()) != 6 || set.All()[0].ID != "a" {
		t.Errorf("contracts %v", set.All())
	}
	next, err := set.With(claiming("exact", "red"))
	if err != nil || next.For("red").ID != "exact" || next.For("green-12").ID != "class" || set.For("red").ID != "all" {
		t.Errorf("replaced: %v", err)
	}
	var none *Set
	if none.For("x") != nil || none.All() != nil || none.Get("x") != nil || none.Without("x").For("x") != nil {
		t.Error("no set has contracts")
	}
}

func TestSetRefuses(t *testing.T) {
	for want, list := range map[string][]*Contract{
		"two contracts have the id a":                  {claiming("a", "x"), claiming("a", "y")},
		`contracts a and b both claim the devices "*"`: {claiming("b", "*"), claiming("a", "y", "*")},
	} {
		if _, err := NewSet(list...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}
