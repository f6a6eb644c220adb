"""`certify`: a verdict on a file of outcomes, or a sentence that says why there is none."""

from pathlib import Path

import polars as pl
import pytest

from core.commands.command_line import main
from tests.cli.conftest import Call, Run

ALWAYS_RIGHT = [f"{number},1,1" for number in range(1, 61)]


@pytest.fixture
def outcomes(tmp_path: Path) -> Path:
    """Return a file of sixty right answers, last label first."""
    return written(tmp_path, *reversed(ALWAYS_RIGHT))


def written(folder: Path, *rows: str, header: str = "order,correct,reference") -> Path:
    """A CSV file of these rows."""
    path = folder / "outcomes.csv"
    path.write_text("\n".join((header, *rows)) + "\n")
    return path


def test_a_model_that_clears_is_certified(outcomes: Path, run: Run, workspace_dir: Path) -> None:
    """In a process of its own, as a pipeline calls it: one JSON document, exit 0, and no workspace is made."""
    done = run("certify", outcomes, "--bar", 0.9, "--json")

    assert (done.returncode, done.stderr) == (0, "")
    assert '"verdict": "clears"' in done.stdout
    assert list(workspace_dir.iterdir()) == []


def test_the_verdict_has_every_figure_it_rests_on(outcomes: Path, call: Call) -> None:
    """43 right answers in a row prove a share of over 90 %; what comes later is not looked at."""
    told = call("certify", outcomes, "--bar", 0.9)

    assert (told["verdict"], told["more_labels"], told["outcomes"]) == ("clears", None, 60)
    assert told["labels"] == 43
    assert 0.9 <= told["lower"] < told["estimate"] == told["upper"] == told["correct_rate"] == 1.0
    assert (told["bar"], told["margin"], told["error"]) == (0.9, None, 0.05)
    assert call("certify", outcomes, "--bar", 0.9, "--error", 0.01)["labels"] > told["labels"]


def test_a_model_that_fails_or_is_undecided_is_an_answer_too(tmp_path: Path, call: Call) -> None:
    """Exit 0 with `fails`, or with `not_yet` and about how many labels more."""
    rows = written(tmp_path, *(f"{number},{number % 2}" for number in range(40)), header="order,correct")
    failed = call("certify", rows, "--bar", 0.9)
    assert (failed["verdict"], failed["more_labels"]) == ("fails", None)
    assert failed["upper"] <= 0.9

    open_case = call("certify", rows, "--bar", 0.45)
    assert (open_case["verdict"], open_case["labels"]) == ("not_yet", 40)
    assert open_case["lower"] < 0.45 < open_case["upper"]
    assert open_case["more_labels"] > 40

    one = call("certify", written(tmp_path, "1,1", header="order,correct"), "--bar", 0.9)
    assert (one["verdict"], one["labels"], one["upper"]) == ("not_yet", 1, 1.0)
    assert one["lower"] < 0.1


def test_a_margin_compares_with_the_reference(tmp_path: Path, call: Call, say: Call) -> None:
    """On the same items: the difference, its bounds, and both shares."""
    rows = [f"{number},{int(number % 12 != 0)},{int(number % 10 != 0)}" for number in range(400)]
    path = written(tmp_path, *rows)
    told = call("certify", path, "--margin", 0.05)

    assert (told["verdict"], told["bar"], told["margin"]) == ("clears", None, 0.05)
    assert told["lower"] >= -0.05
    assert told["estimate"] == pytest.approx(told["correct_rate"] - told["reference_rate"], abs=1e-5)
    assert "points, and the bar is -5.0." in say("certify", path, "--margin", 0.05)


def test_people_read_a_sentence(outcomes: Path, tmp_path: Path, say: Call) -> None:
    """With the verdict, what it rests on, and what is lacking."""
    assert "Clears after 43 labels: its share of right answers lies between" in say("certify", outcomes, "--bar", 0.9)
    one = written(tmp_path, "1,0", header="order,correct")
    assert "Not yet decided after 1 label: " in say("certify", one, "--bar", 0.9)
    assert "more may tell. Each bound is 95% sure." in say("certify", one, "--bar", 0.9)
    assert "Fails after" in say(
        "certify", written(tmp_path, *(f"{n},0" for n in range(9)), header="order,correct"), "--bar", 0.9
    )


