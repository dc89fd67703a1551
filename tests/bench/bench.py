"""What is measured, in order, and the goals. Started by `run`; see there."""

import argparse
import os
import sys
from dataclasses import dataclass

from audit import Mark, is_discovery, line, of_plugin
from cluster import Scenes, user
from large import cluster
from measure import CannotMeasure, Runs, several, spread
from table import Table

# The goals. MB are 10^6 bytes.
MOST_REQUESTS_OF_A_CLASS = 20
MOST_REQUESTS_OF_DIAGNOSE = 30
MOST_ROUNDS = 4
MOST_MS_OF_VERSION = 10
MOST_MB_OF_MEMORY = 20
MOST_MB_OF_BINARY = 8

BROKEN = (2, 3)
WELL = (0,)
VERSION_RUNS = 50
# Nodes of a small, a common and a large cluster.
CLUSTERS = (3, 100, 1000)
USER = f"b-bench-{os.getpid()}"
KPS = os.path.join("tests", "installs", "kps.yaml")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--no-cluster", action="store_true")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--pods", type=int, default=2000)
    parser.add_argument("--requests", action="store_true")
    given = parser.parse_args()
    table = Table()
    try:
        program(table, given.binary)
        bundle(table, given.binary, given.runs)
        if not given.no_cluster:
            Cluster(table, given.binary, given.runs, given.requests).measure(given.pods)
    except CannotMeasure as why:
        print(table.told())
        print(f"error: not measured: {why}", file=sys.stderr)
        return 1
    print(table.told())
    return 0


def program(table: Table, binary: str) -> None:
    table.part("program")
    size = os.path.getsize(binary)
    table.at_most("release binary", MOST_MB_OF_BINARY, size / 1e6, "MB", f" ({size} bytes)")
    nothing, version = several([(["true"], WELL), ([binary, "--version"], WELL)], VERSION_RUNS)
    table.at_most(
        f"--version, median of {VERSION_RUNS}", MOST_MS_OF_VERSION, version.median, "ms",
        f" ({spread(version.wall)})",
    )
    table.add(
        "  floor: a program that does nothing", "",
        f"{spread(nothing.wall)}, peak {nothing.peak:.1f} MB",
    )


def bundle(table: Table, binary: str, times: int) -> None:
    table.part(f"a recording ({KPS}); wall time is least / median / most of {times}")
    exits = (*WELL, *BROKEN, 4)
    (runs,) = several([([binary, "diagnose", "--bundle", KPS], exits)], times)
    table.add("diagnose --bundle, wall", "", spread(runs.wall))
    table.at_most("diagnose --bundle, peak memory", MOST_MB_OF_MEMORY, runs.peak, "MB")


@dataclass
class Seen:
    """The runs on one installation, and what of them is API discovery."""

    oom: Runs
    diagnose: Runs
    sweep: Runs
    get: Runs
    plain: Runs
    discovery: int

    def plugin(self) -> list[Runs]:
        return [self.oom, self.diagnose, self.sweep]


