package land

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/headwater-iot/headwater/gateway/internal/contract"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/record"
	"github.com/headwater-iot/headwater/shared/wire"
)

// devices is the content of the devices table. It gates nothing: losing it loses what the next hello says again.
type devices struct {
	rows  map[string]*table.Device
	lacks map[string]lack // by device; none of those that announce all that their contract requires
	dirty bool
	shown bool // lacks have not changed since lacking
}

// lack is what a device does not announce.
type lack struct {
	series   []string // that its contract requires
	contract string
}

func newDevices() *devices {
	return &devices{rows: map[string]*table.Device{}, lacks: map[string]lack{}}
}

// load takes in the rows of the table, where nothing newer is known.
func (d *devices) load(rows []table.Device) {
	for _, row := range rows {
		if _, ok := d.rows[row.Device]; !ok {
			d.rows[row.Device] = &row
		}
	}
}

// flush returns all rows by device, and whether one changed since the last call.
func (d *devices) flush() ([]table.Device, bool) {
	if !d.dirty {
		return nil, false
	}
	d.dirty = false
	rows := make([]table.Device, 0, len(d.rows))
	for _, row := range d.rows {
		r := *row
		r.Tags = maps.Clone(row.Tags)
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b table.Device) int { return cmp.Compare(a.Device, b.Device) })
	return rows, true
}

func (d *devices) row(device string, received int64) *table.Device {
	r := d.rows[device]
	if r == nil {
		r = &table.Device{Device: device, FirstSeen: received, ClockError: table.Unknown, ClockState: wire.NoAnchor.String()}
		d.rows[device] = r
	}
	r.LastSeen = max(r.LastSeen, received)
	d.dirty = true
	return r
}

// judged notes under which contract each device of a partition is now.
func (d *devices) judged(partition, partitions int, by *rules) {
	for device := range d.rows {
		if record.Partition(device, partitions) == partition {
			d.dirty = true
			d.under(device, by.of(device).judge)
		}
	}
}

// under notes the contract of a device, nil = none, and what it lacks.
func (d *devices) under(device string, c *contract.Contract) {
	r := d.rows[device]
	if r == nil {
		return
	}
	r.Contract = noContract
	if c != nil {
		r.Contract = c.Label()
	}
	before, after := d.lacks[device], lack{c.Lacks(r.Schedule), r.Contract}
	switch {
	case before.contract == after.contract && slices.Equal(before.series, after.series):
	case len(after.series) > 0:
		d.lacks[device], d.shown = after, false
	case len(before.series) > 0:
		delete(d.lacks, device)
		d.shown = false
	}
}

// shownLacks bounds the devices that health names; `contract list` has all of them.
const shownLacks = 5

// lacking says what devices do not announce, in a sentence for each of the first of them, and counts the series.
func (d *devices) lacking() (detail string, series int) {
	d.shown = true
	var lines []string
	for i, device := range slices.Sorted(maps.Keys(d.lacks)) {
		l := d.lacks[device]
		series += len(l.series)
		switch {
		case i < shownLacks:
			lines = append(lines, fmt.Sprintf("device %s does not announce %s, which %s requires", device, strings.Join(l.series, ", "), l.contract))
		case i == shownLacks:
			lines = append(lines, fmt.Sprintf("and %d devices more; `headwater-gateway contract list` has them", len(d.lacks)-i))
		}
	}
	return strings.Join(lines, "; "), series
}

// seen notes a batch.
func (d *devices) seen(device string, epoch record.Epoch, boot record.Boot, received int64) {
	r := d.row(device, received)
	if r.Epoch == 0 {
		r.Epoch, r.Boot = epoch, boot
	}
}

// hello notes what a device says of itself. An import speaks of a file, not of the device.
func (d *devices) hello(h *wire.Hello, received int64) {
	r := d.row(h.Device, received)
	if h.Client != h.Device && r.Client != "" {
		return
	}
	r.Client, r.AgentVersion, r.Site, r.Owner, r.Tags = h.Client, h.Version, h.Site, h.Owner, maps.Clone(h.Tags)
	r.Schedule = slices.Sorted(maps.Keys(h.Schedule)) // nil of none
	r.BacklogBytes, r.BacklogBatches, r.Boot = h.BacklogBytes, h.BacklogBatches, h.Boot
	for i := range h.Epochs {
		if h.Epochs[i].State == wire.EpochCurrent {
			r.Epoch = h.Epochs[i].Epoch
		}
	}
	best := wire.Anchor{}
	for _, a := range h.Anchors {
		if a.Boot == h.Boot && a.State >= best.State {
			best = a.Anchor()
		}
	}
	r.ClockState, r.ClockError = best.State.String(), table.Unknown
	if best.State >= wire.Gateway {
		r.ClockError = int64(min(best.Uncertainty, far))
	}
}
