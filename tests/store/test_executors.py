"""One map, wherever it runs: the same results, each once, and a clear word when something fails or is lost."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from core import executors
from core.errors import LotwiseError
from core.executors import ClusterUnreachable, DaskMissing, ShardFailed, open_executor, run_shards
from core.requests.lines import FileTornApart
from core.requests.shards import Shard, read_shard, shards_of
from tests.conftest import free_port

Lines = list[tuple[int, bytes]]


class Unwanted(LotwiseError):
    """This shard is not wanted. Leave it."""


def lines_of(shard: Shard) -> Lines:
    """The map of these tests: all that was read."""
    return [(number, line) for number, line in read_shard(shard) if isinstance(line, bytes)]


def failing(error: Exception | None, at: int, shard: Shard) -> Lines:
    """The map, which fails on one shard; without an error its process is killed there."""
    if shard.start == at:
        if error is None:
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            raise error
    return lines_of(shard)


def dying_once(mark: Path, at: int, shard: Shard) -> Lines:
    """The map, whose process is killed in the midst of one shard, the first time."""
    if shard.start == at and not mark.exists():
        mark.write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)
    return lines_of(shard)


@pytest.fixture
def shards(tmp_path: Path) -> list[Shard]:
    """Twenty shards of a file of a thousand lines, a plain one."""
    path = tmp_path / "requests.jsonl"
    path.write_bytes(b"".join(b'{"line":%d}\n' % number for number in range(1_000)))
    return shards_of([path], -(-path.stat().st_size // 20))


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    """Return real processes."""
    with open_executor("processes", work_bytes=0) as executor:
        yield executor


def here(shards: list[Shard]) -> list[tuple[Shard, Lines]]:
    """What every executor must give."""
    return [(shard, lines_of(shard)) for shard in shards]


@hypothesis_settings(max_examples=25)
@given(
    texts=st.lists(st.sampled_from([b"", b"{}", b'{"a":1}', b" " * 70]), max_size=60), shard_bytes=st.integers(9, 400)
)
def test_results_are_the_same_whatever_the_executor_and_the_sharding(
    pool: Executor, tmp_path_factory: pytest.TempPathFactory, texts: list[bytes], shard_bytes: int
) -> None:
    """In this process, in threads and in processes every line comes back once and in order, however it was cut."""
    path = tmp_path_factory.getbasetemp() / "texts.jsonl"
    path.write_bytes(b"\n".join(texts))
    shards = shards_of([path], shard_bytes)
    with open_executor("inline", work_bytes=0) as inline, ThreadPoolExecutor(3) as threads:
        for executor in (inline, threads, pool):
            found = list(run_shards(lines_of, shards, executor))

            assert found == here(shards)
            lines = [line for _, part in found for _, line in part]
            assert lines == list(path.read_bytes().splitlines(keepends=True))


@pytest.mark.parametrize(("where", "most"), [("inline", 1), ("threads", executors._AHEAD)])
def test_results_that_nobody_took_do_not_pile_up(where: str, most: int) -> None:
    """A thousand shards are handed out as results are taken, not all at once."""
    handed = 0

    def counted() -> Iterator[int]:
        nonlocal handed
        for number in range(1_000):
            handed += 1
            yield number

    with ExitStack() as stack:
        inline = where == "inline"
        executor = stack.enter_context(open_executor("inline", work_bytes=0) if inline else ThreadPoolExecutor(2))
        ahead = []
        for taken, (number, result) in enumerate(run_shards(abs, counted(), executor)):
            assert number == result == taken
            ahead.append(handed - taken)

    assert handed == 1_000
    assert max(ahead) <= most


@pytest.mark.parametrize("choice", ["inline", "processes"])
def test_a_shard_that_refuses_ends_the_run_in_its_own_words(choice: str, shards: list[Shard]) -> None:
    """What Lotwise says about a file comes through from another process with all its details."""
    refused = FileTornApart(file=shards[3].path, why="cut")
    with open_executor(choice, work_bytes=0) as executor, pytest.raises(FileTornApart) as met:
        list(run_shards(partial(failing, refused, shards[3].start), shards, executor))

    assert str(met.value) == str(refused)
    assert met.value.context == refused.context


@pytest.mark.parametrize("choice", ["inline", "processes"])
def test_a_shard_that_fails_is_named(choice: str, shards: list[Shard]) -> None:
    """File, bytes and reason are said; the results before it were right, and none comes after it."""
    found = []
    with open_executor(choice, work_bytes=0) as executor, pytest.raises(ShardFailed) as met:
        for pair in run_shards(partial(failing, KeyError("params"), shards[3].start), shards, executor):
            found.append(pair)  # noqa: PERF402 - what came before the error is wanted

    assert found == here(shards[:3])
    assert met.value.context == {"shard": shards[3], "why": "KeyError: 'params'"}
    assert f"requests.jsonl, bytes {shards[3].start} to {shards[3].stop}" in str(met.value)


def test_a_lost_process_of_the_pool_is_said_and_leaves_nothing_behind(shards: list[Shard]) -> None:
    """The operating system may kill a process for its memory: the run ends with a reason, not half counted."""
    before = set(multiprocessing.active_children())
    with open_executor("processes", work_bytes=0) as executor:
        with pytest.raises(ShardFailed, match="terminated abruptly"):
            list(run_shards(partial(failing, None, shards[5].start), shards, executor))
        with pytest.raises(ShardFailed, match="BrokenProcessPool"):
            list(run_shards(lines_of, shards, executor))

    assert set(multiprocessing.active_children()) == before


def test_what_is_left_early_is_dropped(shards: list[Shard], tmp_path: Path) -> None:
    """Whoever stops taking results does not wait for the rest."""
    before = set(multiprocessing.active_children())
    with open_executor("processes", work_bytes=0) as executor:
        results = run_shards(partial(marking, tmp_path), shards, executor)
        next(results)
        results.close()  # type: ignore[attr-defined]
        executor.submit(abs, 1).result()  # waits its turn behind what is not dropped

    assert set(multiprocessing.active_children()) == before
    assert 1 <= len(list(tmp_path.glob("begun-*"))) < len(shards)


def marking(folder: Path, shard: Shard) -> None:
    """Leave a trace of having begun, and take a while."""
    (folder / f"begun-{shard.start}").touch()
    time.sleep(0.05)


def test_every_error_of_lotwise_travels_between_processes() -> None:
    """Message and details arrive as they were sent."""
    for error in (Unwanted(file=Path("a"), why="no"), ShardFailed("another message", shard=Shard(path=Path("b")))):
        arrived = pickle.loads(pickle.dumps(error))

        assert type(arrived) is type(error)
        assert (str(arrived), arrived.context) == (str(error), error.context)


def test_auto_takes_processes_for_large_inputs_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes take a moment to start; on one core they only cost."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    with open_executor("auto", work_bytes=10_000_000) as small, open_executor("auto", work_bytes=10**10) as large:
        assert not isinstance(small, ProcessPoolExecutor)
        assert isinstance(large, ProcessPoolExecutor)
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    with open_executor("auto", work_bytes=10**10) as alone:
        assert not isinstance(alone, ProcessPoolExecutor)


# As under Streamlit: a main module that is a script without a guard, and threads that run.
SCRIPT = """
import os, sys, threading, time
sys.path.insert(0, sys.argv[1])
os.write(1, b"script\\n")
from core.executors import open_executor, run_shards
if __name__ == "__main__":
    def scan():
        with open_executor("processes", work_bytes=0) as executor:
            for pid, result in run_shards(abs, [-1, -2, -3], executor):
                os.write(1, b"result %d\\n" % result)
            for child in executor._processes:
                os.write(1, b"child %d\\n" % child)
            os.write(1, b"ready\\n")
            if len(sys.argv) > 2:
                time.sleep(60)
    thread = threading.Thread(target=scan)
    thread.start()
    thread.join()
