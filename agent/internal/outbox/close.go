package outbox

import (
	"errors"
	"fmt"

	"github.com/headwater-iot/headwater/shared/wire"
)

// Close seals everything and the end of the epoch, writes all that has not landed to flash, and lets go.
// What flash does not take stays in the ring for the next process. A second Close does nothing.
func (o *Outbox) Close() error {
	o.flash.Lock()
	defer o.flash.Unlock()
	if o.shut {
		return nil
	}
	o.shut = true
	o.mu.Lock()
	o.closed = true // Append and Seal are refused from here on
	sealErr := o.sealRows()
	waits := len(o.rows)
	o.mu.Unlock()

	o.flush(func(*held) bool { return true })
	left := len(o.held) + waits
	e := o.current()
	e.Next = o.next
	if waits == 0 {
		e.State = wire.EpochEnded
	}
	for _, e := range o.epochs {
		o.noteLine(e)
	}
	saved := o.save()
	errs := []error{sealErr, saved}
	if left == 0 && saved == nil { // else the ring alone knows how far the epoch came
		errs = append(errs, o.ring.Remove())
	} else if left > 0 && !o.ring.OnTmpfs() {
		errs = append(errs, fmt.Errorf("%d batches were not written to flash and are lost with the heap ring", left))
	}
	errs = append(errs, o.letGo())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close outbox: %w", err)
	}
	o.log.Info("epoch ends", "epoch", e.Epoch.String(), "next", e.Next, "left_in_ring", left)
	return nil
}