def test_what_came_after_the_verdict_is_said(outcomes: Path, tmp_path: Path, say: Call) -> None:
    """It changes nothing any more, and a reader would be misled without it; on the bar itself nothing may ever tell."""
    later = written(tmp_path, *ALWAYS_RIGHT, *(f"{number},{number % 2},1" for number in range(100, 200)))
    assert "The verdict needed no more; of 117 later labels 57.3% correct." in say("certify", later, "--bar", 0.9)
    border = written(tmp_path, *(f"{number},{number % 2},1" for number in range(100)))
    assert "So near the bar, more labels may never tell." in say("certify", border, "--bar", 0.5)


def test_parquet_gives_the_same_verdict(outcomes: Path, tmp_path: Path, call: Call) -> None:
    """Numbers and booleans instead of text."""
    table = pl.read_csv(outcomes).with_columns(pl.col("correct").cast(pl.Boolean))
    table.write_parquet(tmp_path / "outcomes.parquet")

    assert call("certify", tmp_path / "outcomes.parquet", "--bar", 0.9) == call("certify", outcomes, "--bar", 0.9)


@pytest.mark.parametrize(
    ("rows", "header", "options", "sentence"),
    [
        ([], "order,correct", ("--bar", 0.9), "There is not one outcome here"),
        (["1,1"], "order,right", ("--bar", 0.9), "A column is missing"),
        (["1,1"], "order,correct", ("--margin", 0.05), "A column is missing"),
        (["1,1", "2,maybe"], "order,correct", ("--bar", 0.9), "neither 0 (wrong) nor 1 (right)"),
        (["1,1", "2,"], "order,correct", ("--bar", 0.9), "neither 0 (wrong) nor 1 (right)"),
        (["1,1", "1,0"], "order,correct", ("--bar", 0.9), "two different outcomes"),
        (["1,1", "1,1"], "order,correct", ("--bar", 0.9), "there more than once"),
        (["1,1"], "order,correct", ("--bar", 1.0), "This is no bar"),
        (["1,1"], "order,correct", ("--bar", "nan"), "This is no bar"),
        (["1,1,1"], "order,correct,correct", ("--bar", 0.9), "Two columns have one name"),
        (["1,1,1"], "order,correct", ("--bar", 0.9), "cannot be read as a table"),
    ],
)
def test_bad_input_is_answered_and_never_ruled_on(
    tmp_path: Path, call: Call, *, rows: list[str], header: str, options: tuple[object, ...], sentence: str
) -> None:
    """Exit 1, a sentence, and no verdict."""
    told = call("certify", written(tmp_path, *rows, header=header), *options, code=1)

    assert sentence in told["error"]
    assert "verdict" not in told


def test_a_file_that_is_empty_or_missing_is_answered(tmp_path: Path, call: Call) -> None:
    """So is one of another format."""
    empty = tmp_path / "empty.csv"
    empty.touch()
    assert "There is not one outcome" in call("certify", empty, "--bar", 0.9, code=1)["error"]
    assert "no file" in call("certify", tmp_path / "none.csv", "--bar", 0.9, code=1)["error"]
    other = tmp_path / "outcomes.txt"
    other.write_text("order,correct\n1,1\n")
    assert "cannot be read as a table" in call("certify", other, "--bar", 0.9, code=1)["error"]


def test_exactly_one_bar_is_asked_for(outcomes: Path) -> None:
    """None, both, or what is no number: wrong usage."""
    for options in ([], ["--bar", "0.9", "--margin", "0.05"], ["--bar", "high"]):
        with pytest.raises(SystemExit) as wrong:
            main(["certify", str(outcomes), *options])
        assert wrong.value.code == 2
