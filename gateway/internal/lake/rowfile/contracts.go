package rowfile

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"

	"github.com/headwater-iot/headwater/gateway/internal/table"
)

// WriteContracts writes rows as one data file.
func WriteContracts(ctx context.Context, t *icetable.Table, rows []table.ContractRow) ([]iceberg.DataFile, error) {
	return writeGroups(ctx, t, rows,
		func(table.ContractRow) int32 { return 0 }, func(int32) partition { return partition{} }, appendContract)
}

func appendContract(b *rowBuilder, r table.ContractRow) {
	b.maybeInteger(int32(r.Origin.Partition), true)
	b.long(int64(r.Revision))
	b.text(r.ID)
	b.text(r.Version)
	b.text(r.Mode)
	b.maybeText(r.Source, r.Source != "")
	b.maybeText(r.Hash, r.Hash != "")
	b.maybeText(r.Subject, r.Subject != "")
	b.text(r.Origin.Log.String())
	b.long(int64(r.Origin.Offset))
	b.time(r.Origin.Received)
}

// ReadContracts reads rows of the table `contracts`.
func ReadContracts(batch arrow.RecordBatch) ([]table.ContractRow, error) {
	return readAll(batch, readContract)
}

func readContract(c *cells) table.ContractRow {
	return table.ContractRow{
		Revision: uint64(c.long("revision")),
		ID:       c.text("id"),
		Version:  c.text("version"),
		Mode:     c.text("mode"),
		Source:   c.text("source"),
		Hash:     c.text("hash"),
		Subject:  c.text("subject"),
		Origin:   c.origin("received_time"),
	}
}
