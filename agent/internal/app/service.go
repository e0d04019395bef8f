package app

import (
	"fmt"

	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/volatile"
)

// sentence says what the agent does, for the service manager. It reads gauges, because it must not wait for a stage.
func (a *App) sentence() string {
	held := func(what, place string) float64 {
		return a.meter.Gauge("headwater_outbox_held_"+what, "", "place", place).Value()
	}
	return fmt.Sprintf("%d readings taken; waiting in memory: %.0f batches, on flash: %.0f batches, %.0f bytes; %s",
		a.meter.Counter("headwater_outbox_accepted_total", "").Value(),
		held("batches", "ring"), held("batches", "flash"), held("bytes", "flash"), a.health.Sentence())
}

// warnVolatile says loudly that a data directory lies in memory. That is no reason to stop: a buffer that a reboot takes is
// better than none.
func (a *App) warnVolatile() {
	why := volatile.Why(a.settings.Data)
	if why == "" || a.memory { // the latter has a warning of its own
		return
	}
	a.log.Error(volatile.Warning(a.settings.Data, why))
	a.health.Raise(&health.Condition{
		Code: "data-in-memory", Severity: health.Error,
		Title: "The data directory lies in memory; readings that wait do not survive a reboot",
	}, why)
}
