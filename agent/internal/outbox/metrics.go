package outbox

import (
	"time"

	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/meter"
	"github.com/headwater-iot/headwater/shared/wire"
)

// meters are the instruments of an outbox. accepted + recovered = sealed + waiting, and every sealed
// reading ends as landed, held or dropped.
type meters struct {
	accepted, rows                         *meter.Counter
	unfit, tooLarge, noRoom, stopped       *meter.Counter // rows refused
	sealed, batches, landed                *meter.Counter
	writes, written, metaWrites            *meter.Counter
	dropped, damaged, unsealable           *meter.Counter
	ringBytes, ringBatches                 *meter.Gauge
	flashBytes, flashBatches, oldest       *meter.Gauge
	flashErrors, promisesBroken, recovered *meter.Counter
}

func newMeters(r *meter.Registry) *meters {
	const p = "headwater_outbox_"
	dropped := func(reason string) *meter.Counter {
		return r.Counter(p+"dropped_total", "Readings given up and replaced by a sealed gap, by reason.", "reason", reason)
	}
	refused := func(reason string) *meter.Counter {
		return r.Counter(p+"refused_rows_total", "Rows that Append did not accept, by reason.", "reason", reason)
	}
	return &meters{
		accepted:       r.Counter(p+"accepted_total", "Readings accepted."),
		rows:           r.Counter(p+"rows_total", "Rows accepted."),
		unfit:          refused("unfit"),
		tooLarge:       refused("too_large"),
		noRoom:         refused("no_room"),
		stopped:        refused("stopped"), // closed, or the rows before it cannot be sealed
		recovered:      r.Counter(p+"recovered_total", "Readings of a process that died, sealed by this one."),
		sealed:         r.Counter(p+"sealed_total", "Readings sealed."),
		batches:        r.Counter(p+"sealed_batches_total", "Batches sealed."),
		landed:         r.Counter(p+"landed_batches_total", "Batches forgotten because they landed out of the ring."),
		writes:         r.Counter(p+"flash_writes_total", "Transactions that wrote batches to flash."),
		written:        r.Counter(p+"flash_written_bytes_total", "Sealed bytes written to flash."),
		metaWrites:     r.Counter(p+"meta_writes_total", "Transactions on the small file of facts."),
		flashErrors:    r.Counter(p+"flash_errors_total", "Writes to flash that failed and are tried again."),
		dropped:        dropped(wire.DropOldest),
		damaged:        dropped(wire.Damaged),
		unsealable:     dropped("unsealable"),
		promisesBroken: r.Counter(p+"late_rows_total", "Rows older than a promise had said."),
		ringBytes:      r.Gauge(p+"held_bytes", "Bytes held, by place.", "place", "ring"),
		ringBatches:    r.Gauge(p+"held_batches", "Batches held, by place.", "place", "ring"),
		flashBytes:     r.Gauge(p+"held_bytes", "Bytes held, by place.", "place", "flash"),
		flashBatches:   r.Gauge(p+"held_batches", "Batches held, by place.", "place", "flash"),
		oldest:         r.Gauge(p+"oldest_seconds", "Age of the oldest reading in the ring."),
	}
}

// conditions are what a person should know of an outbox.
type conditions struct {
	board                    *health.Board
	noTmpfs, full, damaged   *health.Condition
	flashFails, unsealedRows *health.Condition
}

func newConditions(b *health.Board) *conditions {
	return &conditions{
		board:        b,
		noTmpfs:      &health.Condition{Code: "outbox-no-tmpfs", Title: "Accepted readings do not survive the death of the agent", Severity: health.Warning},
		full:         &health.Condition{Code: "outbox-full", Title: "The flash share is full and the oldest readings are given up", Severity: health.Error},
		damaged:      &health.Condition{Code: "outbox-damaged", Title: "Stored readings were damaged and set aside", Severity: health.Error},
		flashFails:   &health.Condition{Code: "outbox-flash-fails", Title: "Writing to flash fails", Severity: health.Error, Hold: 5 * time.Second},
		unsealedRows: &health.Condition{Code: "outbox-unsealable", Title: "A driver yields rows that cannot be sealed", Severity: health.Error},
	}
}
