"""Tags: where they come from, what is refused, and what another import makes of them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.intake import tags as of_tags
from core.intake.imports import ImportReport, import_file
from core.intake.inbox import inbox_folder, is_in_inbox, put_away, tags_of, waiting_files
from core.intake.tags import NO_TAGS, TagInvalid, Tags, TagSets, parse_tags
from core.store import Store

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Desk:
    """A workspace folder with its store, and requests put in front of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store.open(folder / "lotwise.duckdb")

    def take(self, *lines: dict[str, Any], tags: Tags = NO_TAGS, replace: bool = False) -> ImportReport:
        """Import these requests."""
        path = self.folder / "requests.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return import_file(self.store, self.folder, path, now=NOW, tags=tags, replace=replace)

    def reason(self, report: ImportReport) -> str:
        """Why the only line that was set aside was."""
        return str(self.store.query("rejects", import_id=report.import_id)["reason"].item())

    def tags(self, *items: str) -> list[dict[str, str]]:
        """The tags of these items, as the ledger finds them."""
        ids = pl.DataFrame({"item_id": items})
        known = {row["item_id"]: row["tag_set"] for row in self.store.write(lambda tx: tx.merge("known_items", ids))}
        sets = {number: dict(held) for number, held in self.store.query("tag_sets").iter_rows()}
        return [sets.get(known[item], {}) for item in items]


def line(item: str, content: str = "Is it in order?", **beside: Any) -> dict[str, Any]:
    """A request line."""
    messages = [{"role": "user", "content": f"{item}: {content}"}]
    return {
        "custom_id": item,
        "params": {"model": "claude-haiku-5-5", "max_tokens": 20, "messages": messages},
        **beside,
    }


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Give an empty workspace."""
    made = Desk(tmp_path)
    yield made
    made.store.close()


def test_tags_come_from_the_line_and_from_the_import(desk: Desk) -> None:
    """What a line says counts before what is said of the file; without either an item has none."""
    desk.take(line("a", tags={"team": "search", "feature": "rank"}), line("b"), tags={"team": "ads", "run": "nightly"})
    desk.take(line("c"), line("d", tags={}))

    assert desk.tags("a", "b", "c", "d") == [
        {"team": "search", "feature": "rank", "run": "nightly"},
        {"team": "ads", "run": "nightly"},
        {},
        {},
    ]


@given(st.lists(st.dictionaries(st.sampled_from("abcd"), st.sampled_from("xy"), max_size=4), min_size=1, max_size=12))
@settings(max_examples=15, deadline=None)
def test_every_set_has_one_number(tmp_path_factory: pytest.TempPathFactory, sets: list[dict[str, str]]) -> None:
    """Whatever the order of their names: items with the same tags are one group, also over several imports."""
    desk = Desk(tmp_path_factory.mktemp("sets"))
    half = len(sets) // 2
    for part in (range(half), range(half, len(sets))):
        desk.take(*(line(f"i{number}", tags=dict(reversed(sets[number].items()))) for number in part))

    assert desk.tags(*(f"i{number}" for number in range(len(sets)))) == sets
    assert desk.store.query("tag_sets").height == len({frozenset(each.items()) for each in sets if each})
    desk.store.close()


@pytest.mark.parametrize(
    "tags",
    [
        ["search"],
        "search",
        {"team": 7},
        {"team": ""},
        {"": "search"},
        {"the team": "search"},
        {"team": "x" * 81},
        {"t" * 41: "search"},
        {"team": "two\nlines"},
        {f"t{number}": "x" for number in range(9)},
    ],
)
def test_what_is_no_tag_is_set_aside_with_a_reason(desk: Desk, tags: Any) -> None:
    """Silently dropped tags would be missing from the costs of a team, and nobody would know."""
    report = desk.take(line("good", tags={"team": "search"}), line("bad", tags=tags))

    assert (report.added, report.rejected) == (1, 1)
    assert desk.reason(report).startswith("tags do not fit: at most 8")
    assert desk.take(line("none", tags=None)).added == 1


def test_an_item_has_eight_tags_at_most_whoever_gives_them(desk: Desk) -> None:
    """Those of the file count, too."""
    many = {f"t{number}": "x" for number in range(8)}

    assert desk.take(line("same", tags={"t0": "y"}), tags=many).added == 1
    report = desk.take(line("more", tags={"team": "search"}), tags=many)
    assert report.rejected == 1
    assert desk.reason(report).startswith("This is no tag")


def test_tags_are_no_ids(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every sum is kept for every set, so there is an end to them; sets that are there already go on coming in."""
    monkeypatch.setattr(of_tags, "MOST_SETS", 3)
    report = desk.take(*(line(f"i{number}", tags={"record": str(number)}) for number in range(5)))

    assert (report.added, report.rejected) == (3, 2)
    assert "tags are for grouping" in str(desk.store.query("rejects", import_id=report.import_id)["reason"][0])
    assert desk.take(line("again", tags={"record": "1"}), line("none")).added == 2


