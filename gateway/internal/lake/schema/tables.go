package schema

import (
	"github.com/apache/iceberg-go"
	icetable "github.com/apache/iceberg-go/table"

	"github.com/headwater-iot/headwater/gateway/internal/table"
)

func readings() Table {
	p := iceberg.PrimitiveTypes
	return Table{
		Name:    table.Readings,
		Comment: "One row is one reading: one value of one series of one device, exactly once.",
		Spec:    byDay(3, "event_time"),
		Order:   ascending(1, 2, 3),
		Schema: iceberg.NewSchema(0,
			required(1, "device", p.String, "name of the device"),
			required(2, "series", p.String, "name of the series within the device"),
			required(3, "event_time", p.TimestampTz, "when the value was sampled: device time corrected by clock_offset"),
			column(4, "value", p.Float64, "the number, or the nearest double of an integer; a boolean is 0 or 1"),
			column(5, "value_text", p.String, "the value of a text series"),
			column(6, "value_int", iceberg.DecimalTypeOf(20, 0), "the integer, where it is not exact as a double"),
			column(7, "value_bytes", p.Binary, "the value of a binary series"),
			column(8, "unit", p.String, "SenML unit"),
			required(9, "quality", p.Int32, "quality bits, 0 = good: 1 read error, 2 suspect, 4 stuck, 256 gateway clock, 512 clock bounded, 1024 future time; of contracts: 65536 type, 131072 unit, 262144 range, 524288 rate, 1048576 stuck, 2097152 enum, 4194304 pattern, 8388608 null, 16777216 excess, 33554432 late, 67108864 series, 134217728 anomaly, 268435456 masked"),
			column(10, "site", p.String, "site of the device when the reading landed"),
			required(11, "epoch", p.String, "start of the agent process that numbered the reading, 16 hex digits"),
			required(12, "seq", p.Int64, "number of the reading within its epoch; (device, epoch, seq) is unique"),
			required(13, "received_time", p.TimestampTz, "when the gateway had the reading in its log"),
			required(14, "boot", p.String, "start of the device that sampled the reading, 16 hex digits"),
			column(15, "clock_offset", p.Int64, "event_time less device time, us; null for absolute device time"),
			column(16, "clock_error", p.Int64, "bound of the error of event_time, us; null = unknown"),
			column(17, "anchor", p.Int64, "generation of the clock anchor that stamped the reading; null = none"),
			column(18, "contract", p.String, "data contract that the reading was checked by, id@version; null = the device is under none"),
		),
	}
}

func quarantine() Table {
	p := iceberg.PrimitiveTypes
	return Table{
		Name:    table.Quarantine,
		Comment: "One row is one rejected reading or batch, kept with its bytes and the reason.",
		Spec:    byDay(13, "received_time"),
		Order:   icetable.UnsortedSortOrder,
		Schema: iceberg.NewSchema(0,
			required(1, "device", p.String, "name of the device"),
			column(2, "epoch", p.String, "epoch of the readings, 16 hex digits; null = unreadable"),
			column(3, "seq_from", p.Int64, "first seq; null = none is taken"),
			column(4, "seq_to", p.Int64, "seq behind the last; null = none is taken"),
			required(5, "count", p.Int64, "readings that the row stands for; 0 = evidence only"),
			column(6, "bytes", p.Binary, "what was received"),
			required(7, "reason", p.String, "class of the rejection"),
			column(8, "rule", p.String, "rule of the contract that was broken, or detail"),
			column(9, "contract", p.String, "data contract that rejected, id@version"),
			required(10, "log_id", p.String, "log that holds the record, 32 hex digits"),
			required(11, "partition", p.Int32, "partition of that log"),
			required(12, "offset", p.Int64, "offset in that partition"),
			required(13, "received_time", p.TimestampTz, "when the gateway had it in its log"),
			required(14, "fate", p.String, "held, replayed or discarded"),
		),
	}
}

