"""What a server tells its observers, with everything that a test does not care about filled in."""

from collections.abc import Iterable

from prometheus_client.parser import text_string_to_metric_families

from numbatch.serving.observer import BatchReport, RequestReport

REQUEST = RequestReport(
    method="Infer",
    model="digits",
    version=1,
    request_id="r-1",
    rows=4,
    reason="",
    limit="",
    started=100.0,
    seconds=0.0025,
    queue_s=0.001,
    compute_s=0.0005,
    request_bytes=1000,
    response_bytes=200,
)
BATCH = BatchReport(model="digits", rows=12, queue_s=[0.0001, 0.001, 0.004], compute_s=0.0005, failed=False)


class NoCalls:
    """No call is in progress."""

    in_progress = open_streams = 0


Samples = dict[tuple[str, tuple[str, ...]], float]


def samples(text: str, names: Iterable[str] = ()) -> Samples:
    """All values of a scrape, by name and label values in the order of the labels' names; or those of some names."""
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not names or sample.name in names
    }
