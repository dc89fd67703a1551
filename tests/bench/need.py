"""The memory that `inventory` says a start needs, against what starts of real releases take."""

import json
import subprocess
from dataclasses import dataclass

from start import Start, start
from table import Table


@dataclass
class Need:
    """Megabytes."""

    at_ready: float
    low: float
    limit: float
    high: float


@dataclass
class Release:
    version: str
    program: str


def need(agent: str, data: str, release: Release) -> Need:
    argv = [agent, "inventory", "--json", "--prometheus-version", release.version, data]
    [told] = json.loads(subprocess.check_output(argv))["memory"]
    return Need(*(told[key] / 1e6 for key in ("atReady", "low", "limit", "high")))


def ratios(told: Need, started: Start) -> str:
    of_ready, of_limit = started.peak_mb / told.at_ready, started.peak_mb / told.limit
    return f"{started.peak_mb:.0f} MB: {of_ready:.2f} of when ready, {of_limit:.2f} of the limit"


def young_head(table: Table, told: Need, started: Start) -> None:
    """One that has hardly begun takes less than the range begins with, for that is of full ones."""
    met = started.peak_mb <= told.high
    table.add("of the need that is told", f"<= {told.high:.0f} MB", ratios(told, started), met)


def full_head(table: Table, agent: str, data: str, releases: list[Release]) -> None:
    """Scraped as long as a head goes back; no chunks beside the log, so that a start makes all."""
    table.part("peak memory of a start on a head of three hours, within the range that is told")
    for release in releases:
        told, started = need(agent, data, release), start(release.program, data)
        met = told.low <= started.peak_mb <= told.high
        what = f"Prometheus {release.version}, {started.series} series"
        table.add(what, f"{told.low:.0f} to {told.high:.0f} MB", ratios(told, started), met)
