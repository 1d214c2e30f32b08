"""Reads a recording of `vmstats record` with nothing of vmstats.

Usage: python read_recording.py FOLDER

Prints, for each VM, the rows in segments and tail and the mean exits per second, first
with DuckDB and then with pandas. Needs the packages duckdb, pandas and pyarrow.
"""

import glob
import json
import os
import sys

import duckdb
import pandas


def with_duckdb(folder):
    """Counts with one statement, also while the recorder runs."""
    segments = glob.glob(os.path.join(folder, "*-kvm-vcpu.parquet"))
    tails = glob.glob(os.path.join(folder, "*.jsonl"))
    columns = "vm, run, vcpu, t0, exits"
    parts = []
    if segments:
        parts.append(f"select {columns} from read_parquet('{folder}/*-kvm-vcpu.parquet')")
    if any(os.path.getsize(tail) > 0 for tail in tails):
        parts.append(
            f"select {columns} from read_json('{folder}/*.jsonl', ignore_errors = true) "
            "where provider = 'kvm' and target = 'vcpu'"
        )
    statement = f"""
        with rows as ({" union all by name ".join(parts)}),
        steps as (
            select vm, exits - lag(exits) over w as grown, t0 - lag(t0) over w as passed
            from rows window w as (partition by vm, run, vcpu order by t0)
        )
        select vm, count(*) as rows,
               sum(grown) filter (grown >= 0) * 1e9 / sum(passed) filter (grown >= 0)
        from steps group by vm order by vm
    """
    return duckdb.sql(statement).fetchall()


def with_pandas(folder):
    """Counts the same with data frames."""
    paths = sorted(glob.glob(os.path.join(folder, "*-kvm-vcpu.parquet")))
    frames = [pandas.read_parquet(path, dtype_backend="pyarrow") for path in paths]
    lines = []
    for path in glob.glob(os.path.join(folder, "*.jsonl")):
        with open(path, "rb") as tail:
            # The last line may be cut off.
            whole = [line for line in tail if line.endswith(b"\n")]
        rows = (json.loads(line) for line in whole)
        wanted = ("vm", "run", "vcpu", "t0", "exits")
        lines += [
            {name: row.get(name) for name in wanted}
            for row in rows
            if row.get("provider") == "kvm" and row.get("target") == "vcpu"
        ]
    if lines:
        frames.append(pandas.DataFrame(lines))
    rows = pandas.concat(frames)[["vm", "run", "vcpu", "t0", "exits"]]
    rows = rows.astype({"t0": "int64", "exits": "int64"}).sort_values("t0")
    steps = rows.groupby(["vm", "run", "vcpu"])[["t0", "exits"]].diff()
    steps["vm"] = rows["vm"]
    steps = steps[steps["exits"] >= 0]
    sums = steps.groupby("vm")[["t0", "exits"]].sum()
    counts = rows.groupby("vm").size()
    return [(vm, int(counts[vm]), sums.exits[vm] * 1e9 / sums.t0[vm]) for vm in counts.index]


def main():
    folder = sys.argv[1]
    for name, read in (("duckdb", with_duckdb), ("pandas", with_pandas)):
        for vm, rows, rate in read(folder):
            print(f"{name} {vm} {rows} {rate:.3f}")


if __name__ == "__main__":
    main()
