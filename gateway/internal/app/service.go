package app

import (
	"fmt"

	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/health"
	"github.com/headwater-iot/headwater/shared/volatile"
)

// sentence says what the gateway does, for the service manager. It reads instruments, because it must not wait for a stage.
func (g *Gateway) sentence() string {
	return fmt.Sprintf("since the start %d messages stored, %d readings landed; %s", g.meter.Counter("headwater_log_records_total", "").Value(),
		g.meter.Counter("headwater_commit_rows_total", "", "table", table.Readings).Value(), g.board.Sentence())
}

// warnVolatile says loudly that the data directory lies in memory. It is allowed: a trial on a laptop wants no more.
func (g *Gateway) warnVolatile() {
	why := volatile.Why(g.settings.Data)
	if why == "" {
		return
	}
	g.opt.Logger.Error(volatile.Warning(g.settings.Data, why))
	g.board.Raise(&health.Condition{
		Code: "data-in-memory", Severity: health.Error, Title: "The data directory lies in memory; tables and log do not survive a reboot",
	}, why)
}
