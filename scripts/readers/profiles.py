"""Independent readers: the table `profile`, beside what DuckDB makes of the readings, as one JSON document.

    profiles.py CATALOG_DB

One object for each (device, series, day) that either has. `profile` is the row as PyIceberg reads it, `readings` the
same figures computed by DuckDB from the files of the current snapshot: quantiles exactly, by rank. The standard deviation
is by fractions: that of DuckDB has no digit left where values are large and alike.
"""

import argparse
import json
import statistics

import duckdb

from digest import load, local

FIGURES = """
select device, series, strftime(event_time, '%Y-%m-%d') as day,
       case when count(distinct coalesce(unit, '')) = 1 then min(unit) end as unit,
       count(*) as count,
       count(*) filter (value is null and value_text is null and value_int is null and value_bytes is null) as nulls,
       count(*) filter (quality <> 0) as flagged,
       count(*) filter (isfinite(value)) as numbers,
       min(value) filter (isfinite(value)) as min,
       max(value) filter (isfinite(value)) as max,
       favg(value) filter (isfinite(value)) as mean,
       list_sort(list(value) filter (isfinite(value))) as sorted,
       count(distinct coalesce(value_int::varchar, value_text, hex(value_bytes),
                               case when value = 0 then '0' else value::varchar end)) as distinct
from readings group by all
"""


def figures(files):
    con = duckdb.connect()
    con.execute("set timezone='UTC'")
    con.read_parquet(files).create_view("readings")
    rows = con.execute(FIGURES).to_arrow_table().to_pylist()
    for r in rows:
        values = r.pop("sorted") or []
        for name, q in (("p05", 0.05), ("p50", 0.5), ("p95", 0.95)):
            r[name] = values[int(q * (len(values) - 1))] if values else None
        r["stddev"] = statistics.stdev(values) if len(values) > 1 else None
    return rows


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("catalog_db")
    args = p.parse_args()

    scan = load(args.catalog_db, "readings").scan()
    made = {}

    def put(what, r):
        key = (r["device"], r["series"], str(r["day"]))
        both = made.setdefault(key, {"device": key[0], "series": key[1], "day": key[2], "profile": [], "readings": []})
        both[what].append({k: v for k, v in r.items() if k not in ("device", "series", "day", "updated_time")})

    for r in figures([local(t.file.file_path) for t in scan.plan_files()]):
        put("readings", r)
    for r in load(args.catalog_db, "profile").scan().to_arrow().to_pylist():
        put("profile", r)
    print(json.dumps([made[k] for k in sorted(made)], indent=1))


if __name__ == "__main__":
    main()
