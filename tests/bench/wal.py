"""The reader of logs against Prometheus' own and against cat; see tests/bench/wal."""

import json
import os
import subprocess
import sys

from measure import CannotMeasure, several
from need import Release, full_head, need, young_head
from start import start
from table import Table


def main() -> int:
    agent, reader, data, times, heads, *releases = sys.argv[1:]
    wal = os.path.join(data, "wal")
    segments = sorted(os.path.join(wal, name) for name in os.listdir(wal) if name.isdigit())
    size = sum(os.path.getsize(segment) for segment in segments)
    read_once(segments)
    cat, quick, full, inventory, frames, decoded = several(
        [
            # Into a pipe it would wait for its reader.
            (["sh", "-c", 'exec cat "$@" > /dev/null', "cat", *segments], (0,)),
            ([agent, "survey", "--quick", "--json", data], (0,)),
            ([agent, "survey", "--json", data], (0,)),
            ([agent, "inventory", "--json", data], (0,)),
            ([reader, "frames", wal], (0,)),
            ([reader, "decode", wal], (0,)),
        ],
        int(times),
    )
    table = Table()
    same_counts(agent, reader, data)
    table.part(f"a log of {size / 1e9:.2f} GB in {len(segments)} segments, {os.cpu_count()} cores")
    for what, runs in [
        ("cat", cat),
        ("survey --quick", quick),
        ("survey", full),
        ("inventory", inventory),
        ("Prometheus' reader, records only", frames),
        ("Prometheus' reader, decoding", decoded),
    ]:
        told = f"{runs.best:.0f} ms, {runs.busy:.0f} ms of all cores, {runs.peak:.1f} MB"
        table.add(what, "", told)
    table.part("ratios of the best of each")
    table.at_most("survey --quick / cat", 1.2, round(quick.best / cat.best, 2))
    table.at_least("Prometheus decoding / survey", 4, decoded.best / full.best)
    table.at_least("Prometheus decoding / inventory", 10, decoded.best / inventory.best)
    table.part("peak memory")
    for what, runs in [("survey --quick", quick), ("survey", full), ("inventory", inventory)]:
        table.at_most(what, 64, round(runs.peak, 1), "MB")
    if releases:
        known = [Release(*release.split(" ", 1)) for release in releases]
        against_start(table, agent, os.path.join(heads, "young"), known[-1])
        full_head(table, agent, os.path.join(heads, "full"), known)
    print(table.told())
    return 2 if table.missed() else 0


def against_start(table: Table, agent: str, data: str, release: Release) -> None:
    """What inventory tells of a head, against the start that would tell it."""
    [inventory] = several([([agent, "inventory", "--json", data], (0,))], 3)
    started = start(release.program, data)
    table.part(f"a head of {started.series} series, none of it started before")
    took = f"{inventory.best:.0f} ms, {inventory.busy:.0f} ms of all cores, {inventory.peak:.1f} MB"
    table.add("inventory", "", took)
    took = f"{started.wall_ms:.0f} ms, {started.busy_ms:.0f} ms of all cores, {started.peak_mb:.0f} MB"
    table.add("Prometheus, until it is ready", "", took)
    table.at_least("Prometheus / inventory", 20, started.wall_ms / inventory.best)
    table.at_least("the same, peak memory", 10, started.peak_mb / inventory.peak)
    young_head(table, need(agent, data, release), started)


def same_counts(agent: str, reader: str, data: str) -> None:
    """What is measured is worth nothing unless both read the same."""
    told = json.loads(subprocess.check_output([agent, "survey", "--json", data]))
    ours = {f"{segment['number']:08}": segment["counts"] for segment in told["segments"]}
    theirs = json.loads(subprocess.check_output([reader, "count", os.path.join(data, "wal")]))
    if ours != theirs:
        raise CannotMeasure(f"survey counts {ours}, Prometheus' reader {theirs}")


def read_once(paths: list[str]) -> None:
    """Into the page cache."""
    for path in paths:
        with open(path, "rb", buffering=0) as file:
            while file.read(1 << 20):
                pass


try:
    sys.exit(main())
except CannotMeasure as error:
    sys.exit(f"tests/bench/wal: {error}")
