"""Ray: processes of any number of machines."""

from __future__ import annotations

import math
import pickle
import platform
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from archpredict.backends import versions
from archpredict.errors import EvaluationError, MissingDependencyError, UsageError, described, whole_number
from archpredict.executors._sending import packed
from archpredict.executors.base import Done, Executor, given_up

__all__ = ["Ray"]

T = TypeVar("T")
R = TypeVar("R")

_NOTHING: Any = object()
_ANSWER_SECONDS = 5.0
"""How long the address of a cluster may take to accept a connection."""
_LOOK_SECONDS = 1.0
"""How often it is looked how much room the cluster has: machines join and leave."""
_OF_RAY = {"cpu": "CPU", "gpu": "GPU", "memory": "memory"}
"""What Ray calls the resources that every cluster may have; others are called as the cluster calls them."""


class Ray(Executor):
    """Runs a function in processes of a Ray cluster, as many at a time as it has room for.

    Moritz, Nishihara et al., "Ray: A Distributed Framework for Emerging AI Applications", OSDI 2018, arXiv 1712.05889.
    Machines may join and leave while it runs. Where a process or a machine dies, what it was at is run again, elsewhere
    if there is elsewhere; what was tried too often is given up, with the reasons. Python, Ray and archpredict are the
    same everywhere.

    Args:
        address: Of the cluster, ``host:port`` or ``ray://host:port``, or ``auto`` for one that runs on this machine. If
            left out, Ray is started here, with all cores, and ends with the work; a program that has connected to Ray
            itself keeps that connection.
        resources: What one call needs: ``cpu``, ``gpu`` (parts of one are fine), ``memory`` in bytes, or a resource
            that the machines of the cluster are said to have; ``{"cpu": 1}`` if left out.
        retries: How often a call may be tried again after the death of its process or machine.

    Raises:
        MissingDependencyError: Ray is not installed.
        UsageError: A resource that is no number above 0, or retries below 0.

    Example:
        >>> Ray(resources={"cpu": 2, "gpu": 0.5}).resources  # doctest: +SKIP
        {'cpu': 2.0, 'gpu': 0.5}
    """

    name = "ray"

    def __init__(
        self, *, address: str | None = None, resources: Mapping[str, float] | None = None, retries: int = 3
    ) -> None:
        self.address = address
        self.resources = _checked({"cpu": 1.0} if resources is None else resources)
        self.retries = whole_number("retries, the further attempts after a death,", retries, 0)
        _ray()

    def each(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[Done[T, R]]:
        payload = packed(function)
        is_ours = self._connect()
        try:
            yield from self._run(payload, iter(items))
        finally:
            if is_ours:
                _ray().shutdown()

    # ------------------------------------------------------------------ the cluster

    def _connect(self) -> bool:
        """Connect; returns whether it has to be undone."""
        ray = _ray()
        if ray.is_initialized():
            return False
        if self.address is not None and self.address != "auto":
            _check_answers(self.address)
        try:
            ray.init(address=self.address, log_to_driver=False, logging_level="ERROR", include_dashboard=False)
        except Exception as error:
            where = "a cluster on this machine" if self.address == "auto" else f"Ray at {self.address}"
            what = "Ray cannot be started here" if self.address is None else f"{where} cannot be joined"
            raise EvaluationError(
                f"{what}: {described(error)}; see that it runs, with the same versions of Python and Ray, and that the "
                "address is right"
            ) from error
        return True

    def _slots(self) -> int:
        """How many calls the machines have room for that are there now."""
        return sum(self._fitting(node) for node in _machines())

    def _fitting(self, node: Mapping[str, float]) -> int:
        return math.floor(min(node.get(name, 0.0) / needed for name, needed in self._needed().items()) + 1e-9)

    def _needed(self) -> dict[str, float]:
        return {_OF_RAY.get(name, name): value for name, value in self.resources.items()}

    def _check_fits(self) -> None:
        machines = _machines()
        if any(self._fitting(node) for node in machines):
            return
        asked = ", ".join(f"{name} {value:g}" for name, value in self.resources.items())
        most = {n: max((node.get(_OF_RAY.get(n, n), 0.0) for node in machines), default=0.0) for n in self.resources}
        has = ", ".join(f"{name} {value:g}" for name, value in most.items())
        raise EvaluationError(
            f"no machine of the cluster can give what one evaluation needs ({asked}): the most that one of them has is "
            f"{has}; ask for less, or let such a machine join"
        )

    # ------------------------------------------------------------------ calls

    def _run(self, payload: Any, items: Iterator[T]) -> Iterator[Done[T, Any]]:
        ray = _ray()
        self._check_fits()
        call = ray.remote(_call).options(max_retries=0, scheduling_strategy="SPREAD", **self._options())
        sent = (_VERSIONS, uuid.uuid4().hex, ray.put(payload))
        running = dict[Any, _Call[T]]()
        room = _Room(self._slots)
        try:
            while True:
                while len(running) < room.slots and (item := next(items, _NOTHING)) is not _NOTHING:
                    running[call.remote(*sent, packed(item))] = _Call(item)
                if not running:
                    return
                found, failure = list[Done[T, Any] | _Call[T]](), None
                for reference in _ready(running):
                    try:
                        found.append(self._ended(running, reference))
                    except Exception as error:  # of the function: what others have given comes first
                        failure = error
                for again in (ended for ended in found if not isinstance(ended, Done)):
                    running[call.remote(*sent, packed(again.item))] = again
                known = [ended for ended in found if isinstance(ended, Done)]
                yield from (replace(done, is_followed=True) for done in known[:-1])
                yield from known[-1:]
                if failure is not None:
                    raise failure
        finally:
            for reference in running:
                with suppress(Exception):  # it may have ended, and so may the cluster
                    ray.cancel(reference, force=True)

    def _ended(self, running: dict[Any, _Call[T]], reference: Any) -> Done[T, Any] | _Call[T]:
        """What became of a call that has ended, or the call that has to be made again."""
        ray, ended = _ray(), running.pop(reference)
        try:
            return Done(ended.item, ray.get(reference), None, ended.reasons)
        except ray.exceptions.RayTaskError as error:  # what the function raised
            raise _cause(error) from error
        except ray.exceptions.RayError as error:
            why = _sentence(error)
        if len(ended.reasons) < self.retries:
            return _Call(ended.item, (*ended.reasons, why))
        return Done(ended.item, None, given_up(why, len(ended.reasons) + 1), ended.reasons)

    def _options(self) -> dict[str, Any]:
        needed = self._needed()
        known = {"num_cpus": needed.pop("CPU", 0), "num_gpus": needed.pop("GPU", 0)}
        return {**known, **({"memory": needed.pop("memory")} if "memory" in needed else {}), "resources": needed}


@dataclass(frozen=True)
class _Call(Generic[T]):
    item: T
    reasons: tuple[str, ...] = ()


class _Room:
    """How much room there is, looked at from time to time."""

    def __init__(self, look: Callable[[], int]) -> None:
        self._look = look
        self._at, self._slots = -math.inf, 0

    @property
    def slots(self) -> int:
        if time.monotonic() >= self._at + _LOOK_SECONDS:
            self._at, self._slots = time.monotonic(), self._look()
        return self._slots


_VERSIONS = {"Python": platform.python_version(), "archpredict": str(versions("archpredict")["archpredict"])}


_MADE: dict[str, Any] = {}
"""In a process of the cluster: the function that it was last called with, which may hold the weights of a supernet."""


def _call(wanted: Mapping[str, str], name: str, function: bytes, item: bytes) -> Any:
    """Runs in a process of the cluster."""
    for what, version in wanted.items():
        if _VERSIONS[what] != version:
            raise EvaluationError(
                f"a machine of the cluster ({socket.gethostname()}) has {what} {_VERSIONS[what]}, this one "
                f"has {version}; install the same everywhere"
            )
    try:
        if name not in _MADE:
            _MADE.clear()
            _MADE[name] = pickle.loads(function)
        given = pickle.loads(item)
    except Exception as error:
        raise EvaluationError(
            f"a machine of the cluster ({socket.gethostname()}) cannot make the evaluator: {described(error)}; install "
            "there what is installed here"
        ) from error
    return _MADE[name](given)


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise MissingDependencyError(
            "Ray is not installed; install it with `pip install 'archpredict[ray]'`"
        ) from error
    return ray


def _checked(resources: Mapping[str, float]) -> dict[str, float]:
    if not isinstance(resources, Mapping) or not resources:
        raise UsageError(f"resources maps names to numbers, e.g. {{'cpu': 2, 'gpu': 0.5}}; {resources!r} was given")
    for name, value in resources.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise UsageError(f"the resource {name!r} of one evaluation is a number above 0; {value!r} was given")
    return {name: float(value) for name, value in resources.items()}


def _check_answers(address: str) -> None:
    """That somebody listens there: Ray itself would try for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        raise UsageError(f"the address of a Ray cluster is host:port, ray://host:port or auto; {address!r} was given")
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise EvaluationError(
            f"nobody answers at the Ray address {address} ({error}); start Ray there, or correct the address; "
            "without one, Ray is started on this machine"
        ) from error


def _cause(error: Any) -> Exception:
    """What the function raised, without where Ray says that it was."""
    cause: Exception = error.cause if isinstance(error.cause, Exception) else error
    return cause


def _sentence(error: Exception) -> str:
    """Why a call died, in one line."""
    kinds = {
        "WorkerCrashedError": "its process died",
        "NodeDiedError": "its machine died",
        "OutOfMemoryError": "its machine ran out of memory",
    }
    first = str(error).strip().split("\n", 1)[0]
    return kinds.get(type(error).__name__, f"{type(error).__name__}: {first}")


def _ready(running: Iterable[Any]) -> list[Any]:
    """Calls that have ended: one at least, unless none does for a while, and all that have by then."""
    calls = list(running)
    first, others = _ray().wait(calls, num_returns=1, timeout=_LOOK_SECONDS)
    more = _ray().wait(others, num_returns=len(others), timeout=0)[0] if first and others else []
    return [*first, *more]


def _machines() -> list[dict[str, float]]:
    return [node["Resources"] for node in _ray().nodes() if node["Alive"]]
