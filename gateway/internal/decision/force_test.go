package decision

import (
	"fmt"
	"testing"

	"github.com/headwater-iot/headwater/gateway/internal/table"
)

func rowOf(mode, id, version, devices string) table.ContractRow {
	return table.ContractRow{Mode: mode, ID: id, Version: version, Source: fmt.Sprintf(`apiVersion: v3.1.0
kind: DataContract
id: %s
version: %s
status: active
customProperties: [{property: devices, value: [%q]}]
schema: [{name: all, physicalType: series, logicalType: object, properties: [{name: v, logicalType: number}]}]
`, id, version, devices)}
}

// TestUndoneRowsAreNotRead takes in rows with one that nobody understands at its front: it stops whoever reads it, and
// does not when another took its place. What is left means what all of it did.
func TestUndoneRowsAreNotRead(t *testing.T) {
	later := table.ContractRow{Mode: "active", ID: "a", Version: "0.9.0", Source: "kind: Later"}
	for _, tt := range []struct {
		name string
		rows []table.ContractRow
		want string
	}{
		{"it counts", nil, "error"},
		{"a shadow beside it", []table.ContractRow{rowOf("shadow", "a", "1.0.0", "x*")}, "error"},
		{"another version", []table.ContractRow{rowOf("active", "a", "1.0.0", "x*")}, "a@1.0.0 "},
		{"removed", []table.ContractRow{{Mode: "removed", ID: "a"}}, " "},
		{"its devices taken by another", []table.ContractRow{
			rowOf("active", "a", "1.0.0", "x*"), rowOf("active", "a", "2.0.0", "y*"), rowOf("active", "b", "1.0.0", "x*"),
			rowOf("shadow", "b", "1.1.0", "x*"), rowOf("shadow", "b", "1.2.0", "x*"),
		}, "b@1.0.0 b@1.2.0"},
	} {
		got := "error"
		if f, err := ForceOf(append([]table.ContractRow{later}, tt.rows...), nil); err == nil {
			got = " "
			judge, shadow := f.For("x1")
			if judge != nil {
				got = judge.Label() + got
			}
			if shadow != nil {
				got += shadow.Label()
			}
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
