"""HTTP as any client speaks it."""

import http.client
from typing import NamedTuple


class Answer(NamedTuple):
    """What came back."""

    status: int
    content_type: str
    text: str


def get(address: str, path: str, **headers: str) -> Answer:
    """GET a path of "host:port"."""
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return Answer(response.status, response.headers.get("Content-Type", ""), response.read().decode())
    finally:
        connection.close()
