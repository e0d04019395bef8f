package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/lake"
	"github.com/headwater-iot/headwater/gateway/internal/quarantine"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/cli"
)

// errStayHeld ends `quarantine replay` with a status that a script can see.
var errStayHeld = errors.New("some readings stay held: what they break has to change first, or discard them")

func quarantineCommands() []cli.Command {
	return []cli.Command{
		{Name: "list", Args: "--data DIR", Summary: "what is held and why, grouped by reason, rule, contract and device", Run: quarantineList},
		{Name: "show", Args: "--data DIR NAME...", Summary: "what the bytes of rows say, decoded", Run: quarantineShow},
		{Name: "replay", Args: "--data DIR [NAME...]", Summary: "judge held readings again, and land what may land now, exactly once", Run: quarantineReplay},
		{Name: "discard", Args: "--data DIR [NAME...]", Summary: "decide that held rows stay out of readings for good", Run: quarantineDiscard},
	}
}

// chosen is which rows a command is about.
type chosen struct {
	data, since string
	req         lake.QuarantineRequest
	names       []quarantine.Name
}

func (c *chosen) flags(fs *flag.FlagSet) {
	fs.StringVar(&c.data, "data", "", "the gateway's data `DIR`ectory")
	fs.StringVar(&c.req.Device, "device", "", "only this `DEVICE`")
	fs.StringVar(&c.req.Reason, "reason", "", "only this `REASON`, such as too_old or contract")
	fs.StringVar(&c.req.Rule, "rule", "", "only this `RULE` of a contract, such as range")
	fs.StringVar(&c.req.Contract, "contract", "", "only this `CONTRACT`, as id@version")
	fs.StringVar(&c.since, "since", "", "only what was received at `TIME` (RFC 3339) or later, or so long ago (24h)")
}

// parsed completes what the flags say with the names.
func (c *chosen) parsed(fs *flag.FlagSet, names []string) error {
	for _, text := range names {
		n, err := quarantine.ParseName(text)
		if err != nil {
			return cli.BadUsage(fs, "%v", err)
		}
		c.names = append(c.names, n)
	}
	if c.since == "" {
		return nil
	}
	if ago, err := time.ParseDuration(c.since); err == nil {
		c.req.Since = time.Now().Add(-ago).UnixMicro()
		return nil
	}
	at, err := time.Parse(time.RFC3339, c.since)
	if err != nil {
		return cli.BadUsage(fs, "--since %s: want a time such as 2026-01-02T15:04:05Z, or a duration such as 24h", c.since)
	}
	c.req.Since = at.UnixMicro()
	return nil
}

// everything reports whether nothing restricts the rows.
func (c *chosen) everything() bool {
	bare := c.req
	bare.Fate = ""
	return bare == lake.QuarantineRequest{} && len(c.names) == 0
}

