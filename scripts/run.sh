#!/usr/bin/env bash
# make run: gateway and agent on this machine, on its own sensors and a simulated BME280.
# Everything is kept in var/; a second run goes on where the first one stopped. Ctrl-C stops both cleanly.
set -euo pipefail
cd "$(dirname "$0")/.."

var=$PWD/var
agent_log=$var/agent.log
mkdir -p "$var"

say() { printf '%s  %s\n' "$(date +%H:%M:%S)" "$*"; }

step() { # step WHAT COMMAND...: runs the command and prints how long it took
	local what=$1 from=$SECONDS
	shift
	say "$what ..."
	"$@"
	say "$what: done in $((SECONDS - from)) s"
}

command -v go >/dev/null || { echo "make run needs Go 1.26 or newer: https://go.dev/dl" >&2; exit 1; }

step "Building (the first time takes some minutes; later it takes seconds)" make --no-print-directory build

agent_pid='' gateway_pid=''
finish() {
	trap - INT TERM EXIT
	echo
	say "Stopping: the agent seals and hands over what it holds, then the gateway commits it"
	for pid in $agent_pid $gateway_pid; do
		kill -TERM "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	say "Stopped. Everything is in var/; 'make run' goes on from here."
}
trap finish EXIT
trap 'exit 0' INT TERM

say "Starting the gateway"
rm -f "$var/gateway.json"
# Their own process groups, so that Ctrl-C reaches this script alone and it can stop them in order.
set -m
bin/headwater-gateway run --data "$var/gateway" --announce "$var/gateway.json" >"$var/gateway.log" 2>&1 &
gateway_pid=$!
set +m
until [ -s "$var/gateway.json" ]; do
	kill -0 "$gateway_pid" 2>/dev/null || { tail -n 5 "$var/gateway.log" >&2; gateway_pid=''; exit 1; }
	sleep 0.1
done
field() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" "$var/gateway.json"; }
mqtt=$(field mqtt) http=$(field http)
say "Gateway: MQTT on $mqtt, status page on http://$http/"

say "Starting the agent: this machine's own sensors, and a simulated BME280 ten times a second"
sed "s#tcp://127.0.0.1:1883#tcp://$mqtt#" configs/agent.sim.yaml >"$var/agent.yaml"
set -m
bin/headwater-agent run --config "$var/agent.yaml" --data "$var/agent" >"$agent_log" 2>&1 &
agent_pid=$!
set +m

cat <<TEXT

Look at the data from another terminal (it keeps arriving, and these keep working):

  bin/headwater-gateway scan --data var/gateway readings --columns device,series,event_time,value,unit --limit 10
  bin/headwater-gateway tables --data var/gateway
  bin/headwater-gateway ledger --data var/gateway

PyIceberg (pip install 'pyiceberg[pyarrow,sql-sqlite]'):

  from pyiceberg.catalog.sql import SqlCatalog
  lake = SqlCatalog("headwater", uri="sqlite:///$var/gateway/lake/catalog.db", init_catalog_tables="false")
  readings = lake.load_table("headwater.readings")
  rows = readings.scan(row_filter="series == 'temperature'", limit=10).to_arrow()
  print(rows.select(["device", "series", "event_time", "value", "unit"]))

DuckDB (pip install duckdb; it reads the files that PyIceberg plans for one snapshot, never a glob):

  import duckdb
  from pyiceberg.catalog.sql import SqlCatalog
  lake = SqlCatalog("headwater", uri="sqlite:///$var/gateway/lake/catalog.db", init_catalog_tables="false")
  files = [t.file.file_path.removeprefix("file://") for t in lake.load_table("headwater.readings").scan().plan_files()]
  print(duckdb.read_parquet(files).aggregate("series, unit, count(*) n, round(avg(value), 2) mean, max(event_time) latest"))

Logs: var/gateway.log and var/agent.log. Ctrl-C stops.

TEXT

while kill -0 "$gateway_pid" 2>/dev/null && kill -0 "$agent_pid" 2>/dev/null; do
	line=$(bin/headwater-gateway tables --data "$var/gateway" --line 2>/dev/null || true)
	if [ -t 1 ]; then printf '\r\033[K%s  %s' "$(date +%H:%M:%S)" "$line"; else say "$line"; fi
	sleep "${HEADWATER_STATUS_EVERY:-2}" &
	wait $! || true
done
echo
say "One of the two has ended; the ends of their logs:"
tail -n 5 "$var/gateway.log" "$agent_log"
exit 1