class Cluster:
    """What needs a cluster."""

    def __init__(self, table: Table, binary: str, times: int, requests: bool):
        self.table = table
        self.binary = os.path.abspath(binary)
        self.times = times
        self.requests = requests
        self.peaks: list[tuple[float, str]] = []

    def measure(self, pods: int) -> None:
        with user(USER) as self.kubeconfig, Scenes() as scenes:
            installs = [
                ("StatefulSet in a loop", scenes.sts, "sts/prometheus", BROKEN),
                ("operator pair in a loop", scenes.operator, "prometheus/prometheus", BROKEN),
                ("healthy StatefulSet", scenes.healthy, "sts/prometheus", WELL),
            ]
            before = {}
            for name, *install in installs:
                self.table.part(f"{name}; wall time is least / median / most of {self.times}")
                before[name] = self.install(*install)
            if pods:
                there = scenes.crowd(pods)
                self.table.part(f"the same, with {there} other pods in other namespaces")
                for name, *install in installs:
                    self.flat(name, before[name], self.runs(*install))
                self.whole_cluster()
            for nodes in CLUSTERS:
                self.large(scenes.operator, nodes)
        self.table.part("memory of all diagnoses on the cluster")
        peak, of = max(self.peaks)
        self.table.at_most("peak memory, the worst", MOST_MB_OF_MEMORY, peak, "MB", f" ({of})")

    def runs(self, namespace: str, target: str, exits: tuple[int, ...]) -> Seen:
        """`oom`, `diagnose` and `diagnose` without a target, beside kubectl's look at two kinds;
        the plugin's own count is held against the server's."""
        mark = Mark(os.environ["PROM_FIX_AUDIT_LOG"])
        where = ["-n", namespace, "--kubeconfig", self.kubeconfig]
        kubectl = ["kubectl", *where, "get"]
        runs = several([
            ([self.binary, "oom", target, "-v", *where], exits),
            ([self.binary, "diagnose", target, "-v", *where], exits),
            ([self.binary, "diagnose", "-v", *where], exits),
            ([*kubectl, "statefulsets,pods", "-o", "json"], WELL),
            ([*kubectl, "pods"], WELL),
        ], self.times)
        events = [event for event in mark.requests(USER) if of_plugin(event)]
        seen = Seen(*runs, discovery=sum(is_discovery(event) for event in events))
        if self.requests:
            print(*(line(event) for event in events), sep="\n", file=sys.stderr)
        told = sum(requests for one in seen.plugin() for _, requests in one.told())
        if len(events) != told:
            raise CannotMeasure(
                f"the plugin tells {told} requests, the server's audit log {len(events)}"
            )
        self.peaks += [(one.peak, " ".join(one.argv[1:3])) for one in seen.plugin()]
        return seen

    def install(self, namespace: str, target: str, exits: tuple[int, ...]) -> Seen:
        seen = self.runs(namespace, target, exits)
        oom, diagnose = seen.oom, seen.diagnose
        put = self.table.at_most
        put("oom, requests", MOST_REQUESTS_OF_A_CLASS, oom.requests)
        put("oom, rounds", MOST_ROUNDS, oom.rounds)
        put("diagnose, requests", MOST_REQUESTS_OF_DIAGNOSE, diagnose.requests)
        put("diagnose, rounds", MOST_ROUNDS, diagnose.rounds)
        put("diagnose without a target, requests", MOST_REQUESTS_OF_DIAGNOSE, seen.sweep.requests)
        put("requests of API discovery", 0, seen.discovery)
        add = self.table.add
        add("oom, wall", "", spread(oom.wall))
        add("diagnose, wall", "", spread(diagnose.wall))
        add("diagnose, first byte on stdout", "", f"{diagnose.first:.1f} ms (median)")
        add("kubectl get statefulsets,pods -o json", "", spread(seen.get.wall))
        add("kubectl get pods", "", spread(seen.plain.wall))
        add("diagnose : kubectl get … -o json", "", f"{diagnose.median / seen.get.median:.2f}")
        peaks = " / ".join(f"{one.peak:.1f}" for one in (oom, diagnose, seen.get))
        add("oom, diagnose, kubectl get: peak memory", "", f"{peaks} MB")
        return seen

    def flat(self, name: str, before: Seen, after: Seen) -> None:
        pairs = list(zip(before.plugin(), after.plugin()))
        more = [now.requests - then.requests for then, now in pairs]
        self.table.at_most(f"{name}: more requests", 0, max(more))
        ratios = " / ".join(f"{now.median / then.median:.2f}" for then, now in pairs)
        self.table.add(f"{name}: wall, ratio to before", "", ratios)
        peaks = " / ".join(f"{now.peak - then.peak:+.1f}" for then, now in pairs)
        self.table.add(f"{name}: peak memory, more", "", f"{peaks} MB")

    def whole_cluster(self) -> None:
        """A sweep of all namespaces reads every pod: it cannot be flat. What it says depends on
        what else is there, so any verdict will do."""
        argv = [self.binary, "diagnose", "-A", "-v", "--kubeconfig", self.kubeconfig]
        (runs,) = several([(argv, (*WELL, *BROKEN, 4))], 3)
        self.table.add("diagnose -A, requests", "", f"{runs.requests} in {runs.rounds} rounds")
        self.table.add("diagnose -A, wall", "", spread(runs.wall))
        self.peaks.append((runs.peak, "diagnose -A"))
        self.table.at_most("diagnose -A, peak memory", MOST_MB_OF_MEMORY, runs.peak, "MB")

    def large(self, namespace: str, nodes: int) -> None:
        """Peak memory on a cluster of many nodes, with logs of the length that is asked for."""
        self.table.part(f"operator pair in a loop, {nodes} nodes of 15 kB, long logs (simulated)")
        with cluster(self.kubeconfig, nodes) as server:
            where = ["-n", namespace, "-s", server, "--kubeconfig", self.kubeconfig]
            argv = [self.binary, "oom", "prometheus/prometheus", "-v", *where]
            (runs,) = several([(argv, (*BROKEN, 4))], 3)
        self.table.at_most("oom, requests", MOST_REQUESTS_OF_A_CLASS, runs.requests)
        self.table.at_most("oom, peak memory", MOST_MB_OF_MEMORY, runs.peak, "MB")


if __name__ == "__main__":
    sys.exit(main())
