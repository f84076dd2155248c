"""Metrics as text, of one process and of several that share what they count."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from numbatch.serving.observability.exposition import Exposition
from numbatch.serving.observability.metrics import Metrics
from support.reports import samples

# A worker that has answered as many requests as it is told. It says what it would answer to a scrape; or, if it is told
# that it is not asked, nothing, after a second's beat.
WORKER = """
import asyncio, json, sys
from numbatch.batching.queue import ModelStatistics, QueueStatistics
from numbatch.repository.snapshot import Snapshot
from numbatch.serving.config import ServerConfig
from numbatch.serving.observability.levels import Sources
from numbatch.serving.observability.service import Observability
from support.reports import BATCH, REQUEST

class Calls:
    in_progress = open_streams = 1

async def main():
    sources = Sources(
        snapshot=Snapshot,
        ready=lambda: True,
        calls=Calls(),
        queues=lambda: QueueStatistics({"digits": ModelStatistics(1, 10, 100, 2)}, 100),
        compilations=lambda: 3,
    )
    worker = Observability(ServerConfig(), sources)
    for _ in range(int(sys.argv[1])):
        worker.on_request(REQUEST)
        worker.on_batch(BATCH)
    if sys.argv[2] == "asked":
        text, _ = await worker.scrape("")
        print(json.dumps(text.decode()), flush=True)
    else:
        worker.beat(0.0, asyncio.get_running_loop().time() + 1)
        print('""', flush=True)
    sys.stdin.read()

asyncio.run(main())
"""


def start_worker(folder: Path, requests: int, *, asked: bool = True) -> "subprocess.Popen[str]":
    environment = {
        **os.environ,
        "PROMETHEUS_MULTIPROC_DIR": str(folder),
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    command = [sys.executable, "-c", WORKER, str(requests), "asked" if asked else "not asked"]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def first_line(worker: "subprocess.Popen[str]") -> str:
    assert worker.stdout is not None
    return str(json.loads(worker.stdout.readline()))


def test_a_worker_answers_for_all_and_what_a_dead_one_has_counted_stays(tmp_path: Path) -> None:
    with start_worker(tmp_path, 3, asked=False) as first:
        try:
            assert first_line(first) == ""
            with start_worker(tmp_path, 5) as second:
                both = samples(first_line(second))
                second.communicate()
            unknown = "(unknown)"
            assert both["numbatch_requests_total", ("Infer", unknown, "OK", unknown)] == 8
            assert both["numbatch_request_duration_seconds_count", (unknown, unknown)] == 8
            assert both["numbatch_queue_duration_seconds_sum", (unknown, unknown)] == pytest.approx(0.008)
            assert both["numbatch_batch_rows_sum", (unknown,)] == 8 * 12
            assert both["numbatch_queued_rows", ("digits",)] == 20
            assert both["numbatch_open_streams", ()] == 2
            assert both["numbatch_kernel_compilations_total", ()] == 6
            assert both["numbatch_ready", ()] == 1
            memory = {labels for name, labels in both if name == "process_resident_memory_bytes"}
            assert memory == {(str(first.pid),), (str(second.pid),)}

            # As the supervisor does when a worker has ended.
            mark = "import sys; from prometheus_client.multiprocess import mark_process_dead as m; m(*sys.argv[1:])"
            subprocess.run([sys.executable, "-c", mark, str(second.pid), str(tmp_path)], check=True)
            with start_worker(tmp_path, 0) as third:
                after = samples(first_line(third))
                third.communicate()
            assert after["numbatch_requests_total", ("Infer", unknown, "OK", unknown)] == 8
            assert after["numbatch_queued_rows", ("digits",)] == 20  # of the first and the third
            memory = {labels for name, labels in after if name == "process_resident_memory_bytes"}
            assert memory == {(str(first.pid),), (str(third.pid),)}
        finally:
            first.send_signal(signal.SIGKILL)


def test_when_a_series_began_is_left_out() -> None:
    registry = CollectorRegistry()
    Metrics(registry).loads.labels("digits", "OK").inc()
    for accept in ("", "application/openmetrics-text;version=1.0.0"):
        text, _ = Exposition(registry, None).render(accept)
        assert b'numbatch_model_loads_total{model="digits",reason="OK"} 1.0\n' in text
        assert b"_created" not in text
