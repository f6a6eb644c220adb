"""Why an item failed and what helps: a labelled corpus of result lines, read as they come from the API."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.causes import causes, explain
from core.jobs.causes import USABLE_STOPS, classify
from core.jobs.results import read_results

CASES = json.loads((Path(__file__).parent / "cases" / "outcomes.json").read_text())
ACTIONS = {"resubmit", "hold", "wait", "edit", "decide"}


@pytest.fixture(scope="module")
def classified(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Classify the whole corpus as one results file."""
    path = tmp_path_factory.mktemp("cases") / "results.jsonl"
    lines = [{"custom_id": case["name"], "result": case["result"]} for case in CASES]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return {row["custom_id"]: row for row in classify(read_results(path)).iter_rows(named=True)}


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_corpus(classified: dict[str, dict[str, Any]], case: dict[str, Any]) -> None:
    """Every outcome gets the cause and the action that its case says."""
    row = classified[case["name"]]

    assert (row["usable"], row["cause"], row["action"]) == (case["usable"], case["cause"], case["action"]), case["why"]


def test_the_corpus_covers_every_known_cause() -> None:
    """A cause that is added to the table comes with a case."""
    covered = {case["cause"] for case in CASES}

    # Those that no result says: Lotwise itself names them.
    assert {*causes().by_type, *causes().by_code.values()} - covered == {
        "not_sent",
        "job_refused",
        "results_gone",
        "corrected",
    }
    assert {case["result"].get("message", {}).get("stop_reason") for case in CASES if case["usable"]} == {*USABLE_STOPS}


def test_the_corpus_covers_every_error_that_the_sdk_documents() -> None:
    """Its list of types and codes grows with the API: a new one needs a case, or is of no batch's business."""
    from anthropic.types.shared import error_type

    errors = [case["result"]["error"]["error"] for case in CASES if (case["result"].get("error") or {}).get("error")]
    elsewhere = {"memory_precondition_failed_error"}
    folder = Path(error_type.__file__).parent
    details = [re.findall(r'error_code: Literal\["(\w+)"\]', file.read_text()) for file in folder.glob("*_details.py")]

    assert set(get_args(error_type.ErrorType)) - elsewhere <= {error["type"] for error in errors}
    assert {code for codes in details for code in codes} <= {
        error["details"]["error_code"] for error in errors if isinstance(error.get("details"), dict)
    }


def test_every_cause_says_something_and_names_a_known_action() -> None:
    """The page shows the sentence, the button obeys the action."""
    for name, cause in causes().by_type.items():
        assert cause.type == name
        assert cause.action in ACTIONS
        assert cause.says.endswith(".")
        assert (cause.wait_minutes > 0) is (cause.action == "wait")
    assert set(causes().by_code.values()) | set(causes().by_words.values()) <= set(causes().by_type)


def test_an_unknown_cause_is_for_a_person() -> None:
    """Nothing is known of it, so nothing is done by itself."""
    assert explain("brand_new_error").action == "decide"
    assert explain("expired").action == "resubmit"


@given(st.text(), st.text() | st.none(), st.text() | st.none())
def test_only_listed_types_are_ever_sent_again(kind: str, code: str | None, message: str | None) -> None:
    """Whatever an error calls itself, it is resubmitted only where the table says that its type passes."""
    frame = pl.DataFrame(
        {
            "outcome": ["errored"],
            "stop_reason": [None],
            "error_type": [kind],
            "error_code": [code],
            "message": [message],
        },
        schema=dict.fromkeys(("outcome", "stop_reason", "error_type", "error_code", "message"), pl.String),
    )
    row = classify(frame).row(0, named=True)

    assert row["usable"] is False
    assert row["action"] in ACTIONS
    if row["action"] == "resubmit":
        assert causes().by_type[kind].action == "resubmit"
