"""Importing request files: every good line goes in once, every bad one is kept aside with its reason."""

import gzip
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from core.intake import imports
from core.intake.imports import ImportReport, import_file, rejects_path
from core.intake.payloads import PayloadReader
from core.requests.blocks import chain_of
from core.requests.lines import MAX_LINE_BYTES, FileUnreadable
from core.requests.request import parse_request
from core.store import Store
from tests.strategies import BAD_LINES, Json, custom_ids, line, params, request, unprompted_changes

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BOM = b"\xef\xbb\xbf"


class Desk:
    """A workspace folder with its store, and files put in front of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store.open(folder / "lotwise.duckdb")

    def take(self, data: bytes, name: str = "requests.jsonl") -> ImportReport:
        """Import a file of these bytes."""
        path = self.folder / name
        path.write_bytes(data)
        return import_file(self.store, self.folder, path, now=NOW)

    def rejected(self, report: ImportReport) -> bytes:
        """The reject file of an import."""
        path = rejects_path(self.folder, report.import_id)
        return path.read_bytes() if path.exists() else b""

    def reasons(self, report: ImportReport) -> list[tuple[int, str]]:
        """Line and reason of everything set aside."""
        return self.store.query("rejects", import_id=report.import_id).select("line", "reason").rows()

    def items(self) -> pl.DataFrame:
        """The items with all that is stored of them."""
        status = self.store.query("export_items").select("item_id", "source", "line", "status")
        return status.join(self.store.query("backlog_chains"), on="item_id").sort("item_id")

    def params_of(self, item: dict[str, Any]) -> Json:
        """What would be sent of an item, without marks."""
        with PayloadReader(self.folder) as payloads:
            return payloads.params(item["import_id"], item["payload_offset"], item["payload_bytes"])


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A workspace of one's own."""
    one = Desk(tmp_path)
    yield one
    one.store.close()