func gaps() Table {
	p := iceberg.PrimitiveTypes
	return Table{
		Name:    table.Gaps,
		Comment: "One row is one stretch of readings that will never come, or is presumed not to.",
		Spec:    byDay(16, "received_time"),
		Order:   icetable.UnsortedSortOrder,
		Schema: iceberg.NewSchema(0,
			required(1, "device", p.String, "name of the device"),
			required(2, "epoch", p.String, "epoch of the readings, 16 hex digits"),
			required(3, "seq_from", p.Int64, "first missing seq"),
			column(4, "seq_to", p.Int64, "seq behind the last missing one; null = open end"),
			required(5, "count", p.Int64, "readings known to be missing; 0 for an open end"),
			column(6, "count_max", p.Int64, "upper bound, where count is not exact"),
			column(7, "time_from", p.TimestampTz, "no missing reading is earlier; null = unknown"),
			column(8, "time_to", p.TimestampTz, "every missing reading is earlier; null = unknown"),
			column(9, "series", list(15, p.String), "series that miss readings; null = the whole device"),
			required(10, "reason", p.String, "why: drop_oldest, drop_newest, thinned, damaged, power_cut, gateway_state_lost, restored_from_backup, or dropped_RULE of a contract"),
			required(11, "presumed", p.Bool, "true: concluded by the gateway; a reading that comes after all still lands and corrects the row"),
			required(12, "log_id", p.String, "log that holds the record, 32 hex digits"),
			required(13, "partition", p.Int32, "partition of that log"),
			required(14, "offset", p.Int64, "offset in that partition"),
			required(16, "received_time", p.TimestampTz, "when the gateway had it in its log"),
		),
	}
}

func cursors() Table {
	p := iceberg.PrimitiveTypes
	return Table{
		Name:    table.Cursors,
		Comment: "One row is what was known of one (device, epoch) as of a commit; the highest version is the cursor.",
		Spec: iceberg.NewPartitionSpec(iceberg.PartitionField{
			SourceIDs: []int{1}, FieldID: 1000, Name: "device_bucket", Transform: iceberg.BucketTransform{NumBuckets: Buckets},
		}),
		Order: icetable.UnsortedSortOrder,
		Schema: iceberg.NewSchema(0,
			required(1, "device", p.String, "name of the device"),
			required(2, "epoch", p.String, "epoch, 16 hex digits"),
			required(3, "version", p.Int64, "raised with every row of the key; the highest is the cursor"),
			required(4, "mark", p.Int64, "every seq below is closed"),
			required(5, "closed", list(27, p.Int64), "closed ranges above mark, flat: from, to, from, to, ..."),
			required(6, "presumed", list(28, p.Int64), "ranges presumed lost, flat"),
			column(7, "presumed_from", p.Int64, "everything from here on is presumed lost; null = no open range"),
			required(8, "state", p.String, "open or ended"),
			column(9, "final_seq", p.Int64, "seq that would have come next when the epoch ended"),
			column(10, "predecessor", p.String, "epoch before this one, 16 hex digits"),
			required(11, "boot", p.String, "start of the device that the epoch ran in, 16 hex digits"),
			column(12, "promise", p.Int64, "no later seq has device time below it, ms"),
			column(13, "anchor_generation", p.Int64, "generation of the last clock anchor"),
			column(14, "anchor_state", p.Int32, "its state: 1 unsynced, 2 gateway, 3 synced; null = no anchor"),
			column(15, "anchor_wall", p.Int64, "its wall time, us"),
			column(16, "anchor_monotonic", p.Int64, "its monotonic time, us"),
			column(17, "anchor_uncertainty", p.Int64, "its uncertainty, us"),
			required(18, "accepted", p.Int64, "readings the agent says it accepted"),
			required(19, "held", p.Int64, "readings the last hello claimed to hold that were not closed then"),
			required(20, "landed", p.Int64, "readings that landed"),
			required(21, "quarantined", p.Int64, "readings that were quarantined"),
			required(22, "gaps", p.Int64, "readings that the agent's gap records closed"),
			required(23, "log_id", p.String, "log that holds the last record, 32 hex digits"),
			required(24, "partition", p.Int32, "partition of that log"),
			required(25, "offset", p.Int64, "offset in that partition"),
			required(26, "committed_time", p.TimestampTz, "when the row was committed"),
			column(29, "clock_offset", p.Int64, "event time less device time of a boot without an anchor, us"),
			column(30, "recent_crcs", list(31, p.Int64), "last 16 batches of readings, flat: first seq, count, CRC"),
			column(32, "presumed_max", p.Int64, "upper bound of the readings behind presumed_from; null = unknown"),
			column(33, "site", p.String, "site of the device"),
			column(34, "series_state", p.Binary, "what the rules of contracts remember of the readings before; CBOR"),
		),
	}
}