"""


@contextmanager
def script(folder: Path, checkout: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run the script above in a Python of its own."""
    path = folder / "script.py"
    path.write_text(SCRIPT)
    command = [sys.executable, "-W", "error", str(path), str(checkout), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process


def test_processes_do_not_run_the_script_of_their_parent(tmp_path: Path, checkout: Path) -> None:
    """Under Streamlit that script is a page: its code has no business in a worker."""
    with script(tmp_path, checkout) as process:
        said, errors = process.communicate(timeout=60)

    assert (process.returncode, errors) == (0, "")
    assert [line for line in said.splitlines() if not line.startswith("child")] == [
        "script",
        *(f"result {number}" for number in (1, 2, 3)),
        "ready",
    ]


def test_processes_end_with_a_parent_that_is_killed(tmp_path: Path, checkout: Path) -> None:
    """No orphan stays behind, holding memory and files."""
    children = []
    with script(tmp_path, checkout, "stay") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("child"):
                children.append(int(line.split()[1]))
            if line == "ready\n":
                break
        assert children
        assert all(alive(child) for child in children)
        process.kill()
    deadline = time.monotonic() + 30
    while any(alive(child) for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)

    assert [child for child in children if alive(child)] == []


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that ended and was not yet collected does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


# What follows shares one cluster; the last one kills what is left of it.


def test_a_cluster_gives_what_one_process_gives_though_a_worker_is_killed(
    cluster: str, tmp_path: Path, shards: list[Shard]
) -> None:
    """The shards of a lost worker go to the other one; what it had done is neither lost nor counted twice."""
    mark = tmp_path / "killed"
    with open_executor(cluster, work_bytes=0) as executor:
        found = list(run_shards(partial(dying_once, mark, shards[9].start), shards, executor))

    assert found == here(shards)
    assert not alive(int(mark.read_text()))


def test_a_shard_that_fails_on_a_cluster_is_named(cluster: str, shards: list[Shard]) -> None:
    """Refusals and failures come through as from one process, and the cluster is fit for the next run."""
    at = shards[3].start
    with open_executor(cluster, work_bytes=0) as executor:
        with pytest.raises(Unwanted, match="Leave it") as refused:
            list(run_shards(partial(failing, Unwanted(why="no"), at), shards, executor))
        with pytest.raises(ShardFailed, match="KeyError: 'params'") as failed:
            list(run_shards(partial(failing, KeyError("params"), at), shards, executor))

        assert list(run_shards(lines_of, shards, executor)) == here(shards)

    assert refused.value.context == {"why": "no"}
    assert failed.value.context["shard"] == shards[3]


def test_a_file_that_has_changed_is_read_again(cluster: str, tmp_path: Path) -> None:
    """Dask knows equal calls and may answer from memory; the file may say something else by then."""
    shard = Shard(path=tmp_path / "changing.jsonl")
    shard.path.write_bytes(b"before\n")
    with open_executor(cluster, work_bytes=0) as executor:
        earlier = executor.submit(lines_of, shard)
        assert earlier.result() == [(1, b"before\n")]
        shard.path.write_bytes(b"after\n")

        assert list(run_shards(lines_of, [shard], executor)) == [(shard, [(1, b"after\n")])]


def test_a_cluster_without_workers_is_not_waited_for(
    cluster: str, shards: list[Shard], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask itself would wait for new ones for ever."""
    monkeypatch.setattr(executors, "_DESERTED_SECONDS", 2)
    with (
        open_executor(cluster, work_bytes=0) as executor,
        pytest.raises(ShardFailed, match="lost its scheduler, or has no workers"),
    ):
        list(run_shards(partial(failing, None, shards[3].start), shards, executor))


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed port is said within seconds."""
    pytest.importorskip("distributed", reason="Dask is not here: install requirements-dask.txt")
    monkeypatch.setattr(executors, "_REACH_SECONDS", 1)
    nobody = f"tcp://127.0.0.1:{free_port()}"

    with pytest.raises(ClusterUnreachable) as met, open_executor(nobody, work_bytes=0):
        pass

    assert met.value.context["scheduler"] == nobody
    assert nobody in met.value.context["why"]


def test_without_dask_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask is an extra: whoever names a scheduler without it is told, and nobody else needs it."""
    monkeypatch.setitem(sys.modules, "distributed", None)

    with (
        pytest.raises(DaskMissing, match=r"requirements-dask\.txt"),
        open_executor("tcp://127.0.0.1:8786", work_bytes=0),
    ):
        pass