@pytest.fixture(scope="module")
def desks(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Desks"]:
    """A fresh workspace for every example of a property."""
    many = Desks(tmp_path_factory.mktemp("desks"))
    yield many
    many.current.store.close()


class Desks:
    """One store, emptied for every example: opening one costs more than most examples."""

    def __init__(self, folder: Path) -> None:
        self.current = Desk(folder)

    def fresh(self) -> Desk:
        """The workspace without items, imports and rejects."""

        def empty(tx: Any) -> None:
            for table in ("item", "import_file", "reject"):
                tx._connection.execute(f"DELETE FROM {table}").fetchall()

        self.current.store.write(empty)
        return self.current


def watch(desk: Desk, patch: pytest.MonkeyPatch, look: Callable[[], None]) -> None:
    """Look at the store after every write."""
    write = desk.store.write

    def watched(task: Any) -> Any:
        result = write(task)
        look()
        return result

    patch.setattr(desk.store, "write", watched)


def counts(report: ImportReport) -> tuple[int, int, int]:
    """Added, known, rejected."""
    return report.added, report.known, report.rejected


def test_requests_become_items_with_all_that_planning_needs(desk: Desk) -> None:
    """The chain, the exact parameters and where they came from are stored for every line."""
    first, second = request("a", system="Be brief."), request([{"type": "text", "text": "b"}])
    report = desk.take(line("one", first) + b"\r\n\r\n" + line("two", second))

    assert (report.lines, *counts(report)) == (3, 2, 0, 0)
    items = desk.items().to_dicts()
    assert [(item["item_id"], item["line"]) for item in items] == [("one", 1), ("two", 3)]
    assert {"requests.jsonl"} == {item["source"] for item in items}
    for item, wanted in zip(items, (first, second), strict=True):
        assert wanted == desk.params_of(item)
        hashes, depths, overheads, heads = chain_of(parse_request(line("x", wanted)).params)
        assert (hashes, depths) == (item["chain"], item["depths"])
        assert (len(overheads), heads) == (len(hashes), item["heads"])


@given(good=st.dictionaries(custom_ids, params(), max_size=6), data=st.data())
@settings(max_examples=40)
def test_what_is_stored_is_what_was_sent_less_its_marks(
    desks: Desks, good: dict[str, Json], data: st.DataObject
) -> None:
    """Nothing of a request is lost or changed but cache marks, which are the plan's to set."""
    desk = desks.fresh()
    dressed = {custom_id: data.draw(unprompted_changes(of)) for custom_id, of in good.items()}
    desk.take(b"\n".join(line(custom_id, of) for custom_id, of in dressed.items()))

    stored = {item["item_id"]: desk.params_of(item) for item in desk.items().to_dicts()}
    assert stored == {custom_id: bare(of) for custom_id, of in dressed.items()}


def bare(of: Json) -> Json:
    """The parameters without cache marks on their blocks."""

    def strip(blocks: Any) -> Any:
        if not isinstance(blocks, list):
            return blocks
        return [{key: value for key, value in block.items() if key != "cache_control"} for block in blocks]

    clean = {key: strip(value) if key in ("tools", "system") else value for key, value in of.items()}
    clean.pop("cache_control", None)
    clean["messages"] = [message | {"content": strip(message["content"])} for message in of["messages"]]
    return clean


@given(
    ids=st.lists(st.sampled_from("abcde"), max_size=12),
    data=st.data(),
    chunk=st.integers(1, 4),
    packing=st.sampled_from([bytes, gzip.compress, zstandard.ZstdCompressor().compress]),
    end=st.sampled_from([b"\n", b"\r\n"]),
    final=st.booleans(),
    bom=st.booleans(),
)
@settings(max_examples=40)
def test_every_line_is_added_known_or_kept_aside(
    desks: Desks,
    *,
    ids: list[str],
    data: st.DataObject,
    chunk: int,
    packing: Any,
    end: bytes,
    final: bool,
    bom: bool,
) -> None:
    """Counts add up, the first body of an id wins, and the reject file holds exactly the bad lines, byte for byte."""
    desk = desks.fresh()
    wanted: list[bytes] = []
    taken: dict[str, str] = {}
    bad: list[tuple[int, bytes]] = []
    for number, custom_id in enumerate(ids, 1):
        kind = data.draw(st.sampled_from(["good", "good", "bad", "blank"]))
        if kind == "good":
            text = data.draw(st.sampled_from(["x", "y"]))
            raw = line(custom_id, request(text))
            if taken.setdefault(custom_id, text) != text:
                bad.append((number, raw))
        elif kind == "bad":
            raw = data.draw(st.sampled_from([line for line, _ in BAD_LINES.values() if len(line) < 1000]))
            # Splitting is at line ends, whatever the bytes mean (UTF-16 holds one where a character has it).
            raw = raw.replace(b"\n", b" ")
            bad.append((number, raw))
        else:
            raw = b" "
        wanted.append(raw)
    file = (BOM if bom else b"") + end.join([*wanted, b""] if final and wanted else wanted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(imports, "_CHUNK_LINES", chunk)
        report = desk.take(packing(file))

    assert len([raw for raw in wanted if raw.strip()]) == sum(counts(report))
    assert (len(taken), len(bad)) == (report.added, report.rejected)
    assert [number for number, _ in bad] == [number for number, _ in desk.reasons(report)]
    held = io.BytesIO(file.removeprefix(BOM)).readlines()
    assert b"".join(held[number - 1] for number, _ in bad) == desk.rejected(report)
    assert {item["item_id"]: desk.params_of(item) for item in desk.items().to_dicts()} == {
        custom_id: request(text) for custom_id, text in taken.items()
    }

    again = desk.take(packing(file))
    assert (0, report.added + report.known, report.rejected) == counts(again)
    assert len(taken) == desk.items().height


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_line_is_reported_and_kept_and_nothing_else_is_touched(desk: Desk, name: str) -> None:
    """File, line and reason are said; the lines around it go in; the line itself can be downloaded as it came."""
    bad, reason = BAD_LINES[name]
    bad = bad.replace(b"\n", b" ")
    report = desk.take(line("before", request()) + b"\n" + bad + b"\n" + line("after", request()) + b"\n")

    assert counts(report) == (2, 0, 1)
    ((number, said),) = desk.reasons(report)
    assert (number, reason in said) == (2, True), said
    assert bad + b"\n" == desk.rejected(report)


def test_another_body_under_a_taken_id_is_refused_by_name(desk: Desk) -> None:
    """In one file, in another file, in the same chunk or not: the first stays, the others are kept aside."""
    desk.take(line("a", request("first")))
    report = desk.take(line("a", request("second")) + b"\n" + line("b", request("x")) + b"\n" + line("b", request("y")))

    assert counts(report) == (1, 0, 2)
    rejects = desk.store.query("rejects", import_id=report.import_id)
    assert rejects["custom_id"].to_list() == ["a", "b"]
    assert rejects["reason"].str.contains("already taken").all()
    assert rejects["source"].to_list() == ["requests.jsonl"] * 2


def test_the_same_request_in_other_words_is_known(desk: Desk) -> None:
    """Key order, spaces, escapes and cache marks are no other content."""
    desk.take(
        b'{"custom_id":"a","params":{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"\xc3\xa4"}]}}'
    )
    marked = [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]
    desk.take(line("b", request(system=[{"type": "text", "text": "x"}])))

    other = (
        rb'{ "params": {"messages":[{"content":"\u00e4","role":"user"}],"max_tokens":1,"model":"m"},"custom_id":"a"}'
    )
    assert counts(desk.take(other)) == (0, 1, 0)
    assert counts(desk.take(line("b", request(system=marked)))) == (0, 1, 0)


def test_a_line_of_50_mb_is_kept_aside_whole(desk: Desk) -> None:
    """It is longer than the API takes a request: reported by line and size, the others go in."""
    long = line("long", request("x" * 50_000_000))
    file = line("a", request()) + b"\n" + long + b"\n" + line("a", request("other")) + b"\n" + long
    report = desk.take(file)

    assert counts(report) == (1, 0, 3)
    assert [number for number, _ in desk.reasons(report)] == [2, 3, 4]
    assert "32 MB" in desk.reasons(report)[0][1]
    sizes = desk.store.query("rejects", import_id=report.import_id)["bytes"].to_list()
    assert [len(long) + 1, len(line("a", request("other"))) + 1, len(long)] == sizes
    assert sorted(file.splitlines()[1:]) == sorted(desk.rejected(report).splitlines())


def test_a_line_just_under_the_limit_goes_in(desk: Desk) -> None:
    """32 MB is what a request may have."""
    frame = len(line("a", request("")))
    report = desk.take(line("a", request("x" * (MAX_LINE_BYTES - frame))) + b"\n" + line("b", request()))

    assert counts(report) == (1, 0, 1)


def test_a_torn_file_keeps_what_was_whole_and_says_so(desk: Desk) -> None:
    """Importing the whole file later adds just the rest."""
    lines = b"".join(line(f"item-{number}", request(f"{number * 7919} {number}")) + b"\n" for number in range(3_000))
    packed = gzip.compress(lines)
    report = desk.take(packed[: len(packed) // 2], "half.jsonl.gz")

    assert report.torn is not None
    assert "half.jsonl.gz" in report.torn
    assert 1_000 < report.added < 2_000
    assert report.torn == desk.store.query("imports")["note"][0]

    whole = desk.take(packed, "half.jsonl.gz")
    assert (3_000 - report.added, report.added, 0) == counts(whole)


@pytest.mark.parametrize("name", ["missing.jsonl", "."])
def test_what_cannot_be_read_leaves_no_trace(desk: Desk, name: str) -> None:
    """A missing file or a folder is an error with a message, and no import without a line stays in the list."""
    with pytest.raises(FileUnreadable):
        import_file(desk.store, desk.folder, desk.folder / name, now=NOW)

    assert desk.store.query("imports").is_empty()
    assert not list((desk.folder / "requests").iterdir())


@pytest.mark.parametrize("data", [b"", b"\n \r\n\t\n", BOM, gzip.compress(b"")], ids=["empty", "blank", "mark", "gzip"])
def test_a_file_of_nothing_changes_nothing(desk: Desk, data: bytes) -> None:
    """Blank lines are not requests and not faults; the list of imports says that there was nothing."""
    assert counts(desk.take(data)) == (0, 0, 0)
    assert desk.store.query("imports")["note"][0].startswith("There is no line in this file.")


def test_progress_is_kept_in_the_store_after_every_chunk(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page can show how far a long import is."""
    monkeypatch.setattr(imports, "_CHUNK_LINES", 2)
    seen: list[tuple[int, bool]] = []

    def look() -> None:
        row = desk.store.query("imports").row(0, named=True)
        seen.append((row["added"], row["finished_at"] is not None))

    path = desk.folder / "five.jsonl"
    path.write_bytes(b"\n".join(line(f"i{number}", request()) for number in range(5)))
    watch(desk, monkeypatch, look)
    report = import_file(desk.store, desk.folder, path, now=NOW, source="five uploaded")

    assert seen == [(0, False), (2, False), (4, False), (5, False), (5, True)]
    row = desk.store.query("imports").row(0, named=True)
    assert row | report.counts | {"source": "five uploaded", "finished_at": NOW} == row


def test_chunks_end_by_bytes_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large requests are stored before they fill the memory."""
    monkeypatch.setattr(imports, "_CHUNK_BYTES", 1_000)
    sizes: list[int] = []
    watch(desk, monkeypatch, lambda: sizes.append(desk.store.query("imports")["added"][0]))
    desk.take(b"\n".join(line(f"i{number}", request("x" * 600)) for number in range(6)))

    assert sizes == [0, 2, 4, 6, 6, 6]


def test_a_file_of_nothing_but_bad_lines_is_stored_in_chunks_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody drops a 256 MB table by mistake: its rejects may not gather in memory."""
    monkeypatch.setattr(imports, "_CHUNK_LINES", 100)
    seen: list[int] = []
    watch(desk, monkeypatch, lambda: seen.append(desk.store.query("imports")["rejected"][0]))
    report = desk.take(b"a;b;c\n" * 1_000)

    assert counts(report) == (0, 0, 1_000)
    assert list(range(0, 1_001, 100)) == seen[:11]
    assert desk.rejected(report) == b"a;b;c\n" * 1_000


def test_an_import_that_breaks_keeps_what_was_stored(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each chunk is whole or not there, and the import is closed with what went in."""
    monkeypatch.setattr(imports, "_CHUNK_LINES", 2)
    file = b"\n".join(line(f"i{number}", request()) for number in range(6))
    looks = iter(range(100))

    def stop() -> None:
        if next(looks) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        watch(desk, patch, stop)
        desk.take(file)

    row = desk.store.query("imports").row(0, named=True)
    assert (row["added"], row["finished_at"]) == (4, NOW)
    assert desk.items().height == 4
    assert counts(desk.take(file)) == (2, 4, 0)


def test_reject_file_is_in_the_order_of_the_lines(desk: Desk) -> None:
    """Whoever mends the file goes through it from top to bottom beside the list of reasons."""
    lines = [line("a", request("1")), line("a", request("2")), b"{", line("a", request("3")), b"}"]
    report = desk.take(b"\n".join(lines))

    assert b"\n".join(lines[1:]) == desk.rejected(report)


def test_models_and_texts_of_any_characters_are_stored(desk: Desk) -> None:
    """A zero character or a picture in a name is odd, not dangerous."""
    of = request("\x00 🎈", model="m\x00ödel")
    desk.take(line("a", of))

    assert of == desk.params_of(desk.items().row(0, named=True))
