package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/headwater-iot/headwater/gateway/internal/cursor"
	"github.com/headwater-iot/headwater/gateway/internal/lake"
)

func ledger(ctx context.Context, fs *flag.FlagSet, parse func() ([]string, error), out io.Writer) error {
	data := fs.String("data", "", "the gateway's data `DIR`ectory")
	device := fs.String("device", "", "only this `DEVICE`")
	asJSON := fs.Bool("json", false, "print JSON")
	if _, err := parse(); err != nil {
		return err
	}
	r, err := openReader(fs, *data)
	if err != nil {
		return err
	}
	defer r.Close()
	devices, err := r.Ledger(ctx, lake.LedgerRequest{Device: *device, Unique: true})
	if err != nil {
		return err
	}
	lines, balanced := make([]ledgerLine, len(devices)), true
	for i := range devices {
		lines[i] = lineOf(&devices[i])
		balanced = balanced && lines[i].Balanced
	}
	if *asJSON {
		err = printJSON(out, map[string]any{"devices": lines, "balanced": balanced})
	} else {
		err = printLedger(out, lines)
	}
	if err == nil && !balanced {
		return errUnbalanced
	}
	return err
}

// ledgerLine is one device's balance: accepted = landed + quarantined + gaps + presumed + pending, and landed = present
// as long as nothing expires or is forgotten.
type ledgerLine struct {
	Device      string `json:"device"`
	Accepted    uint64 `json:"accepted"` // the agent's own figure
	Landed      uint64 `json:"landed"`
	Quarantined uint64 `json:"quarantined"`
	Gaps        uint64 `json:"gaps"`         // given up by the agent
	Presumed    uint64 `json:"presumed"`     // presumed lost; a batch may still bring it
	PresumedMax uint64 `json:"presumed_max"` // beyond that, at most so much behind a power cut
	Pending     uint64 `json:"pending"`      // on the device, on the way, or in the log
	Held        uint64 `json:"held"`         // of these, what the device claimed to hold in its last hello
	Present     uint64 `json:"present"`      // rows of readings, counted
	Duplicates  uint64 `json:"duplicates"`
	Difference  int64  `json:"difference"` // accepted less the terms
	Balanced    bool   `json:"balanced"`
	Problem     string `json:"problem,omitempty"`
}

func lineOf(d *lake.DeviceLedger) ledgerLine {
	l := cursor.Balance(d.Cursors, d.Counts)
	return ledgerLine{
		Device: d.Device, Accepted: l.Accepted, Landed: l.Landed, Quarantined: l.Quarantined, Gaps: l.Gaps,
		Presumed: l.Presumed, PresumedMax: l.OpenMax, Pending: l.Pending, Held: l.Held,
		Present: d.Counts.Readings, Duplicates: d.Counts.Duplicates,
		Difference: l.Difference, Balanced: l.Balanced(), Problem: l.Problem,
	}
}

func printLedger(out io.Writer, lines []ledgerLine) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "DEVICE\tACCEPTED\t= LANDED\t+ QUARANTINED\t+ GAPS\t+ PRESUMED\t+ PENDING\tPRESENT\tBALANCED\t")
	for _, l := range lines {
		verdict := "yes"
		if !l.Balanced {
			verdict = "NO: " + l.Problem
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t\n",
			l.Device, l.Accepted, l.Landed, l.Quarantined, l.Gaps, l.Presumed, l.Pending, l.Present, verdict)
	}
	return w.Flush()
}
