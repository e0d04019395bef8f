"""Independent readers: what PyIceberg and DuckDB see of a landed table, as one JSON document.

    digest.py CATALOG_DB TABLE [--orphan]

Both readers answer the same questions; DuckDB reads exactly the files that PyIceberg plans for one
snapshot, never a glob. A digest per (device, series) covers every reading: event time in
microseconds, and the value as the hexadecimal form of its 64 bits, so that equal digests mean
equal bit patterns. With --glob the count of a glob over the data folder is added, for the
negative control: an orphan file must change that one and nothing else.
"""

import argparse
import glob
import hashlib
import json
import os
import struct
import urllib.parse

import duckdb
import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog

READINGS = ["device", "series", "event_time", "value", "value_text", "epoch", "seq", "quality"]


def load(catalog_db, name):
    catalog = SqlCatalog("headwater", uri=f"sqlite:///{os.path.abspath(catalog_db)}", init_catalog_tables="false")
    return catalog.load_table(f"headwater.{name}")


def local(path):
    return urllib.parse.unquote(path.removeprefix("file://"))


def digest(table: pa.Table):
    """Per device and series: count, first and last time, and a digest of (time, value bits) in time order."""
    out, keys = {}, set()
    cols = [table.column(c).cast(pa.int64()) if c == "event_time" else table.column(c) for c in READINGS]
    for device, series, us, value, text, epoch, seq, quality in zip(*[c.to_pylist() for c in cols]):
        bits = "null" if value is None else struct.pack(">d", value).hex()
        out.setdefault(f"{device}/{series}", []).append((us, seq, bits, text or "", quality))
        keys.add((device, epoch, seq))
    series = {}
    for name, rows in sorted(out.items()):
        rows.sort()
        h = hashlib.sha256()
        for us, _, bits, text, _ in rows:
            h.update(f"{us} {bits} {text}\n".encode())
        series[name] = {
            "count": len(rows),
            "first_us": rows[0][0],
            "last_us": rows[-1][0],
            "sha256": h.hexdigest(),
        }
    return {"rows": table.num_rows, "distinct": len(keys), "series": series}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("catalog_db")
    p.add_argument("table")
    p.add_argument("--glob", action="store_true")
    args = p.parse_args()

    table = load(args.catalog_db, args.table)
    snapshot = table.current_snapshot()
    result = {"snapshot": snapshot and snapshot.snapshot_id, "metadata": local(table.metadata_location)}
    scan = table.scan(snapshot_id=snapshot.snapshot_id) if snapshot else table.scan()
    result["properties"] = dict(table.properties)
    result["docs"] = {f.name: f.doc for f in table.schema().fields}
    files = [local(t.file.file_path) for t in scan.plan_files()]
    result["files"] = len(files)
    arrow = scan.to_arrow()
    con = duckdb.connect()
    con.execute("set timezone='UTC'")
    if args.table == "readings":
        result["pyiceberg"] = digest(arrow.select(READINGS))
        if files:
            duck = con.read_parquet(files).select(", ".join(READINGS)).to_arrow_table()
            result["duckdb"] = digest(duck)
    else:
        result["pyiceberg"] = {"rows": arrow.num_rows}
        if files:
            result["duckdb"] = {"rows": con.read_parquet(files).aggregate("count(*)").fetchall()[0][0]}
    if args.glob:
        everything = glob.glob(os.path.join(local(table.location()), "data", "**", "*.parquet"), recursive=True)
        result["glob_rows"] = con.read_parquet(everything).aggregate("count(*)").fetchall()[0][0]
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
