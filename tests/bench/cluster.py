"""Scenes on the test cluster: installations in a loop of kills, a healthy one, and a crowd of
other pods. All namespaces are deleted at the end, whatever happens."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from measure import CannotMeasure

HERE = os.path.dirname(os.path.abspath(__file__))
MANIFESTS = os.path.join(HERE, "manifests")
# Prometheus 3 needs more than this to come up.
KILLS = "18Mi"
SERVES = "512Mi"
WAIT_SECONDS = 180
CROWDS = 4


def kubectl(*words: str, text: str | None = None) -> str:
    done = subprocess.run(["kubectl", *words], input=text, text=True, capture_output=True)
    if done.returncode != 0:
        raise CannotMeasure(f"kubectl {' '.join(words)}: {done.stderr.strip()[-400:]}")
    return done.stdout


@contextmanager
def user(name: str) -> Iterator[str]:
    """The kubeconfig of a user who may do all, and whom nobody else is: so that the audit log
    tells this bench's requests from those of others who work with the same cluster."""
    script = os.path.join(HERE, "..", "cluster", "user")
    made = subprocess.run([script, name, "system:masters"], text=True, capture_output=True)
    if made.returncode != 0:
        raise CannotMeasure(f"tests/cluster/user: {made.stderr.strip()}")
    kubeconfig = made.stdout.strip()
    try:
        yield kubeconfig
    finally:
        shutil.rmtree(os.path.dirname(kubeconfig))


class Scenes:
    """Made on entry, deleted on exit."""

    def __init__(self) -> None:
        serial = os.getpid()
        self.sts, self.operator, self.healthy = (
            f"b-{serial}-{name}" for name in ("sts", "operator", "healthy")
        )
        self.crowds = [f"b-{serial}-crowd-{n}" for n in range(CROWDS)]
        self.made: list[str] = []

    def __enter__(self) -> "Scenes":
        try:
            self._make(self.sts, "statefulset.yaml", KILLS)
            self._make(self.operator, "operator.yaml", KILLS)
            self._make(self.healthy, "statefulset.yaml", SERVES)
            until("two kills of each replica", lambda: self._loops(self.sts, 1))
            until("two kills of each replica", lambda: self._loops(self.operator, 2))
            until("the healthy one is ready", lambda: self._ready(self.healthy))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.made:
            kubectl("delete", "namespace", "--wait=false", "--ignore-not-found", *self.made)

    def crowd(self, count: int) -> int:
        """Pods that no scheduler looks at, as large as small real ones. Returns how many are
        there."""
        shares = [count // CROWDS + (n < count % CROWDS) for n in range(CROWDS)]
        with ThreadPoolExecutor(CROWDS) as pool:
            list(pool.map(self._crowd, self.crowds, shares))
        names = (kubectl("get", "pods", "-n", ns, "-o", "name").split() for ns in self.crowds)
        there = sum(len(found) for found in names)
        if there != count:
            raise CannotMeasure(f"{there} of {count} other pods were made")
        return there

    def _make(self, namespace: str, manifest: str, limit: str) -> None:
        self._namespace(namespace)
        with open(os.path.join(MANIFESTS, manifest), encoding="utf-8") as file:
            text = file.read()
        version = os.environ["PROM_FIX_PROMETHEUS_VERSIONS"].split()[-1]
        text = text.replace("@LIMIT@", limit).replace("@VERSION@", version)
        kubectl("-n", namespace, "create", "-f", "-", text=text)

    def _namespace(self, name: str) -> None:
        self.made.append(name)
        kubectl("create", "namespace", name)
        until("its service account", lambda: has_account(name))

    def _crowd(self, namespace: str, count: int) -> None:
        self._namespace(namespace)
        pods = [pod(f"app-{n}") for n in range(count)]
        many = {"apiVersion": "v1", "kind": "List", "items": pods}
        kubectl("-n", namespace, "create", "-f", "-", text=json.dumps(many))

    def _loops(self, namespace: str, replicas: int) -> bool:
        states = [
            state for state in states_of(namespace)
            if state["name"] == "prometheus" and state["restartCount"] >= 2
        ]
        ended = (state.get("lastState", {}).get("terminated", {}) for state in states)
        return [end.get("reason") for end in ended] == ["OOMKilled"] * replicas

    def _ready(self, namespace: str) -> bool:
        states = states_of(namespace)
        return bool(states) and all(state["ready"] for state in states)


def states_of(namespace: str) -> list[dict]:
    pods = json.loads(kubectl("-n", namespace, "get", "pods", "-o", "json"))["items"]
    return [state for one in pods for state in one["status"].get("containerStatuses", [])]


def has_account(namespace: str) -> bool:
    return "default" in kubectl("-n", namespace, "get", "serviceaccounts", "-o", "name")


def pod(name: str) -> dict:
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10}
    env = [{"name": f"SETTING_{n}", "value": f"value-{n}"} for n in range(12)]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "crowd", "instance": name}},
        "spec": {
            "schedulerName": "none",
            "automountServiceAccountToken": False,
            "containers": [{
                "name": "app",
                "image": "busybox:1",
                "env": env,
                "livenessProbe": probe,
                "readinessProbe": probe,
                "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}},
            }],
        },
    }


def until(what: str, holds: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not holds():
        if time.monotonic() > end:
            raise CannotMeasure(f"not in {WAIT_SECONDS} s: {what}")
        time.sleep(0.5)