// rows calls each with every chosen row, once.
func (c *chosen) rows(ctx context.Context, r *lake.Reader, each func(*table.QuarantineRow)) error {
	reqs := []lake.QuarantineRequest{c.req}
	if len(c.names) > 0 {
		reqs = nil
	}
	for _, n := range c.names {
		req := c.req
		if p := n.Record; p != nil {
			req.Record = &table.Origin{Log: p.Log, Partition: p.Partition, Offset: p.Offset}
		} else if req.Epoch = n.Key.Epoch; req.Device == "" {
			req.Device = n.Key.Device
		}
		if !slices.ContainsFunc(reqs, func(x lake.QuarantineRequest) bool { return x.Record == nil && x == req }) {
			reqs = append(reqs, req)
		}
	}
	seen := map[rowKey]bool{}
	for _, req := range reqs {
		err := r.Quarantine(ctx, req, func(row *table.QuarantineRow) error {
			named := len(c.names) == 0 || slices.ContainsFunc(c.names, func(n quarantine.Name) bool { return n.Has(row) })
			if key := (rowKey{row.Origin, row.From, row.To, row.Reason, row.Rule}); named && !seen[key] {
				seen[key] = true
				each(row)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

type rowKey struct {
	origin       table.Origin
	from, to     uint64
	reason, rule string
}

func quarantineList(ctx context.Context, fs *flag.FlagSet, parse func() ([]string, error), out io.Writer) error {
	var c chosen
	c.flags(fs)
	fate := fs.String("fate", table.FateHeld, "only rows of this `FATE`: held, replayed, discarded, or all")
	asJSON := fs.Bool("json", false, "print JSON")
	names, err := parse()
	if err != nil {
		return err
	}
	if err := c.parsed(fs, names); err != nil {
		return err
	}
	if !slices.Contains([]string{table.FateHeld, table.FateReplayed, table.FateDiscarded, "all"}, *fate) {
		return cli.BadUsage(fs, "--fate %s: want held, replayed, discarded or all", *fate)
	}
	if *fate != "all" {
		c.req.Fate = *fate
	}
	r, err := openReader(fs, c.data)
	if err != nil {
		return err
	}
	defer r.Close()
	g := quarantine.NewGrouper()
	if err := c.rows(ctx, r, g.Add); err != nil {
		return err
	}
	groups := g.Groups()
	if *asJSON {
		return printJSON(out, map[string]any{"groups": groups})
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "REASON\tRULE\tCONTRACT\tDEVICE\tFATE\tRECORDS\tREADINGS\tFIRST\tLAST\tEXAMPLE")
	for _, x := range groups {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\t%s\n", x.Reason, dash(x.Rule), dash(x.Contract), dash(x.Device), x.Fate,
			x.Records, x.Readings, x.First.Format(time.RFC3339), x.Last.Format(time.RFC3339), x.Example)
	}
	return w.Flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func quarantineShow(ctx context.Context, fs *flag.FlagSet, parse func() ([]string, error), out io.Writer) error {
	var c chosen
	fs.StringVar(&c.data, "data", "", "the gateway's data `DIR`ectory")
	limit := fs.Int("limit", 50, "at most `N` readings of each record")
	records := fs.Int("records", 10, "at most `N` records")
	asJSON := fs.Bool("json", false, "print JSON")
	names, err := parse()
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return cli.BadUsage(fs, "want NAME: DEVICE/EPOCH/FROM-TO, DEVICE/EPOCH or LOG:PARTITION:OFFSET, as the list command prints them")
	}
	if err := c.parsed(fs, names); err != nil {
		return err
	}
	r, err := openReader(fs, c.data)
	if err != nil {
		return err
	}
	defer r.Close()
	shown, left, err := showRecords(ctx, r, &c, *records, *limit)
	if err != nil {
		return err
	}
	if len(shown) == 0 {
		return errors.New("quarantine has no such row; see the list command, with --fate all")
	}
	if *asJSON {
		return printJSON(out, map[string]any{"records": shown, "left_out": left})
	}
	for i := range shown {
		if err := shown[i].WriteText(out); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	if left > 0 {
		fmt.Fprintf(out, "and %d more records (--records)\n", left)
	}
	return nil
}

// showRecords decodes the first records that the chosen rows are of; all rows of a record belong to it.
func showRecords(ctx context.Context, r *lake.Reader, c *chosen, records, limit int) (shown []quarantine.Record, left int, err error) {
	var origins []table.Origin
	err = c.rows(ctx, r, func(row *table.QuarantineRow) {
		if !slices.Contains(origins, row.Origin) {
			origins = append(origins, row.Origin)
		}
	})
	if err != nil {
		return nil, 0, err
	}
	slices.SortFunc(origins, byReceipt)
	for _, o := range origins[:min(records, len(origins))] {
		var rows []table.QuarantineRow
		err := r.Quarantine(ctx, lake.QuarantineRequest{Record: &o, Bytes: true}, func(row *table.QuarantineRow) error {
			rows = append(rows, *row)
			return nil
		})
		if err != nil {
			return nil, 0, err
		}
		if len(rows) > 0 { // it was there a moment ago
			shown = append(shown, quarantine.Show(rows, limit))
		}
	}
	return shown, max(0, len(origins)-records), nil
}
