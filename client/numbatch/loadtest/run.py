"""A whole load test: prepare, run the steps or the search, judge."""

from collections.abc import Sequence
from datetime import UTC, datetime

from numbatch.client._security import Tls, Token
from numbatch.loadtest import results as measured
from numbatch.loadtest.bottleneck import may_be_the_generators
from numbatch.loadtest.environment import environment
from numbatch.loadtest.interruption import Interrupted
from numbatch.loadtest.loads import trial
from numbatch.loadtest.progress import OnProgress
from numbatch.loadtest.results import Results, ServerInfo, Step
from numbatch.loadtest.search import Search
from numbatch.loadtest.server_metrics import fetch
from numbatch.loadtest.session import Session, opened
from numbatch.loadtest.verdict import verdict
from numbatch.loadtest.workload import Workload

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
    Interrupted
        Somebody pressed Ctrl-C. It has the results until then.

    Examples
    --------
    >>> from numbatch.loadtest import Workload, run
    >>> results = run(Workload(model="digits", rates=[500, 1000], assertions=["p99<10ms"]))     # doctest: +SKIP
    >>> results.verdict                                                                         # doctest: +SKIP
    'ok'
    """
    started = datetime.now(UTC).astimezone().isoformat(timespec="seconds")
    with opened(
        workload,
        server=server,
        tls=tls,
        token=token,
        allow_plaintext_token=allow_plaintext_token,
        on_progress=on_progress,
    ) as session:
        steps: list[Step] = []
        search, search_bound, interrupted = None, "", ""
        try:
            if workload.find_max:
                search, search_bound = _find(session, steps)
            else:
                _run_all(session, steps)
        except KeyboardInterrupt:
            if session.interrupted or not steps:
                raise  # somebody really wants it to end
            interrupted = f"after {steps[-1].name}"
        if session.interrupted:
            where = "in"
            if not steps[-1].sent:
                where = "after"
                steps.pop()  # it was still warming up
            if not steps:
                raise KeyboardInterrupt
            interrupted = f"{where} {steps[-1].name}"
    assertions = [condition.judge(steps) for condition in workload.conditions]
    found, reason = verdict(steps, assertions, search, search_bound, interrupted)
    # Metrics that are not of the server that was asked say nothing of it.
    metrics_address = session.metrics_address if any(step.server_side for step in steps) else ""
    results = Results(
        started=started,
        command=list(command),
        settings=workload.settings(),
        environment=environment(),
        server=_server(session, metrics_address),
        repeats=workload.repeats,
        steps=steps,
        search=search,
        assertions=assertions,
        mismatches=session.mismatches,
        verdict=found,
        reason=reason,
    )
    if interrupted:
        raise Interrupted(results)
    return results


def _run_all(session: Session, steps: list[Step]) -> None:
    planned = session.planned()
    for number, load in enumerate(planned, 1):
        steps.append(session.run(load, number, len(planned)))
        if session.interrupted:
            return


def _find(session: Session, steps: list[Step]) -> tuple[measured.Search, str]:
    """Search; also return why the rate above the found one failed by the generator's fault, if so."""
    workload = session.workload
    state = Search(workload.start_rate, precision=workload.precision)
    trials: list[measured.Trial] = []
    bound: dict[float, str] = {}
    at_least = max(round(_BEYOND / goal.share_beyond) for goal in workload.goals)
    while (wanted := state.next()) is not None:
        rate, phase = wanted
        step = session.run(trial(workload, rate, min(at_least, int(rate * _LONGEST_TRIAL_S))), len(steps) + 1)
        steps.append(step)
        if session.interrupted:
            break
        values = [goal.value(step) for goal in workload.goals]
        # What held, held with the generator's delays in it.
        held = not step.unstable and all(goal.holds(value) for goal, value in zip(workload.goals, values, strict=True))
        doubtful = not held and may_be_the_generators(step, workload.goals)
        if doubtful:
            bound[rate] = step.generator.reason
        trials.append(measured.Trial(rate=rate, held=held, value=values[0], phase=phase))
        state = state.record(rate, held, doubtful=doubtful)
    objective = ", ".join(goal.text for goal in workload.goals)
    found = measured.Search(objective=objective, max_rate=state.max_rate, trials=trials)
    return found, bound.get(state.failed, "")


def _server(session: Session, metrics_address: str) -> ServerInfo:
    models = [part.model for part in session.prepared.parts]
    first = models[0]
    metrics = fetch(metrics_address) if metrics_address else None
    return ServerInfo(
        address=session.target.text,
        model=session.workload.model_text,
        version=first.version if len(models) == 1 else None,
        instruction_set=first.instruction_set,
        weights_precision=first.weights_precision,
        numbatch="" if metrics is None else metrics.label("numbatch_build_info", "version"),
    )
