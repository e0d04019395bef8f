package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os/user"
	"path/filepath"
	"slices"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/app"
	"github.com/headwater-iot/headwater/gateway/internal/control"
	"github.com/headwater-iot/headwater/gateway/internal/decision"
	"github.com/headwater-iot/headwater/gateway/internal/quarantine"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/cli"
)

// errNoReading answers a replay of rows that have nothing to replay.
var errNoReading = errors.New("these rows hold no reading (evidence of a conflict, or bytes without a header): they can only be discarded")

// sayEvery is how often long work tells how far it is.
const sayEvery = 2 * time.Second

// waitBefore is when a commit has taken long enough for a word about it.
const waitBefore = 15 * time.Second

func byReceipt(a, b table.Origin) int {
	return cmp.Or(cmp.Compare(a.Received, b.Received), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
}

func quarantineReplay(ctx context.Context, fs *flag.FlagSet, parse func() ([]string, error), out io.Writer) error {
	return decide(ctx, decision.Replay, fs, parse, out)
}

func quarantineDiscard(ctx context.Context, fs *flag.FlagSet, parse func() ([]string, error), out io.Writer) error {
	return decide(ctx, decision.Discard, fs, parse, out)
}

// decide asks the running gateway to replay or discard what is chosen.
func decide(ctx context.Context, verb decision.Verb, fs *flag.FlagSet, parse func() ([]string, error), out io.Writer) error {
	var c chosen
	c.flags(fs)
	all := fs.Bool("all", false, "everything that is held")
	rate := fs.Int("rate", 0, "at most `N` log records a second; 0 = as fast as they land")
	asJSON := fs.Bool("json", false, "print JSON")
	names, err := parse()
	if err != nil {
		return err
	}
	if err := c.parsed(fs, names); err != nil {
		return err
	}
	switch {
	case *rate < 0:
		return cli.BadUsage(fs, "--rate %d: want a number of log records a second, or 0", *rate)
	case c.everything() != *all:
		return cli.BadUsage(fs, "say which rows: by name, by --device, --reason, --rule, --contract or --since, or --all alone")
	}
	plan, err := planOf(ctx, verb, fs, &c)
	if err != nil {
		return err
	}
	if len(c.names) > 0 && plan.Records() == 0 && plan.NoSeqs > 0 {
		return errNoReading
	}
	summary, err := carryOut(ctx, plan, *rate, c.data, fs.Output())
	if *asJSON {
		if perr := printJSON(out, summary); perr != nil {
			return perr
		}
	} else {
		printSummary(out, verb, summary)
	}
	switch {
	case err != nil:
		return fmt.Errorf("%s %d of %d records: %w (what was asked may have been logged, and is then carried out; the same command goes on with what is still held)",
			verb, summary.Records, plan.Records(), err)
	case summary.Kept() > 0:
		return errStayHeld
	}
	return nil
}

// planOf reads what is held of the chosen rows.
func planOf(ctx context.Context, verb decision.Verb, fs *flag.FlagSet, c *chosen) (*quarantine.Plan, error) {
	r, err := openReader(fs, c.data)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var rows []table.QuarantineRow
	c.req.Fate = table.FateHeld
	if err := c.rows(ctx, r, func(row *table.QuarantineRow) { rows = append(rows, *row) }); err != nil {
		return nil, err
	}
	subject := "unknown"
	if u, err := user.Current(); err == nil {
		subject = u.Username
	}
	plan := quarantine.NewPlan(verb, subject)
	plan.Add(rows, c.names)
	return plan, nil
}

func carryOut(ctx context.Context, plan *quarantine.Plan, rate int, data string, progress io.Writer) (*quarantine.Summary, error) {
	ask := func(ctx context.Context, ds []decision.Quarantine) ([]decision.Outcome, error) {
		var answer app.QuarantineAnswer
		patience := time.AfterFunc(waitBefore, func() { fmt.Fprintln(progress, "waiting for the gateway to commit; its /healthz says how landing is") })
		defer patience.Stop()
		err := control.Call(ctx, filepath.Join(data, "state"), app.QuarantinePath, app.QuarantineRequest{Decisions: ds}, &answer)
		return answer.Decided, err
	}
	said := time.Now()
	return plan.Run(ctx, rate, ask, func(records int, s *quarantine.Summary) {
		if time.Since(said) >= sayEvery && records < plan.Records() {
			said = time.Now()
			fmt.Fprintf(progress, "%d of %d records, %d readings landed, %d stay held\n", records, plan.Records(), s.Landed, s.Kept())
		}
	})
}

func printSummary(out io.Writer, verb decision.Verb, s *quarantine.Summary) {
	fmt.Fprintf(out, "%s: %d readings of %d records: %d landed, %d were there already, %d discarded, %d stay held",
		verb, s.Readings, s.Records, s.Landed, s.Present, s.Discarded, s.Kept())
	if s.Elsewhere > 0 {
		fmt.Fprintf(out, ", %d decided by somebody else meanwhile", s.Elsewhere)
	}
	fmt.Fprintln(out)
	for _, reason := range slices.Sorted(maps.Keys(s.Held)) {
		fmt.Fprintf(out, "  %d stay held: %s\n", s.Held[reason], reason)
	}
	if s.Rows > 0 {
		fmt.Fprintf(out, "  %d rows without seqs discarded\n", s.Rows)
	}
	if s.NoSeqs > 0 {
		fmt.Fprintf(out, "  %d rows hold no reading (evidence, or no header) and cannot be replayed; discard them\n", s.NoSeqs)
	}
}
