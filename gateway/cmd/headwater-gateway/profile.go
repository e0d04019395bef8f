package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/lake"
	"github.com/headwater-iot/headwater/gateway/internal/profile"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/cli"
)

// profiles prints rows of the table `profile`. The gateway makes them; who has no gateway running has old ones.
func profiles(ctx context.Context, fs *flag.FlagSet, parse func() ([]string, error), out io.Writer) error {
	data := fs.String("data", "", "the gateway's data `DIR`ectory")
	device := fs.String("device", "", "only this `DEVICE`")
	series := fs.String("series", "", "only this `SERIES`")
	day := fs.String("day", "", "only this UTC `DAY`, such as 2026-01-31")
	asJSON := fs.Bool("json", false, "print JSON")
	if _, err := parse(); err != nil {
		return err
	}
	req := lake.ProfileRequest{Device: *device, Series: *series, AllDays: *day == ""}
	if *day != "" {
		t, err := time.Parse(time.DateOnly, *day)
		if err != nil {
			return cli.BadUsage(fs, "--day %s: want a day such as 2026-01-31", *day)
		}
		req.Day = int32(t.Unix() / (24 * 60 * 60))
	}
	r, err := openReader(fs, *data)
	if err != nil {
		return err
	}
	defer r.Close()
	rows, err := r.Profiles(ctx, req)
	if err != nil {
		return err
	}
	if *asJSON {
		lines := make([]profileLine, len(rows))
		for i := range rows {
			lines[i] = profileLineOf(&rows[i])
		}
		return printJSON(out, map[string]any{"profiles": lines})
	}
	return printProfiles(out, rows)
}

// profileLine is one object of `profile --json`; a figure that does not exist is null.
type profileLine struct {
	Device       string    `json:"device"`
	Series       string    `json:"series"`
	Day          string    `json:"day"`
	Unit         string    `json:"unit,omitempty"`
	Contract     string    `json:"contract,omitempty"`
	Count        int64     `json:"count"`
	Nulls        int64     `json:"nulls"`
	Flagged      int64     `json:"flagged"`
	Numbers      int64     `json:"numbers"`
	Min          *float64  `json:"min"`
	Max          *float64  `json:"max"`
	Mean         *float64  `json:"mean"`
	StdDev       *float64  `json:"stddev"`
	P05          *float64  `json:"p05"`
	P50          *float64  `json:"p50"`
	P95          *float64  `json:"p95"`
	Distinct     int64     `json:"distinct"`
	Drift        *float64  `json:"drift"`
	FromSnapshot int64     `json:"from_snapshot"`
	Updated      time.Time `json:"updated_time"`
}

func profileLineOf(r *table.Profile) profileLine {
	figure := func(v float64) *float64 {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		return &v
	}
	return profileLine{
		Device: r.Device, Series: r.Series, Day: profile.Date(r.Day), Unit: r.Unit, Contract: r.Contract,
		Count: r.Count, Nulls: r.Nulls, Flagged: r.Flagged, Numbers: r.Numbers,
		Min: figure(r.Min), Max: figure(r.Max), Mean: figure(r.Mean), StdDev: figure(r.StdDev),
		P05: figure(r.P05), P50: figure(r.P50), P95: figure(r.P95), Distinct: r.Distinct, Drift: figure(r.Drift),
		FromSnapshot: r.Snapshot, Updated: time.UnixMicro(r.Updated).UTC(),
	}
}

func printProfiles(out io.Writer, rows []table.Profile) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(out, "no profiles: the gateway makes them while it runs, every profile.every (15m unless its configuration says otherwise)")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "DEVICE\tSERIES\tDAY\tCOUNT\tNULLS\tFLAGGED\tMIN\tP05\tP50\tP95\tMAX\tMEAN\tSTDDEV\tDISTINCT\tDRIFT\tUNIT\t")
	for i := range rows {
		r := &rows[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d", r.Device, r.Series, profile.Date(r.Day), r.Count, r.Nulls, r.Flagged)
		for _, v := range []float64{r.Min, r.P05, r.P50, r.P95, r.Max, r.Mean, r.StdDev} {
			fmt.Fprintf(w, "\t%s", shortNumber(v))
		}
		fmt.Fprintf(w, "\t%d\t%s\t%s\t\n", r.Distinct, shortNumber(r.Drift), r.Unit)
	}
	return w.Flush()
}

// shortNumber is for a person: five digits, and a dash for what does not exist.
func shortNumber(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return strconv.FormatFloat(v, 'g', 5, 64)
}
