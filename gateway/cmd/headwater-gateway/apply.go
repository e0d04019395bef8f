package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/headwater-iot/headwater/gateway/internal/app"
	"github.com/headwater-iot/headwater/gateway/internal/contract"
	"github.com/headwater-iot/headwater/gateway/internal/control"
	"github.com/headwater-iot/headwater/gateway/internal/decision"
	"github.com/headwater-iot/headwater/gateway/internal/register"
	"github.com/headwater-iot/headwater/gateway/internal/table"
	"github.com/headwater-iot/headwater/shared/cli"
)

func contractApply(ctx context.Context, fs *flag.FlagSet, parse func() ([]string, error), out io.Writer) error {
	data := fs.String("data", "", "the running gateway's data `DIR`ectory")
	shadow := fs.Bool("shadow", false, "only count what it would do, beside the version in force")
	force := fs.Bool("force", false, "even if it breaks what the version in force promises")
	asJSON := fs.Bool("json", false, "print JSON")
	files, err := parse()
	if err != nil {
		return err
	}
	if len(files) != 1 || *data == "" {
		return cli.BadUsage(fs, "want one FILE and --data DIR")
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		return fmt.Errorf("read contract: %w", err)
	}
	return changeContracts(ctx, *data, register.Request{Name: files[0], Source: string(text), Shadow: *shadow, Force: *force}, *asJSON, out)
}

func contractRemove(ctx context.Context, fs *flag.FlagSet, parse func() ([]string, error), out io.Writer) error {
	data := fs.String("data", "", "the running gateway's data `DIR`ectory")
	force := fs.Bool("force", false, "even if it is in force, and not only in shadow")
	asJSON := fs.Bool("json", false, "print JSON")
	ids, err := parse()
	if err != nil {
		return err
	}
	if len(ids) != 1 || *data == "" {
		return cli.BadUsage(fs, "want one ID and --data DIR")
	}
	return changeContracts(ctx, *data, register.Request{Remove: ids[0], Force: *force}, *asJSON, out)
}

// changeContracts asks the gateway for a change, and prints what it did.
func changeContracts(ctx context.Context, data string, q register.Request, asJSON bool, out io.Writer) error {
	q.Subject = cmp.Or(os.Getenv("SUDO_USER"), os.Getenv("USER"), fmt.Sprintf("uid %d", os.Getuid()))
	var a register.Answer
	if err := control.Call(ctx, filepath.Join(data, "state"), app.ContractPath, q, &a); err != nil {
		return err
	}
	if asJSON {
		return printJSON(out, a)
	}
	label := strings.TrimSuffix(a.ID+"@"+a.Version, "@")
	if !a.Changed {
		_, err := fmt.Fprintf(out, "%s is %s already\n", label, a.Mode)
		return err
	}
	fmt.Fprintf(out, "%s is %s for everything that comes from now on", label, a.Mode)
	if a.Before != "" {
		fmt.Fprintf(out, "; before it %s (%s)", a.Before, cmp.Or(a.Verdict, a.Mode))
	}
	fmt.Fprintln(out)
	if !a.Landed {
		fmt.Fprintln(out, "  it is stored in the log and has not landed yet: as long as it has not, losing the state directory would lose it")
	}
	for _, c := range a.Changes {
		fmt.Fprintf(out, "  %s: %s %s: %s\n", c.Verdict, c.Path, c.What, c.Why)
	}
	return nil
}

// contractLine is one contract in `contract list`.
type contractLine struct {
	ID      string    `json:"id"`
	Version string    `json:"version"`
	Mode    string    `json:"mode"`
	Since   time.Time `json:"since"`
	Owner   string    `json:"owner,omitempty"`
	Globs   []string  `json:"patterns"`
	Devices []string  `json:"devices"` // under it; in shadow: those it would judge
}

// contractList is what `contract list --json` prints.
type contractList struct {
	Contracts []contractLine `json:"contracts"`
	Default   []string       `json:"default"` // devices without any
	Lacking   []lackingLine  `json:"lacking"`
}

// lackingLine is a device that does not announce series that its contract requires.
type lackingLine struct {
	Device   string   `json:"device"`
	Contract string   `json:"contract"`
	Series   []string `json:"series"`
}

func listContracts(ctx context.Context, fs *flag.FlagSet, parse func() ([]string, error), out io.Writer) error {
	data := fs.String("data", "", "the gateway's data `DIR`ectory")
	asJSON := fs.Bool("json", false, "print JSON")
	if _, err := parse(); err != nil {
		return err
	}
	r, err := openReader(fs, *data)
	if err != nil {
		return err
	}
	defer r.Close()
	rows, err := r.Contracts(ctx)
	if err != nil {
		return err
	}
	rows = slices.DeleteFunc(rows, func(row table.ContractRow) bool { return row.Origin.Partition != 0 }) // all say the same
	force, err := decision.ForceOf(rows, nil)
	if err != nil {
		return err
	}
	devices, err := r.Devices(ctx)
	if err != nil {
		return err
	}
	list := listOf(force, rows, devices)
	if *asJSON {
		return printJSON(out, list)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CONTRACT\tMODE\tSINCE\tDEVICES\tFOR")
	for _, c := range list.Contracts {
		fmt.Fprintf(w, "%s@%s\t%s\t%s\t%d\t%s\n", c.ID, c.Version, c.Mode, c.Since.Format(time.RFC3339), len(c.Devices), strings.Join(c.Globs, " "))
	}
	fmt.Fprintf(w, "default\t\t\t%d\t%s\n", len(list.Default), strings.Join(list.Default, " "))
	for i, l := range list.Lacking {
		if i == 0 {
			fmt.Fprintln(w, "\nDEVICE\tCONTRACT\tREQUIRED, BUT NOT ANNOUNCED")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", l.Device, l.Contract, strings.Join(l.Series, " "))
	}
	return w.Flush()
}

// listOf says which devices are under which contract.
func listOf(force *contract.Force, rows []table.ContractRow, devices []table.Device) contractList {
	list := contractList{Contracts: []contractLine{}, Default: []string{}, Lacking: []lackingLine{}}
	add := func(c *contract.Contract, mode decision.Action) {
		line := contractLine{ID: c.ID, Version: c.Version, Mode: mode.String(), Owner: c.Owner, Globs: c.Devices, Devices: []string{}}
		for _, row := range rows {
			if row.ID == c.ID && row.Mode == line.Mode {
				line.Since = time.UnixMicro(row.Origin.Received).UTC()
			}
		}
		for i := range devices {
			if judge, shadow := force.For(devices[i].Device); judge == c || shadow == c {
				line.Devices = append(line.Devices, devices[i].Device)
			}
		}
		list.Contracts = append(list.Contracts, line)
	}
	for _, c := range force.Active().All() {
		add(c, decision.Apply)
	}
	for _, c := range force.Shadows() {
		add(c, decision.Shadow)
	}
	for i := range devices {
		d := &devices[i]
		judge, _ := force.For(d.Device)
		if judge == nil {
			list.Default = append(list.Default, d.Device)
		} else if series := judge.Lacks(d.Schedule); len(series) > 0 {
			list.Lacking = append(list.Lacking, lackingLine{d.Device, judge.Label(), series})
		}
	}
	return list
}
