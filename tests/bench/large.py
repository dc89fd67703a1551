"""A large cluster, for memory: stands between the plugin and the API server and answers two
questions itself, with many nodes and with logs as long as was asked for. All else comes from the
real server, through `kubectl proxy`. Node objects proper would mislead the scheduler, and others
who work with the cluster."""

import http.client
import http.server
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

from measure import CannotMeasure

MEMORY = "32Gi"
CONDITIONS = ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready")
LOG_LINE = (
    'time=2026-01-01T00:00:00.000Z level=INFO source=head.go:794 msg="WAL segment loaded" '
    f'component=tsdb segment=12 maxSegment=99 duration=1.234567s note="{"x" * 60}"\n'
)


def node(n: int) -> dict:
    """About 15 kB, as a cloud's nodes are: most of it is images and field ownership."""
    ownership = {f"f:field-{k}": {"f:one": {}, "f:other": {}} for k in range(30)}
    images = [
        {"names": [f"registry.example.com/team/app-{k}@sha256:{k:064x}",
                   f"registry.example.com/team/app-{k}:v1.2.{k}"], "sizeBytes": 123456789}
        for k in range(50)
    ]
    size = {"cpu": "8", "memory": MEMORY, "pods": "110"}
    return {
        "metadata": {
            "name": f"node-{n}",
            "uid": f"{n:08}",
            "labels": {f"label-{k}.example.com/of": f"value-{k}" for k in range(25)},
            "annotations": {f"note-{k}.example.com/of": "x" * 60 for k in range(10)},
            "managedFields": [
                {"manager": f"manager-{k}", "operation": "Update", "fieldsV1": ownership}
                for k in range(3)
            ],
        },
        "spec": {"podCIDR": "10.0.0.0/24"},
        "status": {
            "capacity": size,
            "allocatable": size,
            "conditions": [
                {"type": kind, "status": str(kind == "Ready"), "message": "as it should be"}
                for kind in CONDITIONS
            ],
            "images": images,
        },
    }


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, behind: int, nodes: int):
        super().__init__(("127.0.0.1", 0), Handler)
        self.behind = behind
        self.nodes = [node(n) for n in range(nodes)]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:  # noqa: N802
        parts = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        if parts.path == "/api/v1/nodes":
            self.answer(200, self.page(query))
        elif parts.path.endswith("/log"):
            text = LOG_LINE * int(query.get("tailLines", "1500"))
            self.answer(200, text[: int(query.get("limitBytes", "1048576"))].encode())
        else:
            self.forward()

    def do_POST(self) -> None:  # noqa: N802
        self.forward()

    def page(self, query: dict[str, str]) -> bytes:
        begin = int(query.get("continue", "0"))
        end = begin + int(query.get("limit", len(self.server.nodes)))
        more = {"continue": str(end)} if end < len(self.server.nodes) else {}
        items = self.server.nodes[begin:end]
        listing = {"kind": "NodeList", "apiVersion": "v1", "metadata": more, "items": items}
        return json.dumps(listing).encode()

    def forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        server = http.client.HTTPConnection("127.0.0.1", self.server.behind)
        server.request(self.command, self.path, body, {"Content-Type": "application/json"})
        answer = server.getresponse()
        self.answer(answer.status, answer.read())

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def cluster(kubeconfig: str, nodes: int) -> Iterator[str]:
    """The address of an API server with that many nodes."""
    proxy = subprocess.Popen(
        ["kubectl", "proxy", "--kubeconfig", kubeconfig, "--port", "0"],
        stdout=subprocess.PIPE, text=True,
    )
    try:
        said = proxy.stdout.readline() if proxy.stdout else ""
        port = re.search(r":(\d+)\s*$", said)
        if not port:
            raise CannotMeasure(f"kubectl proxy: {said!r}")
        with Server(int(port[1]), nodes) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_address[1]}"
            server.shutdown()
    finally:
        proxy.terminate()
        proxy.wait()
