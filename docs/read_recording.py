"""Reads a recording of `vmstats record` with nothing of vmstats.

Usage: python read_recording.py FOLDER

Prints, for each VM, the rows in segments and tail and the mean exits per second while
its counters grew, first with DuckDB and then with pandas. Needs the packages duckdb,
pandas and pyarrow.
"""

import glob
import json
import os
import sys

import duckdb
import pandas

# DuckDB's types of the columns that are read.
COLUMNS = {
    "vm": "varchar",
    "run": "ubigint",
    "object": "varchar",
    "t0": "bigint",
    "t1": "bigint",
    "exits": "ubigint",
    "provider": "varchar",
    "target": "varchar",
}


def segments(folder):
    """Finds the files with vCPUs; VMs with other schemas have files of their own."""
    return sorted(glob.glob(os.path.join(folder, "*-kvm-vcpu*.parquet")))


def with_duckdb(folder):
    """Counts with one statement, also while the recorder runs."""
    of_vcpus = "where provider = 'kvm' and target = 'vcpu'"
    names = ", ".join(COLUMNS)
    parts = [
        f"select {names} from read_json($tail, format = 'newline_delimited', "
        f"ignore_errors = true, columns = {COLUMNS}) {of_vcpus}"
    ]
    values = {"tail": os.path.join(folder, "*.jsonl")}
    # DuckDB refuses a list of no files.
    if segments(folder):
        parts.append(
            f"select {names} from read_parquet($files, union_by_name = true) {of_vcpus}"
        )
        values["files"] = segments(folder)
    # Rows are in both places while a segment is sealed: `union` counts them once.
    statement = f"""
        with readings as ({" union by name ".join(parts)}),
        timed as (select *, t0 + (t1 - t0) // 2 as middle from readings),
        steps as (
            select vm, exits::hugeint - lag(exits) over w as grown,
                   middle - lag(middle) over w as passed
            from timed window w as (partition by vm, run, object order by t0)
        )
        select vm, count(*),
               sum(grown) filter (grown >= 0) * 1e9 / sum(passed) filter (grown >= 0)
        from steps group by vm order by vm
    """
    return duckdb.execute(statement, values).fetchall()


def with_pandas(folder):
    """Counts the same with data frames."""
    frames = [pandas.read_parquet(path, dtype_backend="pyarrow") for path in segments(folder)]
    lines = []
    for path in glob.glob(os.path.join(folder, "*.jsonl")):
        if path.endswith("-damaged.jsonl"):
            continue
        with open(path, "rb") as tail:
            # The last line may be cut off.
            lines += [json.loads(line) for line in tail if line.endswith(b"\n")]
    # Digits above 2^53 survive as integers of Arrow, not as floats.
    types = {
        name: {"varchar": "string", "ubigint": "uint64", "bigint": "int64"}[kind] + "[pyarrow]"
        for name, kind in COLUMNS.items()
    }
    lines = [{name: line.get(name) for name in COLUMNS} for line in lines]
    frames.append(pandas.DataFrame(lines, columns=list(COLUMNS), dtype=object))
    frames = [frame.reindex(columns=list(COLUMNS)).astype(types) for frame in frames]
    rows = pandas.concat(frames).drop_duplicates()
    rows = rows[(rows.provider == "kvm") & (rows.target == "vcpu")].sort_values("t0")
    rows["middle"] = rows.t0 + (rows.t1 - rows.t0) // 2
    before = rows.groupby(["vm", "run", "object"])[["exits", "middle"]].shift()
    # A lower counter was reset; subtracting from it would be an overflow.
    grew = (rows.exits >= before.exits).fillna(False)
    steps = pandas.DataFrame(
        {
            "vm": rows.vm[grew],
            "grown": rows.exits[grew] - before.exits[grew],
            "passed": rows.middle[grew] - before.middle[grew],
        }
    )
    sums = steps.groupby("vm").sum()
    rates = (sums.grown * 1e9 / sums.passed).to_dict()
    return [(vm, count, rates.get(vm)) for vm, count in rows.groupby("vm").size().items()]


def main():
    folder = sys.argv[1]
    for name, read in (("duckdb", with_duckdb), ("pandas", with_pandas)):
        for vm, rows, rate in read(folder):
            print(f"{name} {vm} {rows} {'-' if rate is None else f'{rate:.3f}'}")


if __name__ == "__main__":
    main()
