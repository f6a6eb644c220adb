"""One map over shards, run in this process, in a pool of processes, or on a Dask cluster."""

import asyncio
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from multiprocessing import get_context, parent_process
from multiprocessing.context import SpawnContext, SpawnProcess
from types import ModuleType
from typing import Any, ClassVar, TypeVar

from core.errors import LotwiseError

# About where two processes overtake one, which parses 700 MB in a second: copies of this one are there in 0.02 s,
# fresh ones take 0.2 s to start.
_SMALL_BYTES, _SMALL_BYTES_AFRESH = 64_000_000, 500_000_000
# Shards handed out at once: enough to keep 32 cores busy, few enough that results nobody has taken yet stay few.
_AHEAD = 64
# How long a scheduler may take to answer.
_REACH_SECONDS = 5
# How long a cluster may be without a worker before it is given up: Dask's nannies need some seconds to start new ones.
_DESERTED_SECONDS = 15

S = TypeVar("S")
R = TypeVar("R")


class ShardFailed(LotwiseError):
    """This part of a file could not be scanned, so nothing of this run was counted. Solve the reason, then run it
    again; with LOTWISE_EXECUTOR=inline it runs in one process, which shows whether the machines are at fault."""


class ClusterUnreachable(LotwiseError):
    """The Dask scheduler does not answer. Start it, correct LOTWISE_EXECUTOR, or leave that out to use this machine."""


class DaskMissing(LotwiseError):
    """A Dask scheduler is named, but Dask is not installed here. Install requirements-dask.txt beside
    requirements.txt, or leave LOTWISE_EXECUTOR out to use this machine."""


def open_executor(choice: str, *, work_bytes: int) -> AbstractContextManager[Executor]:
    """Open what runs the shards of `work_bytes` of input; on leaving it, its processes or connections are gone.

    `choice`: `inline` (this process), `processes` (one a core), `auto` (whichever is faster for so much work), or
    the address of a Dask scheduler (`tcp://host:port`), whose workers need this project on their path and the files
    under the same names. Dask's nannies make workers give memory back at once (`MALLOC_TRIM_THRESHOLD_` in Dask's
    `distributed.nanny.pre-spawn-environ`), which costs time; 1 GB in place of its 64 KB makes them as fast as a pool.

    Raises `ClusterUnreachable` or `DaskMissing`.
    """
    match choice:
        case "auto":
            least = _SMALL_BYTES if _may_fork() else _SMALL_BYTES_AFRESH
            small = work_bytes < least or os.cpu_count() == 1
            return open_executor("inline" if small else "processes", work_bytes=work_bytes)
        case "inline":
            return nullcontext(_Inline())
        case "processes":
            return _pool()
        case address:
            return _cluster(address)


def run_shards(work: Callable[[S], R], shards: Iterable[S], executor: Executor) -> Iterator[tuple[S, R]]:
    """Yield each shard with its result, once and in the order of the shards, whatever the executor.

    `work`, shards and results travel between processes, so they must be picklable. Raises what is a `LotwiseError`
    as it is, and `ShardFailed` for everything else, a lost process included; shards not yet begun are then dropped.
    A cluster gives the shards of a lost worker to the others.
    """
    ahead: deque[tuple[S, Future[R]]] = deque()
    try:
        for shard in shards:
            ahead.append((shard, _submit(executor, work, shard)))
            if len(ahead) == _AHEAD or ahead[0][1].done():
                yield _take(*ahead.popleft())
        while ahead:
            yield _take(*ahead.popleft())
    finally:
        for _, future in ahead:
            future.cancel()


def _submit(executor: Executor, work: Callable[[S], R], shard: S) -> Future[R]:
    try:
        return executor.submit(work, shard)
    except Exception as error:
        raise ShardFailed(shard=shard, why=_words(error)) from error


def _take(shard: S, future: Future[R]) -> tuple[S, R]:
    try:
        return shard, future.result()
    except LotwiseError:
        raise
    except CancelledError as error:
        raise ShardFailed(shard=shard, why="the cluster lost its scheduler, or has no workers") from error
    except Exception as error:
        raise ShardFailed(shard=shard, why=_words(error)) from error


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")


class _Inline(Executor):
    """Runs what is submitted at once, in the thread that submits it."""

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        future: Future[R] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class _Worker(SpawnProcess):
    """A process that runs the work of shards and nothing else.

    Multiprocessing would first run the parent's main script in it, which under Streamlit is a page.
    """

    _starting = threading.Lock()

    def start(self) -> None:
        with self._starting:
            main, bare = sys.modules["__main__"], ModuleType("__main__")
            sys.modules["__main__"] = bare
            try:
                super().start()
            finally:
                if sys.modules["__main__"] is bare:
                    sys.modules["__main__"] = main


class _Workers(SpawnContext):
    """Processes started afresh, for a process with threads."""

    Process: ClassVar[type[SpawnProcess]] = _Worker


def _may_fork() -> bool:
    """Whether a copy of this process is sound: no other thread of ours may hold a lock that it would keep for ever."""
    return sys.platform == "linux" and threading.active_count() == 1


@contextmanager
def _pool() -> Iterator[Executor]:
    context = get_context("fork") if _may_fork() else _Workers()
    pool = ProcessPoolExecutor(mp_context=context, initializer=_follow_parent)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _follow_parent() -> None:
    """Leave Ctrl-C to the parent, and end when it has ended in whatever way."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := parent_process():
        parent.join()
        os._exit(1)


class _Remote(Executor):
    """Runs what is submitted on the workers of a Dask cluster.

    Every future ends. Those of Dask's own `get_executor` (2026.8) do not when an answer is lost while it is fetched.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        # Not pure: equal calls are not the same call, as a file may have changed since.
        asked = self._client.submit(fn, *args, pure=False, **kwargs)
        future: Future[R] = Future()
        future.add_done_callback(lambda done: asked.cancel() if done.cancelled() else None)
        self._client.loop.add_callback(self._settle, asked, future)
        return future

    async def _settle(self, asked: Any, future: Future[R]) -> None:
        error: Exception | None = None
        try:
            result = await self._client.gather(asked, asynchronous=True)
        except asyncio.CancelledError:
            error = CancelledError()
        except Exception as why:
            error = why
        if not future.set_running_or_notify_cancel():
            return
        if error:
            future.set_exception(error)
        else:
            future.set_result(result)


@contextmanager
def _cluster(address: str) -> Iterator[Executor]:
    try:
        from distributed import Client  # noqa: PLC0415 - optional, and slow to import
    except ImportError as error:
        raise DaskMissing(scheduler=address) from error
    try:
        client = Client(address, timeout=_REACH_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ClusterUnreachable(scheduler=address, why=str(error)) from error
    with client:
        over = threading.Event()
        watch = threading.Thread(target=_leave_when_deserted, args=(client, over), name="lotwise-cluster", daemon=True)
        watch.start()
        try:
            yield _Remote(client)
        finally:
            over.set()
            watch.join()


def _leave_when_deserted(client: Any, over: threading.Event) -> None:
    """Close the connection to a cluster that stays without workers: Dask itself would wait for ever."""
    seconds = 0
    while seconds < _DESERTED_SECONDS:
        if over.wait(1):
            return
        try:
            seconds = 0 if client.nthreads() else seconds + 1
        except OSError:
            return  # the scheduler is gone, and with it everything asked of it
    client.close()
