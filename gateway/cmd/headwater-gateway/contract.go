package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/headwater-iot/headwater/gateway/internal/contract"
	"github.com/headwater-iot/headwater/gateway/internal/contract/words"
	"github.com/headwater-iot/headwater/shared/cli"
	"github.com/headwater-iot/headwater/shared/strictyaml"
)

// Exit statuses of `contract diff`, beside cli.OK for the same or a compatible version.
const (
	exitMigration = 3
	exitBreaking  = 4
)

func contractCommands() []cli.Command {
	return []cli.Command{
		{Name: "check", Args: "FILE...", Summary: "check contracts: file, line and column of every problem, and what to write instead", Run: contractCheck},
		{Name: "diff", Args: "OLD NEW", Summary: "compare two versions; exit status 0 same or compatible, 3 needs migration, 4 breaking, 1 wrong version number", Run: contractDiff},
		{Name: "init", Args: "--data DIR", Summary: "draft a first contract from what has landed", Run: contractInit},
		{Name: "apply", Args: "FILE --data DIR", Summary: "put a contract in force, or in shadow, without a restart", Run: contractApply},
		{Name: "remove", Args: "ID --data DIR", Summary: "end a contract", Run: contractRemove},
		{Name: "list", Args: "--data DIR", Summary: "what is in force since when, and the devices under it and under none", Run: listContracts},
		{Name: "words", Summary: "what offline, late, complete and stale mean here", Run: contractWords},
	}
}

// checked is what `contract check --json` says of a file.
type checked struct {
	File     string    `json:"file"`
	Contract string    `json:"contract,omitempty"` // id@version
	Series   int       `json:"series"`
	Devices  []string  `json:"devices,omitempty"`
	Problems []problem `json:"problems"`
}

type problem struct {
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Path   string `json:"path"`
	Text   string `json:"text"`
}

func contractCheck(_ context.Context, fs *flag.FlagSet, parse func() ([]string, error), out io.Writer) error {
	asJSON := fs.Bool("json", false, "print JSON")
	files, err := parse()
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return cli.BadUsage(fs, "no FILE given")
	}
	var all []checked
	var taken []*contract.Contract
	bad := false
	for _, file := range files {
		result := checked{File: file, Problems: []problem{}}
		c, err := readContract(file)
		var problems strictyaml.Problems
		switch {
		case errors.As(err, &problems):
			bad = true
			for _, p := range problems {
				result.Problems = append(result.Problems, problem{p.Line, p.Column, p.Path, p.Text})
			}
		case err != nil:
			return err
		default:
			taken = append(taken, c)
			result.Contract, result.Series, result.Devices = c.ID+"@"+c.Version, len(c.Series), c.Devices
		}
		all = append(all, result)
		if !*asJSON && len(problems) > 0 {
			fmt.Fprintln(out, problems)
		} else if !*asJSON {
			fmt.Fprintf(out, "%s: %s is right: %d series, devices %q\n", file, result.Contract, result.Series, result.Devices)
		}
	}
	if *asJSON {
		if err := printJSON(out, map[string]any{"files": all}); err != nil {
			return err
		}
	}
	if bad {
		return cli.Exit(cli.Failed)
	}
	_, err = contract.NewSet(taken...) // they must go together
	return err
}

func readContract(file string) (*contract.Contract, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read contract: %w", err)
	}
	return contract.Parse(file, text)
}

func contractDiff(_ context.Context, fs *flag.FlagSet, parse func() ([]string, error), out io.Writer) error {
	asJSON := fs.Bool("json", false, "print JSON")
	files, err := parse()
	if err != nil {
		return err
	}
	if len(files) != 2 {
		return cli.BadUsage(fs, "want two files, OLD and NEW; got %d", len(files))
	}
	old, err := readContract(files[0])
	if err != nil {
		return err
	}
	next, err := readContract(files[1])
	if err != nil {
		return err
	}
	got := contract.Compare(old, next)
	if *asJSON {
		if err := printJSON(out, got); err != nil {
			return err
		}
	} else {
		printComparison(out, got)
	}
	switch {
	case got.Verdict == contract.Breaking:
		return cli.Exit(exitBreaking)
	case got.Version != "":
		return cli.Exit(cli.Failed)
	case got.Verdict == contract.Migration:
		return cli.Exit(exitMigration)
	}
	return nil
}

func printComparison(out io.Writer, got contract.Comparison) {
	for _, c := range got.Changes {
		at := c.Path
		if at != "" {
			at += ": "
		}
		fmt.Fprintf(out, "%-10s  %s%s; %s\n", c.Verdict, at, c.What, c.Why)
	}
	if got.Version != "" {
		fmt.Fprintln(out, got.Version)
	}
	fmt.Fprintln(out, got.Verdict)
}

func contractWords(_ context.Context, fs *flag.FlagSet, parse func() ([]string, error), out io.Writer) error {
	asJSON := fs.Bool("json", false, "print JSON")
	if _, err := parse(); err != nil {
		return err
	}
	if *asJSON {
		return printJSON(out, map[string]any{"words": words.All()})
	}
	for _, t := range words.All() {
		fmt.Fprintf(out, "%s: %s\n", t.Word, t.Meaning)
	}
	return nil
}