func contracts() Table {
	p := iceberg.PrimitiveTypes
	return Table{
		Name:    table.Contracts,
		Comment: "One row is one change of the contracts in force in a partition, in the order of revision.",
		Spec:    *iceberg.UnpartitionedSpec,
		Order:   icetable.UnsortedSortOrder,
		Schema: iceberg.NewSchema(0,
			required(1, "partition", p.Int32, "partition of the log whose devices it is for; a change has a row for each"),
			required(2, "revision", p.Int64, "raised with every row of the partition"),
			required(3, "id", p.String, "id of the contract"),
			required(4, "version", p.String, "its version; empty = removed whatever it was"),
			required(5, "mode", p.String, "active, shadow or removed"),
			column(6, "source", p.String, "text of the contract; null = removed"),
			column(7, "hash", p.String, "SHA-256 of the text, 64 hex digits"),
			column(8, "subject", p.String, "who decided"),
			required(9, "log_id", p.String, "log that holds the record, 32 hex digits"),
			required(10, "offset", p.Int64, "offset in the partition"),
			required(11, "received_time", p.TimestampTz, "when the gateway had it in its log"),
		),
	}
}

func devices() Table {
	p := iceberg.PrimitiveTypes
	return Table{
		Name:    table.Devices,
		Comment: "One row is one device. Derived: it gates nothing.",
		Spec:    *iceberg.UnpartitionedSpec,
		Order:   icetable.UnsortedSortOrder,
		Schema: iceberg.NewSchema(0,
			required(1, "device", p.String, "name of the device"),
			column(2, "site", p.String, "where it is"),
			column(3, "owner", p.String, "who answers for it"),
			column(4, "tags", &iceberg.MapType{KeyID: 5, KeyType: p.String, ValueID: 6, ValueType: p.String, ValueRequired: true}, "what its owner says of it"),
			column(7, "agent_version", p.String, "version of the agent"),
			column(8, "client", p.String, "MQTT client id of the last session"),
			column(9, "first_seen", p.TimestampTz, "first time the gateway heard of it"),
			required(10, "last_seen", p.TimestampTz, "last time the gateway heard of it"),
			column(11, "backlog_bytes", p.Int64, "bytes the device still holds, by its last hello"),
			column(12, "backlog_batches", p.Int64, "batches the device still holds, by its last hello"),
			column(13, "clock_state", p.String, "none, unsynced, gateway or synced"),
			column(14, "clock_error", p.Int64, "bound of the error of its clock, us; null = unknown"),
			column(15, "epoch", p.String, "current epoch, 16 hex digits"),
			column(16, "boot", p.String, "current boot, 16 hex digits"),
			required(17, "delivery", p.String, "exactly_once or at_least_once"),
			column(18, "contract", p.String, "data contract that it is under, id@version; `default` = none of its own"),
			column(19, "schedule", list(20, p.String), "series that it reads by its last hello, sorted; null = it did not say"),
		),
	}
}
