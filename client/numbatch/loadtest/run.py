"""A whole load test: prepare, run the steps or the search, judge."""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import grpc
import numpy as np

from numbatch.client._address import Target
from numbatch.client._security import Security, Tls, Token
from numbatch.loadtest import results
from numbatch.loadtest.bottleneck import may_be_the_generators
from numbatch.loadtest.channel import blocking_call, open_channel
from numbatch.loadtest.environment import environment
from numbatch.loadtest.errors import WorkloadError
from numbatch.loadtest.loads import loads, trial
from numbatch.loadtest.orders import Connection
from numbatch.loadtest.preparation import Prepared, prepare
from numbatch.loadtest.processes import GeneratorProcesses
from numbatch.loadtest.progress import OnProgress
from numbatch.loadtest.results import Results, ServerInfo, Step
from numbatch.loadtest.runner import Runner
from numbatch.loadtest.search import Search
from numbatch.loadtest.server_metrics import fetch
from numbatch.loadtest.verdict import verdict
from numbatch.loadtest.workload import Workload

_METRICS_PORT = 8002
# So many requests must lie beyond a percentile for it to mean something.
_BEYOND = 10
_LONGEST_TRIAL_S = 120.0


def run(
    workload: Workload,
    *,
    server: str | Sequence[str] | None = None,
    tls: bool | Tls | None = None,
    token: Token | None = None,
    allow_plaintext_token: bool = False,
    on_progress: OnProgress = lambda _: None,
    command: Sequence[str] = (),
) -> Results:
    """Put load on a server, and return what was found.

    The load comes from processes of their own, which are new interpreters: a script that calls this needs no
    ``if __name__ == "__main__"``.

    Parameters
    ----------
    workload : Workload
        What is sent.
    server, tls, token, allow_plaintext_token
        As for `numbatch.client.Client`. A callable token is asked once.
    on_progress : callable
        Is told several times a second how it goes.
    command : sequence of str
        The command line, for the report.

    Returns
    -------
    Results
        Whatever the verdict is.

    Raises
    ------
    WorkloadError
        The data do not fit the model, or a schedule is none.
    GeneratorError
        A generator process ended.
    NumbatchError
        The server cannot be reached, or has no such model.

    Examples
    --------
    >>> from numbatch.loadtest import Workload, run
    >>> results = run(Workload(model="digits", rates=[500, 1000], assertions=["p99<10ms"]))     # doctest: +SKIP
    >>> results.verdict                                                                         # doctest: +SKIP
    'ok'
    """
    started = datetime.now(UTC).astimezone().isoformat(timespec="seconds")
    target = Target.of(server)
    security = Security.checked(target, tls, token, allow_plaintext_token=allow_plaintext_token)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="numbatch-loadtest-")))
        # Before this process has threads of gRPC's.
        processes = stack.enter_context(GeneratorProcesses(workload.number_of_processes))
        channel = stack.enter_context(closing(open_channel(grpc, target, security)))
        call = blocking_call(channel, target, security, workload.timeout_s)
        prepared = prepare(workload, call, folder)
        schedule = _schedule(workload, folder)
        processes.connect(
            Connection(
                server=target.text,
                protocol=workload.protocol,
                library=str(folder),
                connections=workload.connections,
                tls=_contents(tls),
                token=token() if callable(token) else token,
            )
        )
        metrics_address = _metrics_address(workload, target)
        runner = Runner(workload, prepared, processes, metrics_address, schedule, on_progress)
        if workload.find_max:
            steps, search, search_bound = _find(workload, runner)
        else:
            planned = loads(workload, prepared.messages)
            steps = [runner.run(load, i, len(planned)) for i, load in enumerate(planned, 1)]
            search, search_bound = None, ""
    assertions = [condition.judge(steps) for condition in workload.conditions]
    found, reason = verdict(steps, assertions, search, search_bound)
    return Results(
        started=started,
        command=list(command),
        settings=workload.settings(),
        environment=environment(),
        # Metrics that are not of the server that was asked say nothing of it.
        server=_server(workload, target, prepared, metrics_address if any(step.server_side for step in steps) else ""),
        repeats=workload.repeats,
        steps=steps,
        search=search,
        assertions=assertions,
        mismatches=runner.mismatches,
        verdict=found,
        reason=reason,
    )