def test_an_import_again_changes_tags_and_nothing_else(desk: Desk) -> None:
    """A line that says nothing of tags leaves them; one with an empty set takes them away; other content is refused."""
    desk.take(*(line(item, tags={"team": "search"}) for item in "abcd"))
    report = desk.take(
        line("a", tags={"team": "ads"}), line("b"), line("c", tags={}), line("d", "Other?", tags={"x": "y"})
    )

    assert (report.known, report.retagged, report.added, report.rejected) == (3, 2, 0, 1)
    assert desk.tags(*"abcd") == [{"team": "ads"}, {"team": "search"}, {}, {"team": "search"}]
    again = desk.take(line("a", tags={"team": "ads"}), line("a", tags={"team": "ops"}))
    assert (again.known, again.retagged) == (2, 1)
    assert desk.tags("a") == [{"team": "ops"}]


def test_what_is_replaced_keeps_its_tags_unless_told_otherwise(desk: Desk) -> None:
    """A corrected request is the same work."""
    desk.take(line("a", tags={"team": "search"}), line("b", tags={"team": "search"}))
    report = desk.take(line("a", "Better?"), line("b", "Better?", tags={"team": "ads"}), replace=True)

    assert report.replaced == 2
    assert desk.tags("a", "b") == [{"team": "search"}, {"team": "ads"}]


def test_a_refused_transaction_numbers_no_set(desk: Desk) -> None:
    """A set is there with the items that carry it, or not at all."""
    desk.store.rehearse(lambda tx: TagSets(tx).number({"team": "search"}))

    assert desk.store.query("tag_sets").is_empty()


@pytest.mark.parametrize("text", ["team", "=search", "team=", "the team=search", f"team={'x' * 81}", "a/b=c"])
def test_a_tag_of_the_command_line_is_checked_before_anything_is_read(text: str) -> None:
    """One sentence, and nothing went in."""
    with pytest.raises(TagInvalid):
        parse_tags([text])


def test_tags_are_written_with_a_sign_of_equality() -> None:
    """The first one parts name and text; of one name the last counts; there is an end to them."""
    assert parse_tags(["team=search", "query=a=b", "team=ads"]) == {"team": "ads", "query": "a=b"}
    with pytest.raises(TagInvalid):
        parse_tags(f"t{number}=x" for number in range(9))


def test_folders_of_the_inbox_are_tags(tmp_path: Path) -> None:
    """A scheduled export drops its files where they belong; any other folder is left alone, as `imported` is."""
    inbox = inbox_folder(tmp_path)
    for folder in ("team=search", "team=search/run=nightly", "notes", "imported"):
        (inbox / folder).mkdir(parents=True)
        (inbox / folder / "a.jsonl").write_text("x")

    waiting = list(waiting_files(tmp_path, clock_seconds=2e9))

    assert [str(path.relative_to(inbox)) for path in waiting] == [
        "team=search/a.jsonl",
        "team=search/run=nightly/a.jsonl",
    ]
    assert [tags_of(tmp_path, path) for path in waiting] == [{"team": "search"}, {"team": "search", "run": "nightly"}]
    assert all(is_in_inbox(tmp_path, path) for path in waiting)
    assert not is_in_inbox(tmp_path, tmp_path / "team=search" / "a.jsonl")
    assert put_away(waiting[0]) == inbox / "team=search" / "imported" / "a.jsonl"
    assert len(list(waiting_files(tmp_path, clock_seconds=2e9))) == 1
    (inbox / "team=").mkdir()
    with pytest.raises(TagInvalid):
        tags_of(tmp_path, inbox / "team=" / "a.jsonl")
