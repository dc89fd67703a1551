"""Measured runs of a program, and what several of them come to."""

import os
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

ONCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "once.py")


class CannotMeasure(Exception):
    """What was to be measured did not happen."""


@dataclass
class Run:
    wall_ms: float
    first_ms: float
    peak_mb: float
    stderr: str
    busy_ms: float
    """On all cores together."""


def once(argv: list[str], exits: tuple[int, ...]) -> Run:
    """One run; an exit code that is none of `exits` is an error."""
    with tempfile.NamedTemporaryFile("r") as errors:
        told = subprocess.run(
            [sys.executable, "-I", "-S", ONCE, errors.name, *argv],
            check=True, stdout=subprocess.PIPE, text=True,
        ).stdout
        stderr = errors.read()
    code, wall, first, peak, busy = (int(word) for word in told.split())
    if code not in exits:
        raise CannotMeasure(f"{' '.join(argv)}: exit {code}: {stderr.strip()[-400:]}")
    return Run(wall / 1e3, first / 1e3, peak * 1024 / 1e6, stderr, busy / 1e3)


@dataclass
class Runs:
    """Runs of one command."""

    argv: list[str]
    exits: tuple[int, ...] = (0,)
    all: list[Run] = field(default_factory=list)

    def again(self) -> None:
        self.all.append(once(self.argv, self.exits))

    @property
    def wall(self) -> list[float]:
        return [run.wall_ms for run in self.all]

    @property
    def median(self) -> float:
        return statistics.median(self.wall)

    @property
    def best(self) -> float:
        """What it takes when nothing is in its way."""
        return min(self.wall)

    @property
    def busy(self) -> float:
        return min(run.busy_ms for run in self.all)

    @property
    def first(self) -> float:
        return statistics.median(run.first_ms for run in self.all)

    @property
    def peak(self) -> float:
        return max(run.peak_mb for run in self.all)

    def told(self) -> list[tuple[int, int]]:
        """Rounds and requests of each run, as the plugin tells them with -v."""
        pattern = re.compile(r"in (\d+) rounds, (\d+) requests")
        found = [pattern.search(run.stderr) for run in self.all]
        if not all(found):
            raise CannotMeasure(f"{' '.join(self.argv)}: -v does not tell rounds and requests")
        return [(int(match[1]), int(match[2])) for match in found if match]

    @property
    def rounds(self) -> int:
        return max(rounds for rounds, _ in self.told())

    @property
    def requests(self) -> int:
        return max(requests for _, requests in self.told())


def several(commands: list[tuple[list[str], tuple[int, ...]]], times: int) -> list[Runs]:
    """Each command `times` times, in turns, so that a busy moment of the machine hits all."""
    runs = [Runs(argv, exits) for argv, exits in commands]
    for _ in range(times):
        for one in runs:
            one.again()
    return runs


def spread(values: list[float], unit: str = "ms") -> str:
    """Least, median and most."""
    parts = (min(values), statistics.median(values), max(values))
    return " / ".join(f"{part:.1f}" for part in parts) + f" {unit}"