def _find(workload: Workload, runner: Runner) -> tuple[list[Step], results.Search, str]:
    """Search; also return why the rate above the found one failed by the generator's fault, if so."""
    state = Search(workload.start_rate, precision=workload.precision)
    steps: list[Step] = []
    trials: list[results.Trial] = []
    bound: dict[float, str] = {}
    at_least = max(round(_BEYOND / goal.share_beyond) for goal in workload.goals)
    while (wanted := state.next()) is not None:
        rate, phase = wanted
        step = runner.run(trial(workload, rate, min(at_least, int(rate * _LONGEST_TRIAL_S))), len(steps) + 1, None)
        steps.append(step)
        values = [goal.value(step) for goal in workload.goals]
        # What held, held with the generator's delays in it.
        held = not step.unstable and all(goal.holds(value) for goal, value in zip(workload.goals, values, strict=True))
        doubtful = not held and may_be_the_generators(step, workload.goals)
        if doubtful:
            bound[rate] = step.generator.reason
        trials.append(results.Trial(rate=rate, held=held, value=values[0], phase=phase))
        state = state.record(rate, held, doubtful=doubtful)
    objective = ", ".join(goal.text for goal in workload.goals)
    return (
        steps,
        results.Search(objective=objective, max_rate=state.max_rate, trials=trials),
        bound.get(state.failed, ""),
    )


def _schedule(workload: Workload, folder: Path) -> Path | None:
    given = workload.schedule
    if given is None:
        return None
    try:
        if not isinstance(given, (str, Path)):
            times = np.asarray(given, np.float64)
        elif Path(given).suffix == ".npy":
            times = np.load(given, allow_pickle=False)
        else:
            times = np.loadtxt(given, np.float64, ndmin=1)
    except ValueError as wrong:
        raise WorkloadError(f"schedule: expected times in seconds, one on each line: {wrong}") from wrong
    if times.ndim != 1 or not len(times) or not np.isfinite(times).all():
        raise WorkloadError("schedule: expected times in seconds, one after the other")
    path = folder / "schedule.npy"
    np.save(path, times.astype(np.float64))
    return path


def _metrics_address(workload: Workload, target: Target) -> str:
    if workload.metrics is not None:
        return workload.metrics
    if target.is_balanced or target.text.startswith("unix:"):
        return ""
    return f"{target.text.rpartition(':')[0]}:{_METRICS_PORT}"


def _server(workload: Workload, target: Target, prepared: Prepared, metrics_address: str) -> ServerInfo:
    models = [part.model for part in prepared.parts]
    first = models[0]
    metrics = fetch(metrics_address) if metrics_address else None
    return ServerInfo(
        address=target.text,
        model=workload.model_text,
        version=first.version if len(models) == 1 else None,
        instruction_set=first.instruction_set,
        weights_precision=first.weights_precision,
        numbatch="" if metrics is None else metrics.label("numbatch_build_info", "version"),
    )


def _contents(tls: bool | Tls | None) -> dict[str, str | None] | bool | None:
    if not isinstance(tls, Tls):
        return tls
    read = {name: getattr(tls, name) for name in ("root_certificates", "certificate", "private_key")}
    pem = {name: _text(given) for name, given in read.items()}
    return {**pem, "target_name_override": tls.target_name_override}


def _text(pem: object) -> str | None:
    if pem is None:
        return None
    return pem.decode() if isinstance(pem, bytes) else Path(str(pem)).read_text(encoding="utf-8")
