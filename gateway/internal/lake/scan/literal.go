package scan

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/iceberg-go"
)

// literal makes what a token says a value of the column's type. A predicate whose literal has another type than its
// column is not something to leave to a library's conversions: they round.
func literal(tok token, field iceberg.NestedField) (iceberg.Literal, error) {
	quoted := tok.kind == text
	switch typ := field.Type.(type) {
	case iceberg.StringType:
		if quoted {
			return iceberg.NewLiteral(tok.text), nil
		}
		return nil, errors.New("is compared with 'text'")
	case iceberg.TimestampTzType:
		if !quoted {
			return nil, errors.New("is compared with 'a time', as 2026-01-31 or 2026-01-31T12:00:00Z")
		}
		return instant(tok.text)
	case iceberg.DateType:
		t, err := time.Parse(time.DateOnly, tok.text)
		if !quoted || err != nil {
			return nil, errors.New("is compared with 'a day', as 2026-01-31")
		}
		return iceberg.NewLiteral(iceberg.Date(t.Unix() / (24 * 60 * 60))), nil
	case iceberg.BooleanType:
		switch strings.ToLower(tok.text) {
		case "true":
			return iceberg.NewLiteral(true), nil
		case "false":
			return iceberg.NewLiteral(false), nil
		}
		return nil, errors.New("is compared with true or false")
	case iceberg.BinaryType:
		b, err := hex.DecodeString(tok.text)
		if !quoted || err != nil {
			return nil, errors.New("is compared with 'hex digits'")
		}
		return iceberg.NewLiteral(b), nil
	case iceberg.Int32Type:
		v, err := strconv.ParseInt(tok.text, 10, 32)
		if tok.kind != number || err != nil {
			return nil, errors.New("is compared with a whole number of 32 bits")
		}
		return iceberg.NewLiteral(int32(v)), nil
	case iceberg.Int64Type:
		v, err := strconv.ParseInt(tok.text, 10, 64)
		if tok.kind != number || err != nil {
			return nil, errors.New("is compared with a whole number of 64 bits")
		}
		return iceberg.NewLiteral(v), nil
	case iceberg.Float64Type:
		v, err := strconv.ParseFloat(tok.text, 64)
		if tok.kind != number || err != nil {
			return nil, errors.New("is compared with a number")
		}
		return iceberg.NewLiteral(v), nil
	case iceberg.DecimalType:
		v, ok := new(big.Int).SetString(tok.text, 10)
		if tok.kind != number || !ok || v.BitLen() > 100 || typ.Scale() != 0 {
			return nil, errors.New("is compared with a whole number")
		}
		return iceberg.NewLiteral(iceberg.Decimal{Val: decimal128.FromBigInt(v)}), nil
	}
	return nil, fmt.Errorf("is a %s, which no literal can be compared with", field.Type)
}

// instant reads RFC 3339, or a date, as microseconds.
func instant(text string) (iceberg.Literal, error) {
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return iceberg.NewLiteral(iceberg.Timestamp(t.UnixMicro())), nil
		}
	}
	return nil, fmt.Errorf("%q is no time: write 2026-01-31 or 2026-01-31T12:00:00Z", text)
}
