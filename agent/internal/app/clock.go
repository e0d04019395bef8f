package app

import (
	"os"
	"time"

	"github.com/headwater-iot/headwater/agent/internal/timebase"
	"github.com/headwater-iot/headwater/shared/wire"
)

// clockScript names the variable with which the end-to-end tests give an agent the wrong clock of a device; see
// timebase.Scripted. Nobody else sets it.
const clockScript = "HEADWATER_CLOCK"

func (a *App) openClock() (*timebase.Clock, error) {
	text := os.Getenv(clockScript)
	if text == "" {
		return timebase.System()
	}
	a.log.Warn("the clock is scripted: this is a test", clockScript, text)
	return timebase.Scripted(text)
}

// sayClock names a wall clock that is behind what has passed for sure: its battery is dead, or it has none.
func (a *App) sayClock() {
	wall, floor := a.clock.Wall(), a.clock.Floor()
	if wall >= floor || a.clock.Anchor().State >= wire.Gateway {
		return
	}
	a.log.Warn("the wall clock is behind a time that has passed; it counts as unset until the gateway answers or it is set",
		"clock", time.UnixMicro(wall).UTC(), "passed", time.UnixMicro(floor).UTC())
}

// clockState says for the status page how far the time is known: `synced to 5ms`, `gateway to 20ms`, or `unsynced`
// and when it is at least.
func clockState(c *timebase.Clock) string {
	a := c.Anchor()
	switch floor := c.Floor(); {
	case a.State >= wire.Gateway:
		return a.State.String() + " to " + (time.Duration(a.Uncertainty) * time.Microsecond).String()
	case floor > 0:
		return a.State.String() + ", not before " + time.UnixMicro(floor).UTC().Format(time.RFC3339)
	}
	return a.State.String()
}
