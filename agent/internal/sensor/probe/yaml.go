package probe

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/headwater-iot/headwater/agent/internal/sensor/sysfs"
)

// YAML returns the sensors of a configuration. Chips measure series of the same
// names, so that each one has its own name in front of them.
func (r Report) YAML() string {
	var b strings.Builder
	b.WriteString("sensors:\n")
	for _, f := range r.Found {
		fmt.Fprintf(&b, "  # %s\n  - name: %s\n", comment(f.Where), quoted(f.Name))
		if f.Kind != "machine" && f.Kind != "w1" { // whose series are like no other's
			fmt.Fprintf(&b, "    prefix: %s\n", quoted(sysfs.Plain(f.Name)+"_"))
		}
		fmt.Fprintf(&b, "    %s: {%s}\n", f.Kind, strings.Join(f.Section, ", "))
	}
	if len(r.Notes) > 0 {
		b.WriteString("\n# Not made a sensor of:\n")
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "# - %s\n", comment(note))
	}
	return b.String()
}

// comment keeps a text that devices had a say in on one line.
func comment(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == '\uFFFD' || r == '\uFEFF' {
			return '?'
		}
		return r
	}, strings.ReplaceAll(text, "\n", "; "))
}

const letters, others = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789_-/."

// quoted writes a name as YAML: in quotes unless it surely is a plain word.
func quoted(name string) string {
	reserved := []string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
	if name != "" && strings.Trim(name, letters+others) == "" && strings.ContainsAny(name[:1], letters+"/") &&
		!slices.Contains(reserved, strings.ToLower(name)) {
		return name
	}
	return strconv.QuoteToASCII(name)
}
