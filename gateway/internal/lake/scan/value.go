package scan

import (
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Value returns the cell of a column as string, int64, float64, bool, []byte, time.Time, *big.Int, []any,
// map[string]any, or nil for null. It shares no memory with the column.
func Value(a arrow.Array, row int) any {
	if a.IsNull(row) {
		return nil
	}
	switch a := a.(type) {
	case *array.Int32:
		return int64(a.Value(row))
	case *array.Int64:
		return a.Value(row)
	case *array.Float64:
		return a.Value(row)
	case *array.Boolean:
		return a.Value(row)
	case *array.Timestamp:
		return time.UnixMicro(int64(a.Value(row))).UTC()
	case *array.Date32:
		return a.ValueStr(row)
	case *array.Decimal128:
		return a.Value(row).BigInt()
	case *array.Binary:
		return append([]byte{}, a.Value(row)...)
	case *array.LargeBinary:
		return append([]byte{}, a.Value(row)...)
	case array.StringLike:
		return string([]byte(a.Value(row)))
	case *array.Map:
		from, to := a.ValueOffsets(row)
		m := make(map[string]any)
		for i := int(from); i < int(to); i++ {
			m[fmt.Sprint(Value(a.Keys(), i))] = Value(a.Items(), i)
		}
		return m
	case array.ListLike:
		from, to := a.ValueOffsets(row)
		l := []any{}
		for i := int(from); i < int(to); i++ {
			l = append(l, Value(a.ListValues(), i))
		}
		return l
	}
	return a.ValueStr(row) // a type that no table of ours has
}
