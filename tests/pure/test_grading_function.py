"""A user's function as grader: in a process of its own, whatever it does."""

import gc
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.grading import BadGrader, Grade, Grader, make_grader, python_graders
from core.grading import function_process as processes

SOURCE = """
import os, sys, threading, time
import neighbour

def grade(answer, gold=None):
    print("what it prints is nobody's reply")
    return answer == gold

def misbehave(answer):
    if answer == "endless":
        while True:
            pass
    if answer == "raises":
        raise ValueError(f"the secret answer is {answer}")
    if answer == "exits":
        sys.exit(3)
    if answer == "dies":
        os.kill(os.getpid(), 9)
    if answer == "greedy":
        return bytearray(5 << 30)
    if answer == "writes":
        os.write(1, b"not a reply\\n")
        return True
    if answer == "lingers":
        threading.Thread(target=time.sleep, args=(60,)).start()
        return True
    if answer == "key":
        return "ANTHROPIC_API_KEY" not in os.environ
    return {"list": [], "text": "yes", "none": None, "nan": float("nan"), "over": 1.5, "half": 0.5, "low": 0}[answer]

def strict(answer, *, gold, reference):
    return answer == gold == reference

def pid(answer):
    return os.getpid() / (1 << 32)

def unfit(text): ...
def unfit_too(answer, extra): ...
async def unfit_as_well(answer): ...
"""

ASKER = """
import sys
from pathlib import Path
from core.grading.function_process import FunctionProcess
process = FunctionProcess(Path(sys.argv[1]), "grade")
print(process._process.pid, flush=True)
process.ask({"answer": "a"}, 60)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace's folder with a file of graders."""
    graders = tmp_path / "graders"
    graders.mkdir()
    (graders / "mine.py").write_text(SOURCE)
    (graders / "neighbour.py").write_text("")
    return tmp_path


@pytest.fixture
def misbehaving(folder: Path) -> Grader:
    """The function that can do everything wrong, met with little patience."""
    return make_grader({"kind": "python", "function": "mine.py:misbehave", "seconds": 1}, folder)


def test_a_function_grades(folder: Path) -> None:
    """By yes or no; it takes what it names, may print, and may import its neighbours."""
    grader = make_grader({"kind": "python", "function": "mine.py:grade"}, folder)

    assert grader.grade("a", gold="a", reference="b") == Grade(correct=True)
    assert grader.grade("\ud800\n", gold="a").correct is False
    assert grader.needs == frozenset()


def test_a_function_needs_what_it_has_no_default_for(folder: Path) -> None:
    """Where that is missing it is not even asked."""
    grader = make_grader({"kind": "python", "function": "mine.py:strict"}, folder)

    assert grader.needs == {"gold", "reference"}
    assert grader.grade("a", gold="a", reference="a").correct is True
    assert grader.grade("a", gold="a") == Grade(correct=None, note="There is no reference for this item.")


@pytest.mark.parametrize(
    ("answer", "correct", "note"),
    [
        ("raises", None, "The function failed: ValueError in line 14."),
        ("unforeseen", None, "The function failed: KeyError in line"),
        ("greedy", None, "The function failed: MemoryError"),
        ("list", None, "a value of the type list"),
        ("text", None, "a value of the type str"),
        ("nan", None, "not between 0 and 1"),
        ("over", None, "not between 0 and 1"),
        ("half", True, ""),
        ("low", False, "The function says no."),
        ("writes", True, ""),
    ],
)
def test_whatever_a_function_returns_is_a_grade(
    misbehaving: Grader, answer: str, correct: bool | None, note: str
) -> None:
    """What it cannot say is lost, with a note that quotes no answer; what it says is taken."""
    grade = misbehaving.grade(answer)

    assert grade.correct is correct
    assert grade.lost is (correct is None)
    assert note in grade.note
    assert "secret" not in grade.note


def test_none_is_no_label(misbehaving: Grader) -> None:
    """The function's own word that this answer is not to be graded."""
    assert misbehaving.grade("none") == Grade(correct=None, note="The function gave no label.")


def test_a_function_has_no_key_to_spend_with(misbehaving: Grader, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it sent would be in no budget."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key")

    assert misbehaving.grade("key").correct is True


@pytest.mark.parametrize(
    ("answer", "note"),
    [("endless", "took longer than 1 s"), ("exits", "ended its process"), ("dies", "ended its process")],
)
def test_a_function_that_ends_its_process_is_started_again(misbehaving: Grader, answer: str, note: str) -> None:
    """One bad answer costs a label, not those after it."""
    assert note in misbehaving.grade(answer).note
    assert misbehaving.grade("half").correct is True


def test_a_function_that_ends_its_process_again_and_again_is_given_up(misbehaving: Grader) -> None:
    """Or a round of a trial would take its number of answers times the limit."""
    for _ in range(3):
        assert misbehaving.grade("exits").lost

    grade = misbehaving.grade("half")
    assert grade.lost
    assert "given up" in grade.note


@pytest.mark.parametrize(
    ("source", "note"),
    [
        ("import missing_package\ndef grade(answer): ...", "could not be loaded: ModuleNotFoundError in line 1."),
        ("import sys\nsys.exit()\ndef grade(answer): ...", "The function ended its process."),
    ],
)
def test_a_file_that_does_not_load_loses_every_answer(folder: Path, source: str, note: str) -> None:
    """With the reason."""
    (folder / "graders" / "broken.py").write_text(source)
    grader = make_grader({"kind": "python", "function": "broken.py:grade"}, folder)

    assert note in grader.grade("a").note
    assert grader.grade("b").lost


