"""Words and figures: each is found, each is used, and none of them hides what is not known."""

import ast
import tomllib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from core.jobs.states import JobState
from pages import formats, words

DYNAMIC = (
    "standing",
    "role",
    "outcome",
    "cause",
    "action",
    "helps",
    "by",
    "prefix",
    "where",
    "part",
    "item_status",
    "basis",
    "compared_by",
    "schedule_state",
    "run_state",
    "need_kind",
    "basis_help",
    "verdict",
    "reason",
    "way",
    "lifetime",
    "history_standing",
    "sink_kind",
    "measure",
    "drift",
    "drift_help",
    "constraint",
    "source",
    "due",
    "knob",
    "route_state",
    "ruling",
    "trial_state",
    "bar_kind",
    "grader_kind",
    "cascade_rule",
    "chart",
    "file_kind",
    "lever",
    "lever_help",
    "missed",
    "range",
    "filter",
    "tier",
    "view",
    "against",
    "compared",
    "effort",
    "opens",
    "saving",
    "saved_by",
    "evidence",
    "event",
    "promise_state",
    "stability",
    "unit_kind",
    "price_state",
    "price_terms",
    "price_kind",
)
"""Groups that hold a word for each stored value."""

OTHER_STANDINGS = ("to_repair", "to_decide", "past_failures", "in_repair", "repaired", "set_aside", "canceling")
"""What the pages say of a job beside its state."""


def keys(table: dict[str, object], prefix: str = "") -> set[str]:
    """Every dotted key of the words."""
    found: set[str] = set()
    for name, value in table.items():
        found |= keys(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}"}
    return found


@pytest.fixture(scope="module")
def known(checkout: Path) -> set[str]:
    """Give every key of `words.toml`."""
    return keys(tomllib.loads((checkout / "pages" / "words.toml").read_text("utf-8")))


@pytest.fixture(scope="module")
def mentioned(checkout: Path) -> set[str]:
    """Give every string of the pages that may be a key, or the head of one."""
    trees = [ast.parse(file.read_text("utf-8")) for file in (*(checkout / "pages").glob("*.py"), checkout / "app.py")]
    return {
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_every_key_that_a_page_names_has_words(known: set[str], mentioned: set[str]) -> None:
    """A typing slip in a key would be a traceback on one page in one state."""
    groups = {key.split(".")[0] for key in known}
    named = {
        text
        for text in mentioned
        if text.split(".")[0] in groups and "." in text and " " not in text and not text.endswith((".py", "."))
    }

    assert named - known - {text for text in named if any(key.startswith(f"{text}.") for key in known)} == set()


def test_no_words_are_left_over(known: set[str], mentioned: set[str]) -> None:
    """Words that no page says are gone."""
    endings = ("_help", "title", "question", "empty", "empty_title", "empty_link")
    unused = {
        key
        for key in known - mentioned
        if key.split(".")[0] not in DYNAMIC and not key.endswith(endings) and not key.startswith("trends.")
    }
    assert unused == set()


def test_words_show_foreign_text_as_it_is() -> None:
    """A class named like a link, a formula or an icon is shown, not rendered."""
    assert words.say("next.repair", items=3, name="[a](b) $x$ :red[y]") == (
        "**Repair 3 items** of \\[a\\](b) \\$x\\$ \\:red\\[y\\]"
    )
    assert words.say("jobs.unknown", job="a") == "There is no job a. It may belong to another workspace."
    assert words.term("cause", "some_new_error") == "Some new error"
    assert words.term("cause", None) == "–"


def test_one_is_singular() -> None:
    """Counts carry their noun."""
    assert words.plain("backlog.imports_count", imports="1") == "1 import"
    assert words.plain("backlog.imports_count", imports="1,204") == "1,204 imports"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0, "$0.00"),
        (Decimal("1204.5"), "$1,204.50"),
        (0.19, "$0.19"),
        (Decimal("0.0213"), "$0.0213"),
        (0.000264, "$0.000264"),
        (-3, "-$3.00"),
    ],
)
def test_money(value: Decimal | float | None, shown: str) -> None:
    """Cents where cents say enough; three digits that count where they do not."""
    assert shown == formats.money(value)


def test_unknown_is_never_zero() -> None:
    """Every format has a dash for what is not known."""
    assert {
        formats.money(None),
        formats.percent(None),
        formats.chance(None),
        formats.count(None),
        formats.volume(None),
        formats.span(None),
        formats.moment(None),
        formats.clock(None),
        formats.day(None),
    } == {"–"}
    assert formats.change(1, None) is None
    assert formats.change(1, 0) is None
    assert formats.moved(None, 1) is None
    assert formats.points(0.5, None) is None


def test_other_figures() -> None:
    """Shares, sizes, spans and changes as people read them."""
    assert formats.percent(0.8735) == "87.3%" or formats.percent(0.8735) == "87.4%"
    assert formats.count(1234567) == "1,234,567"
    assert [formats.volume(size) for size in (12, 1_500, 2_500_000, 3_000_000_000)] == [
        "12 bytes",
        "1.5 kB",
        "2.5 MB",
        "3.0 GB",
    ]
    assert [formats.span(seconds) for seconds in (7, 367, 86_400)] == ["7 s", "6 min 7 s", "24 h 0 min"]
    assert formats.moment(datetime(2026, 11, 22, 9, 5, tzinfo=UTC)) == "22 Nov 2026, 09:05"
    assert [formats.chance(share) for share in (1, 0.9512, 0)] == [">99.9%", "95.1%", "<0.1%"]
    assert formats.clock(datetime(2026, 11, 22, 9, 5, tzinfo=UTC)) == "Sun 09:05"
    assert formats.day(datetime(2026, 11, 2, 9, 5, tzinfo=UTC)) == "2 Nov"
    assert formats.moved(110, 100) == "+10.0%"
    assert formats.moved(100.01, 100) == 0
    assert formats.points(0.5, 0.75) == "-25.0 pts"


def test_every_state_has_a_word(known: set[str]) -> None:
    """States are shown in words, not as they are stored."""
    assert {f"standing.{state}" for state in (*JobState, *OTHER_STANDINGS)} <= known
