"""The reader of logs at sizes that no test has time for; see tests/bench/sizes."""

import json
import os
import shutil
import subprocess
import sys
import time

from measure import CannotMeasure, once
from table import Table

GIB = 1 << 30
MIB = 1 << 20
INVENTORY_MIB = 180
TYPES = 13


class Sizes:
    def __init__(self, agent: str, reader: str, work: str):
        self.agent = agent
        self.reader = reader
        self.data = os.path.join(work, "data")
        self.table = Table()

    def make(self, command: str, *flags: str) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        began = time.monotonic()
        done = subprocess.run([self.reader, command, self.data, *flags], capture_output=True, text=True)
        if done.returncode:
            raise CannotMeasure(f"{command} {' '.join(flags)}: {done.stderr.strip()[-400:]}")
        self.table.add("made by Prometheus' own writer", "", seconds(time.monotonic() - began))

    def run(self, code: int, command: str, *flags: str) -> dict:
        """What the agent tells."""
        argv = [self.agent, command, "--json", *flags, self.data]
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode != code:
            raise CannotMeasure(f"{command}: exit {done.returncode}: {done.stderr.strip()[-400:]}")
        return json.loads(done.stdout)

    def theirs(self, folder: str) -> dict:
        """What Prometheus' reader gives of each file; an error of it ends this."""
        argv = [self.reader, "count", os.path.join(self.data, folder)]
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode:
            raise CannotMeasure(f"Prometheus' reader: {done.stderr.strip()[-400:]}")
        return json.loads(done.stdout)

    def alike(self, survey: dict, what: str) -> set[str]:
        """Each file of both logs, by both readers; the types of record that were met."""
        met: set[str] = set()
        for folder, files in [("wal", survey["segments"]), ("wbl", survey["wbl"])]:
            ours = {f"{file['number']:08}": file["counts"] for file in files}
            if not ours:
                continue
            began = time.monotonic()
            theirs = self.theirs(folder)
            took = time.monotonic() - began
            records = sum(of["records"] for of in theirs.values())
            entries = sum(sum_of(of["byType"]) for of in theirs.values())
            met.update(kind for of in theirs.values() for kind in of["byType"])
            told = f"{records} records, {entries} entries, {len(theirs)} files"
            told = f"{told}; Prometheus {seconds(took)}"
            name = f"{folder} {what}: counts, times, refs"
            self.table.add(name, "Prometheus'", told, ours == theirs)
        return met

    def segment(self) -> None:
        """A segment as large as one can be, with a byte flipped close to its end."""
        self.table.part("a segment of 2 GiB")
        self.make("big", "-series", "20000", "-samples", "10000", "-compression", "none",
                  "-segment", str(2 * GIB))
        path = os.path.join(self.data, "wal", "00000000")
        size = os.path.getsize(path)
        large = 2 * GIB - MIB < size <= 2 * GIB
        self.table.add("its bytes", f"> {2 * GIB - MIB}", str(size), large)
        healthy = self.run(0, "survey")
        self.alike(healthy, "as made")
        # Amid a page: of the first byte of one, no checksum tells.
        at = size - MIB + 1000
        with open(path, "r+b") as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 0x40]))
        damaged = self.run(2, "survey")
        faults = damaged["segments"][0]["faults"]
        places = [fault["offset"] for fault in faults]
        near = len(places) == 1 and abs(places[0] - at) < MIB / 8
        self.table.add("a flipped byte: faults", f"1 by {at}", str(places), near)
        began = time.monotonic()
        self.run(0, "salvage")
        self.table.add("salvage", "", seconds(time.monotonic() - began))
        mended = self.run(0, "survey")
        self.alike(mended, "salvaged")
        lost = [before["counts"]["records"] - after["counts"]["records"]
                for before, after in zip(healthy["segments"], mended["segments"], strict=True)]
        self.table.add("records lost, of each file", "at most 1, 0", str(lost),
                       lost[0] in (0, 1) and not any(lost[1:]))

    def series(self) -> None:
        """More than are counted exactly, each with a label value of its own."""
        count = 10_000_000
        self.table.part(f"an inventory of {count} series")
        self.make("big", "-series", str(count), "-samples", "1", "-distinct")
        ran = once([self.agent, "inventory", "--json", self.data], (0,))
        mib = round(ran.peak_mb * 1e6 / MIB, 1)
        self.table.at_most("peak memory", INVENTORY_MIB, mib, "MiB", f", {seconds(ran.wall_ms / 1e3)}")
        told = self.run(0, "inventory")
        self.table.add("series", str(count), str(told["series"]), told["series"] == count)
        [values] = [label["values"] for label in told["labels"] if label["name"] == "code"]
        # Three times the error that is told.
        near = abs(values / count - 1) < 0.048
        self.table.add("values of the label that all differ in", "within 4.8 %", str(values), near)
        beyond = told["bound"]
        reached = beyond["seriesNotToldApart"] > 0 and beyond["pairsBySketch"] > 0
        self.table.add("beyond the bound, and told so", "> 0", json.dumps(beyond), reached)

    def kinds(self) -> None:
        """All that the storage writes, a million series of floats among it."""
        met: set[str] = set()
        for name, flags in [("snappy", ["-compression", "snappy"]), ("zstd", ["-compression", "zstd"]),
                            ("start times", ["-st"])]:
            self.table.part(f"a million series, every type of record, {name}")
            self.make("make", "-series", "1000000", "-histograms", "20000", "-samples", "3", *flags)
            began = time.monotonic()
            survey = self.run(0, "survey")
            self.table.add("survey", "", seconds(time.monotonic() - began))
            met |= self.alike(survey, "as made")
        self.table.add("types of record met", str(TYPES), str(len(met)), len(met) == TYPES)


def sum_of(types: dict) -> int:
    return sum(of["entries"] for of in types.values())


def seconds(value: float) -> str:
    return f"{value:.1f} s"


def main() -> int:
    agent, reader, work, *parts = sys.argv[1:]
    sizes = Sizes(agent, reader, work)
    for part in parts:
        getattr(sizes, part)()
    print(sizes.table.told())
    return 2 if sizes.table.missed() else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CannotMeasure as error:
        sys.exit(f"tests/bench/sizes: {error}")
