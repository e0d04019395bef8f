package contract

import (
	"strings"
	"testing"
)

// small returns a contract for devices.
func small(t *testing.T, id, version, devices string) *Contract {
	t.Helper()
	text := strings.NewReplacer("greenhouse-climate", id, "1.2.0", version, "'greenhouse-*'", "'"+devices+"'").Replace(climate)
	c, err := Parse(id+".odcs.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestForce(t *testing.T) {
	var f *Force
	step := func(next *Force, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		f = next
	}
	want := func(device, judge, shadow string) {
		t.Helper()
		label := func(c *Contract) string {
			if c == nil {
				return ""
			}
			return c.Label()
		}
		j, s := f.For(device)
		if label(j) != judge || label(s) != shadow {
			t.Errorf("%s is under %q, in shadow %q; want %q, %q", device, label(j), label(s), judge, shadow)
		}
	}
	want("a-1", "", "")
	step(f.Apply(small(t, "all", "1.0.0", "*")))
	step(f.Shadow(small(t, "all", "1.1.0", "*")))
	want("a-1", "all@1.0.0", "all@1.1.0")
	step(f.Shadow(small(t, "a", "1.0.0", "a-*")))
	want("a-1", "all@1.0.0", "a@1.0.0")
	want("b-1", "all@1.0.0", "all@1.1.0")
	step(f.Apply(small(t, "a", "1.0.0", "a-*")))
	want("a-1", "a@1.0.0", "")
	if f.InShadow("a") != nil || f.InShadow("all") == nil {
		t.Error("what is applied leaves the shadow, and nothing else does")
	}
	step(f.Shadow(small(t, "a", "1.1.0", "c-*")))
	want("a-1", "a@1.0.0", "all@1.1.0")
	step(f.Remove("all"))
	want("b-1", "", "")
	want("a-1", "a@1.0.0", "")
	if _, err := f.Apply(small(t, "other", "1.0.0", "a-*")); err == nil {
		t.Error("two contracts with one pattern are in force")
	}
	if _, err := f.Shadow(small(t, "other", "1.0.0", "c-*")); err == nil {
		t.Error("two contracts with one pattern are in shadow")
	}
}