def test_a_file_that_loads_for_ever_is_tried_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once for every answer."""
    monkeypatch.setattr(processes, "_LOADING_SECONDS", 0.5)
    (folder / "graders" / "broken.py").write_text("while True: pass\ndef grade(answer): ...")
    grader = make_grader({"kind": "python", "function": "broken.py:grade"}, folder)

    assert "took longer than 0.5 s to load" in grader.grade("a").note
    assert "given up" in grader.grade("b").note


def test_the_process_ends_with_its_grader(folder: Path) -> None:
    """No process is left behind, and nobody has to remember it."""
    grader = make_grader({"kind": "python", "function": "mine.py:misbehave"}, folder)
    grader.grade("half")
    process = grader._process._process  # type: ignore[attr-defined]
    assert process.poll() is None

    del grader
    gc.collect()

    assert process.poll() == 0


@pytest.mark.parametrize("answer", ["half", "lingers"])
def test_a_process_that_ends_or_will_not_end_by_itself_is_no_trouble(misbehaving: Grader, answer: str) -> None:
    """What killed it between two answers costs one label; what it left running ends with it."""
    misbehaving.grade(answer)
    process = misbehaving._process._process  # type: ignore[attr-defined]
    if answer == "half":
        process.kill()
        process.wait()
        assert "ended its process" in misbehaving.grade("half").note
        assert misbehaving.grade("half").correct is True
    else:
        misbehaving._process.end()  # type: ignore[attr-defined]
        assert process.poll() == -9


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the process in /proc")
def test_an_endless_function_does_not_outlive_whoever_asked(checkout: Path, tmp_path: Path) -> None:
    """A killed application leaves no process that burns a core for ever."""
    file = tmp_path / "endless.py"
    file.write_text("def grade(answer):\n    while True: pass\n")
    with subprocess.Popen([sys.executable, "-c", ASKER, file], cwd=checkout, stdout=subprocess.PIPE) as asker:
        assert asker.stdout
        pid = int(asker.stdout.readline())
        assert _runs(pid)
        asker.kill()

    while _runs(pid):
        time.sleep(0.1)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_trial_is_graded_by_one_and_the_same_file(folder: Path) -> None:
    """Labels of two functions are no labels of one trial."""
    spec = make_grader({"kind": "python", "function": "mine.py:grade"}, folder).spec
    assert make_grader(spec, folder).spec == spec

    (folder / "graders" / "mine.py").write_text(SOURCE + "\n# mended")

    with pytest.raises(BadGrader, match="grader") as refused:
        make_grader(spec, folder)
    assert "another than when the trial began" in str(refused.value)


@pytest.mark.parametrize(
    ("function", "why"),
    [
        ("../outside.py:grade", "named like mine.py:grade"),
        ("/etc/hosts.py:grade", "named like mine.py:grade"),
        ("linked.py:grade", "named like mine.py:grade"),
        ("mine.py", "named like mine.py:grade"),
        ("mine.txt:grade", "named like mine.py:grade"),
        ("mine.py:no name", "named like mine.py:grade"),
        ("none.py:grade", "No such file"),
        ("mine.py:missing", "its file has no function missing"),
        ("mine.py:unfit", "must be called as"),
        ("mine.py:unfit_too", "must be called as"),
        ("mine.py:unfit_as_well", "has no function"),
        ("torn.py:grade", "line: 1, why: it is no Python"),
    ],
)
def test_only_a_fitting_function_of_the_workspace_is_run(folder: Path, function: str, why: str) -> None:
    """Whoever may open the dashboard cannot have another file of the machine run."""
    (folder / "outside.py").write_text(SOURCE)
    (folder / "graders" / "linked.py").symlink_to(folder / "outside.py")
    (folder / "graders" / "torn.py").write_text("def grade(answer:")

    with pytest.raises(BadGrader) as refused:
        make_grader({"kind": "python", "function": function}, folder)

    assert why in str(refused.value)


@pytest.mark.parametrize("option", [{"seconds": 0}, {"seconds": 601}, {"least": -0.1}, {"least": 2}])
def test_limits_of_a_function_are_sensible(folder: Path, option: dict[str, float]) -> None:
    """A limit that is none would leave an endless function to run."""
    with pytest.raises(BadGrader):
        make_grader({"kind": "python", "function": "mine.py:grade", **option}, folder)


def test_the_page_lists_what_can_grade(folder: Path) -> None:
    """Fitting functions of files that are Python and lie in the folder; nothing is run for it."""
    (folder / "outside.py").write_text(SOURCE)
    (folder / "graders" / "linked.py").symlink_to(folder / "outside.py")
    (folder / "graders" / "torn.py").write_text("def grade(answer:")
    (folder / "graders" / "z.py").write_text("raise SystemExit\ndef judge(answer, **more): ...")

    names = [f"mine.py:{name}" for name in ("grade", "misbehave", "strict", "pid")]
    assert python_graders(folder) == (*names, "z.py:judge")
    assert python_graders(folder / "elsewhere") == ()
