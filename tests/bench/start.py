"""A start of Prometheus on a data directory: what it takes until it is ready."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass

from measure import CannotMeasure

LONGEST = 900.0


@dataclass
class Start:
    wall_ms: float
    busy_ms: float
    peak_mb: float
    series: int
    """In the head, once it is ready."""


def start(program: str, data: str) -> Start:
    """Starts it on a copy, for a start writes; nothing is scraped."""
    with tempfile.TemporaryDirectory(dir=os.path.dirname(data)) as folder:
        copy = os.path.join(folder, "data")
        shutil.copytree(data, copy)
        config = os.path.join(folder, "prometheus.yml")
        with open(config, "w", encoding="utf-8") as file:
            file.write("scrape_configs: []\n")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        log = os.path.join(folder, "log")
        with open(log, "w", encoding="utf-8") as words:
            began = time.monotonic()
            run = subprocess.Popen(
                [program, f"--config.file={config}", f"--storage.tsdb.path={copy}",
                 # The samples of the log are old, and are not to be thrown away while it starts.
                 "--storage.tsdb.retention.time=100y",
                 f"--web.listen-address=127.0.0.1:{port}"],
                stdout=words, stderr=words,
            )
        try:
            while not answers(f"http://127.0.0.1:{port}/-/ready"):
                if run.poll() is not None or time.monotonic() - began > LONGEST:
                    with open(log, encoding="utf-8", errors="replace") as words:
                        raise CannotMeasure(f"{program} is not ready: {words.read()[-600:]}")
                time.sleep(0.02)
            wall = time.monotonic() - began
            with open(f"/proc/{run.pid}/status", encoding="utf-8") as status:
                lines = dict(line.split(":", 1) for line in status)
            peak = int(lines["VmHWM"].split()[0])
            with open(f"/proc/{run.pid}/stat", encoding="utf-8") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            busy = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            series = head_series(port)
        finally:
            run.kill()
            run.wait()
    return Start(wall * 1e3, busy * 1e3, peak * 1024 / 1e6, series)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def head_series(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith("prometheus_tsdb_head_series "):
                return int(float(line.split()[1]))
    raise CannotMeasure("no prometheus_tsdb_head_series")
