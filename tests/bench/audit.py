"""What one user asked of the API server, from its own audit log."""

import json
import os
import time

from measure import CannotMeasure

# The server writes its log through a buffer: what is asked last comes late.
FLUSHED_AFTER_SECONDS = 1.5


class Mark:
    """A place in the log from which to read on."""

    def __init__(self, path: str):
        self.path = path
        self.offset = os.path.getsize(path)

    def requests(self, user: str) -> list[dict]:
        """Completed requests of `user` since then, oldest first."""
        time.sleep(FLUSHED_AFTER_SECONDS)
        if os.path.getsize(self.path) < self.offset:
            raise CannotMeasure("the audit log was rotated while it was read")
        with open(self.path, encoding="utf-8") as log:
            log.seek(self.offset)
            lines = log.readlines()
        events = (json.loads(line) for line in lines if user in line and line.endswith("\n"))
        return [
            event for event in events
            if event["stage"] == "ResponseComplete" and event["user"]["username"] == user
        ]


def of_plugin(event: dict) -> bool:
    return event.get("userAgent", "").startswith("kubectl-prom_fix")


def is_discovery(event: dict) -> bool:
    """`/api`, `/apis`, `/apis/apps/v1`, `/openapi`, `/version`: what kubectl asks to learn which
    kinds there are."""
    path = event["requestURI"].split("?")[0].strip("/").split("/")
    if path[0] == "api":
        return len(path) <= 2
    return path[0] in ("openapi", "version") or (path[0] == "apis" and len(path) <= 3)


def line(event: dict) -> str:
    return f"{event['requestReceivedTimestamp'][14:23]} {event['verb']} {event['requestURI']}"
