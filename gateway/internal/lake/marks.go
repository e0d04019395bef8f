package lake

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	icetable "github.com/apache/iceberg-go/table"

	"github.com/headwater-iot/headwater/gateway/internal/lake/schema"
	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// Marks returns who owns the lake and how far that log has landed; false before the first takeover.
func (l *Lake) Marks(ctx context.Context) (table.Marks, bool, error) {
	cursors, err := l.load(ctx, table.Cursors)
	if err != nil {
		return table.Marks{}, false, err
	}
	return marksOf(cursors.Metadata())
}

func marksOf(meta icetable.Metadata) (table.Marks, bool, error) {
	text, ok := meta.Properties()[schema.Marks]
	if !ok {
		return table.Marks{}, false, nil
	}
	m, err := parseMarks(text)
	if err != nil {
		return table.Marks{}, false, fmt.Errorf("property %s of cursors: %w", schema.Marks, err)
	}
	return m, true, nil
}

// formatMarks writes `<log_id>;<partition>:<next offset>,...`.
func formatMarks(m table.Marks) string {
	parts := make([]string, len(m.Next))
	for p, next := range m.Next {
		parts[p] = fmt.Sprintf("%d:%d", p, next)
	}
	return m.Log.String() + ";" + strings.Join(parts, ",")
}

func parseMarks(text string) (table.Marks, error) {
	var m table.Marks
	id, list, ok := strings.Cut(text, ";")
	if !ok || len(id) != 2*len(m.Log) {
		return m, fmt.Errorf("%q is not <log_id>;<partition>:<next>[,<partition>:<next>]", text)
	}
	if _, err := hex.Decode(m.Log[:], []byte(id)); err != nil {
		return m, fmt.Errorf("%q: log_id: %w", text, err)
	}
	for i, part := range strings.Split(list, ",") {
		p, next, ok := strings.Cut(part, ":")
		if n, err := strconv.Atoi(p); !ok || err != nil || n != i {
			return m, fmt.Errorf("%q: partition %d is missing", text, i)
		}
		n, err := strconv.ParseUint(next, 10, 64)
		if err != nil {
			return m, fmt.Errorf("%q: partition %d: %w", text, i, err)
		}
		m.Next = append(m.Next, n)
	}
	return m, nil
}

func sameMarks(a, b table.Marks) bool { return a.Log == b.Log && slices.Equal(a.Next, b.Next) }

// landedText says which offsets a commit lands, for the record in the snapshot summary.
func landedText(from, to table.Marks) string {
	var parts []string
	for p, next := range to.Next {
		if from.Next[p] != next {
			parts = append(parts, fmt.Sprintf("%d:%d-%d", p, from.Next[p], next))
		}
	}
	return strings.Join(parts, ",")
}

// marksAre is the requirement that the marks property still has the text it was read with. The pin of a snapshot
// does not see a change of properties alone, and that is how marks move when there is nothing but marks to commit.
type marksAre struct{ text string }

func (marksAre) GetType() string { return "headwater-marks" }

func (r marksAre) Validate(meta icetable.Metadata) error {
	if got := meta.Properties()[schema.Marks]; got != r.text {
		return fmt.Errorf("requirement failed: marks are %q, not %q", got, r.text)
	}
	return nil
}
