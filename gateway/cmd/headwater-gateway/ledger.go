package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"text/tabwriter"

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
	balanced := true
	for _, d := range devices {
		balanced = balanced && d.Balanced
	}
	if *asJSON {
		err = printJSON(out, map[string]any{"devices": devices, "balanced": balanced})
	} else {
		err = printLedger(out, devices)
	}
	if err == nil && !balanced {
		return errUnbalanced
	}
	return err
}

func printLedger(out io.Writer, devices []lake.DeviceLedger) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "DEVICE\tACCEPTED\t= LANDED\t+ QUARANTINED\t+ GAPS\t+ PRESUMED\t+ PENDING\tPRESENT\tTWICE\tBALANCED\t")
	for _, d := range devices {
		yes := "yes"
		if !d.Balanced {
			yes = "NO"
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t\n",
			d.Device, d.Accepted, d.Landed, d.Quarantined, d.Gaps, d.Presumed, d.Pending, d.PresentRows, d.Duplicates, yes)
	}
	return w.Flush()
}
