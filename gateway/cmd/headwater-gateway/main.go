// Command headwater-gateway takes batches from agents over MQTT and lands them
// in Apache Iceberg tables, each reading exactly once.
//
//	headwater-gateway run    --data DIR [--mqtt HOST:PORT] [--http HOST:PORT] [--config FILE]
//	headwater-gateway check  --config FILE
//	headwater-gateway tables --data DIR [--json]
//	headwater-gateway scan   --data DIR TABLE [--columns a,b] [--where "..."] [--limit N]
//	headwater-gateway ledger --data DIR [--device X] [--json]
//	headwater-gateway profile --data DIR [--device X] [--series S] [--day D] [--json]
//	headwater-gateway contract check FILE...
//	headwater-gateway contract diff OLD NEW
//	headwater-gateway contract init --data DIR [--device X] [--out FILE]
//	headwater-gateway contract words
//	headwater-gateway quarantine list    --data DIR [--device X] [--reason R] [--since T] [--fate F] [--json]
//	headwater-gateway quarantine show    --data DIR NAME... [--json]
//	headwater-gateway quarantine replay  --data DIR [NAME...] [--device X] [--reason R] [--all] [--rate N] [--json]
//	headwater-gateway quarantine discard --data DIR [NAME...] [--device X] [--reason R] [--all] [--rate N] [--json]
//	headwater-gateway version
package main

import (
	"os"

	"github.com/headwater-iot/headwater/shared/cli"
)

func main() {
	os.Exit(cli.Main("headwater-gateway", commands(), os.Args[1:], os.Stdout, os.Stderr))
}

func commands() []cli.Command {
	return []cli.Command{
		{Name: "run", Args: "--data DIR", Summary: "serve devices and land their readings", Run: runGateway},
		{Name: "check", Args: "--config FILE", Summary: "check a configuration and print what is in effect", Run: check},
		{Name: "tables", Args: "--data DIR", Summary: "rows, files, bytes, snapshots and freshness of every table", Run: tables},
		{Name: "scan", Args: "--data DIR TABLE", Summary: "print rows of a table, while the gateway runs or not", Run: scan},
		{Name: "ledger", Args: "--data DIR", Summary: "balance what agents accepted against what landed", Run: ledger},
		{Name: "profile", Args: "--data DIR", Summary: "figures of every series and day: counts, quantiles, distinct values, drift", Run: profiles},
		{Name: "contract", Args: "COMMAND", Summary: "check, compare and draft data contracts", Sub: contractCommands()},
		{Name: "quarantine", Args: "COMMAND", Summary: "list, show, replay and discard what is held", Sub: quarantineCommands()},
		{Name: "version", Summary: "print the version", Run: version},
		{Name: "steps", Summary: "name the steps of a commit at which HEADWATER_DIE_AT can end the process (tests)", Hidden: true, Run: steps},
	}
}
