"""Tables on disk: what is read, how a template is cut, what the new order is worth, and what is written."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from core.intake import tables
from core.intake.tables import FieldOrderReport, field_order, read_table, write_table
from core.intake.templates import NoPlaceholder, UnknownPlaceholder, parse_template
from core.prices import PriceBook, UnknownModel, UnpricedModel

BOOK = PriceBook.load()
NOW = datetime(2026, 11, 22, tzinfo=UTC)
HAIKU = "claude-haiku-4-5"


def save(folder: Path, table: pl.DataFrame) -> Path:
    """The table as a Parquet file."""
    path = folder / "table.parquet"
    table.write_parquet(path)
    return path


def report(
    path: Path, template: str | None = None, *, instructions: str = "", model: str | None = None, now: datetime = NOW
) -> FieldOrderReport:
    """The report on a table file."""
    return field_order(path, template, instructions=instructions, book=BOOK, model=model, now=now)


def documents(folder: Path, chars: int) -> Path:
    """Ten questions about two documents of so many characters, the question first."""
    texts = [letter * chars for letter in "ab"]
    return save(folder, pl.DataFrame({"q": [f"{n:03d}?" for n in range(10)], "doc": [texts[n % 2] for n in range(10)]}))


def test_without_a_template_every_column_is_a_line(tmp_path: Path) -> None:
    """The shares are those of the prompts as they would be sent, byte for byte."""
    path = tmp_path / "table.csv"
    path.write_text("id,kind\n1,fruit\n2,fruit\n3,grain\n", encoding="utf-8")

    found = report(path)

    assert found.template == "kind: {kind}\nid: {id}\n"
    assert (found.rows, found.fields, found.changed, found.exact) == (3, ("kind", "id"), True, True)
    assert found.prompt_bytes == 3 * len("id: 1\nkind: fruit\n")
    assert found.previous_row_share == found.sorted_share == pytest.approx(2 * 4 / found.prompt_bytes)
    assert found.ordered_share == pytest.approx((len("kind: fruit\nid: ") + len("kind: ")) / found.prompt_bytes)
    assert found.cost is None


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("Name: {name}, city: {city}.", "city: {city}, Name: {name}."),
        (
            "Judge this row. Name: {name} | City: {city}\nYes or no?",
            "Judge this row. City: {city} | Name: {name}\nYes or no?",
        ),
        ("{name} {city}", "{city} {name}"),
        ("{name}{city}", "{name}{city}"),
        ("{name}, in {city}; {kind}", "{name}, in {city}; {kind}"),
    ],
    ids=["commas", "a sentence first", "spaces", "nothing between", "another sign each time"],
)
def test_fields_on_one_line_change_places_where_one_separator_parts_them(
    tmp_path: Path, template: str, found: str
) -> None:
    """Labels go with their fields; sentences before and after them stay; what cannot be told apart stays as it is."""
    table = pl.DataFrame(
        {"name": [f"n{n}" for n in range(6)], "city": ["Ulm"] * 6, "kind": [f"k{n % 2}" for n in range(6)]}
    )
    asked = report(save(tmp_path, table), template)

    assert asked.template == found
    rendered = sum(len(found.format(**row)) for row in table.iter_rows(named=True))
    assert asked.prompt_bytes == rendered


def test_instructions_head_and_tail_stay_and_count(tmp_path: Path) -> None:
    """What stands before all fields is shared by all rows; what stands after them by equal rows only."""
    table = pl.DataFrame({"a": ["1", "2", "2"], "b": ["x", "x", "x"]})
    template = "Judge:\nA {a}\nB {b}\nAnswer yes or no."

    found = report(save(tmp_path, table), template, instructions="Be brief.\n")

    assert found.template == "Judge:\nB {b}\nA {a}\nAnswer yes or no."
    prompt = "Be brief.\nJudge:\nB x\nA 2\nAnswer yes or no."
    assert found.prompt_bytes == 3 * len(prompt)
    assert found.ordered_share == pytest.approx((len(prompt) + prompt.index("2")) / (3 * len(prompt)))


@pytest.mark.parametrize(
    ("template", "head", "segments", "tail"),
    [
        ("{a} or {b}\n", "", ["{a} or {b}"], "\n"),
        ("Hi\n\nA: {a}\n## B\n{b}", "Hi\n\n", ["A: {a}", "## B\n{b}"], ""),
        ("<x>\n<a>\n{a}\n</a>\n<b>\n{b}\n</b>\n</x>", "<x>\n", ["<a>\n{a}\n</a>", "<b>\n{b}\n</b>"], "\n</x>"),
        ('{"a": "{a}",\n"n": {"k": 1},\n"b": "{b}"}', "", ['{"a": "{a}",', '"n": {"k": 1},\n"b": "{b}"}'], ""),
    ],
)
def test_lines_move_whole_and_take_their_headings_and_tags_along(
    template: str, head: str, segments: list[str], tail: str
) -> None:
    """A line is never torn, a tag never left open, and braces around no name are text; put together it is the same."""
    cut = parse_template(template, ["a", "b"])

    assert (cut.head, cut.tail) == (head, tail)
    assert [one.fill(f"{{{field}}}" for field in one.fields) for one in cut.segments] == segments
    assert cut.text == template


def test_the_rows_come_sorted_with_nothing_lost(tmp_path: Path) -> None:
    """By the fields in their new order; columns that the template leaves out stay, and the place each row had."""
    table = pl.DataFrame(
        {"id": [3, 1, 2], "kind": ["b", "a", "b"], "note": [None, "n", "m"], "original_row": [7, 8, 9]}
    )

    found = report(save(tmp_path, table), "{id}\nKind of thing: {kind}\n")

    assert found.ordered.columns == ["original_row_", "kind", "id", "note", "original_row"]
    assert found.ordered["id"].to_list() == [1, 2, 3]
    assert found.ordered.sort("original_row_").select(table.columns).equals(table)


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".jsonl"])
def test_the_rows_can_be_written(tmp_path: Path, ending: str) -> None:
    """Three formats; no half-written file is left."""
    table, to = pl.DataFrame({"a": ["x", "y"], "original_row": [1, 0]}), tmp_path / f"out{ending}"

    write_table(table, to)

    read: dict[str, Callable[[Path], pl.DataFrame]] = {
        ".csv": pl.read_csv,
        ".parquet": pl.read_parquet,
        ".jsonl": pl.read_ndjson,
    }
    assert read[ending](to).equals(table)
    assert list(tmp_path.iterdir()) == [to]


@pytest.mark.parametrize(
    ("name", "error"),
    [("out.xlsx", tables.UnknownFormat), ("none/out.csv", tables.NotWritable), ("out.csv", tables.NotWritable)],
)
def test_what_cannot_be_written_is_said_and_leaves_nothing(
    tmp_path: Path, name: str, error: type[tables.UnknownFormat]
) -> None:
    """An unknown ending, no such folder, lists in CSV."""
    with pytest.raises(error):
        write_table(pl.DataFrame({"a": [[1]]}), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_dollars_honour_the_floor_the_write_and_the_read(tmp_path: Path) -> None:
    """Two documents shared by five rows each: both written once for an hour and read four times, at batch price."""
    chars_per_token, usd_per_token = BOOK.model(HAIKU).chars_per_token, 0.5e-6

    cost = report(documents(tmp_path, 20_000), model=HAIKU).cost

    prompt, head = len("q: 000?\ndoc: \n") + 20_000, len("doc: \n") + 20_000
    assert cost is not None
    assert float(cost.uncached_usd) == pytest.approx(10 * prompt / chars_per_token * usd_per_token, abs=usd_per_token)
    assert cost.as_is_usd == cost.uncached_usd
    saved = 2 * head / chars_per_token * (5 - 2 - 0.1 * 4) * usd_per_token
    assert float(cost.uncached_usd - cost.ordered_usd) == pytest.approx(saved, abs=usd_per_token)
    assert isinstance(cost.ordered_usd, Decimal)
    assert (cost.cache_floor_tokens, cost.mean_prompt_tokens) == (4096, round(prompt / chars_per_token))


def test_a_head_under_the_floor_is_worth_nothing(tmp_path: Path) -> None:
    """Sharing bytes is not saving dollars; instructions can lift the shared head over the floor."""
    path = documents(tmp_path, 4_000)

    small = report(path, model=HAIKU)
    lifted = report(path, model=HAIKU, instructions="z" * 12_000)

    assert small.ordered_share > 0.7
    assert small.cost is not None
    assert small.cost.ordered_usd == small.cost.as_is_usd == small.cost.uncached_usd
    assert lifted.cost is not None
    assert lifted.cost.ordered_usd < lifted.cost.as_is_usd == lifted.cost.uncached_usd


def test_the_document_holds_all_but_the_rows(tmp_path: Path) -> None:
    """What the command line prints, with what is estimated said in words."""
    document = report(documents(tmp_path, 20_000), model=HAIKU).document()

    assert "ordered" not in document
    assert document["cost"]["model"] == HAIKU
    assert any("estimated" in note for note in document["notes"])
    assert not any("estimated" in note for note in report(documents(tmp_path, 9)).document()["notes"])


def test_values_of_every_plain_kind_are_text_and_missing_ones_are_empty(tmp_path: Path) -> None:
    """Numbers, dates, truth values, categories and gaps; the same text twice is the same value."""
    table = pl.DataFrame(
        {
            "n": [1.5, None, 1.5],
            "day": [datetime(2026, 1, 2).date(), None, None],  # noqa: DTZ001 - a day has no zone
            "ok": [True, False, None],
            "c": pl.Series(["ä", "ä", None], dtype=pl.Categorical),
        }
    )

    found = report(save(tmp_path, table))

    texts = ["n: 1.5\nday: 2026-01-02\nok: true\nc: ä\n", "n: \nday: \nok: false\nc: ä\n", "n: 1.5\nday: \nok: \nc: \n"]
    assert found.prompt_bytes == sum(len(text.encode()) for text in texts)


def test_csv_values_stay_the_text_they_are(tmp_path: Path) -> None:
    """A leading zero is part of a post code; quotes may hold line ends and commas."""
    path = tmp_path / "table.CSV"
    path.write_text('zip,text\n007,"a,\nb"\n010,\n', encoding="utf-8")

    assert read_table(path).rows() == [("007", "a,\nb"), ("010", None)]


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("t.csv", b"", tables.NotATable),
        ("t.csv", b"a,b\n", tables.NoRows),
        ("t.csv", b"a,b,a\n1,2,3\n", tables.DuplicateColumns),
        ("t.csv", b"a,b\n1,2,3\n", tables.NotATable),
        ("t.csv", b"a\n\xff\xfe\n", tables.NotATable),
        ("t.parquet", b"no such thing", tables.NotATable),
        ("t.txt", b"a\n1\n", tables.NotATable),
    ],
)
def test_what_is_no_table_is_refused_with_its_reason(
    tmp_path: Path, name: str, content: bytes, error: type[tables.NotATable]
) -> None:
    """Empty, no rows, a name twice, ragged, not UTF-8, damaged, another kind of file."""
    (tmp_path / name).write_bytes(content)

    with pytest.raises(error) as refused:
        report(tmp_path / name)
    assert refused.value.context["file"] == tmp_path / name


def test_texts_are_utf_8(tmp_path: Path) -> None:
    """A template in another encoding would be sent garbled."""
    path = tmp_path / "template.txt"
    path.write_text("Größe: {a}\n", encoding="utf-8")
    assert tables.read_text(path) == "Größe: {a}\n"

    path.write_bytes("Größe: {a}\n".encode("latin-1"))
    with pytest.raises(tables.NotUtf8):
        tables.read_text(path)


def test_a_missing_file_is_no_table(tmp_path: Path) -> None:
    """A wrong path is told like a wrong file, and so is a folder."""
    with pytest.raises(tables.NotATable):
        report(tmp_path / "none.csv")
    (tmp_path / "folder.parquet").mkdir()
    with pytest.raises(tables.NotATable):
        report(tmp_path / "folder.parquet")


def test_templates_are_refused_when_they_name_nothing_or_something_else(tmp_path: Path) -> None:
    """A misspelt field must not be sent as text to a model, row after row."""
    path = save(tmp_path, pl.DataFrame({"title": ["a"], "year": [1]}))

    with pytest.raises(UnknownPlaceholder) as unknown:
        report(path, "Title: {titel}\n")
    assert unknown.value.context == {"field": "titel", "columns": "title, year"}
    with pytest.raises(NoPlaceholder):
        report(path, "Tell a joke about {'films'}.")


def test_columns_without_a_form_as_text_are_refused_only_where_they_are_used(tmp_path: Path) -> None:
    """Lists, structures and bytes; a template that leaves them out is fine, and they are kept in the rows."""
    table = pl.DataFrame({"a": ["x", "y"], "tags": [[1], [2, 3]], "raw": [b"\xff", b""], "at": [{"k": 1}, {"k": 2}]})
    path = save(tmp_path, table)

    for column in ("tags", "raw", "at"):
        with pytest.raises(tables.NotText, match=column):
            report(path, f"{{a}}\n{{{column}}}\n")
    assert report(path, "{a}\n").ordered["tags"].to_list() == [[1], [2, 3]]


def test_models_and_days_without_a_price_are_refused(tmp_path: Path) -> None:
    """Dollars are never guessed."""
    path = documents(tmp_path, 10)

    with pytest.raises(UnknownModel):
        report(path, model="claude-none")
    with pytest.raises(UnpricedModel):
        report(path, model=HAIKU, now=datetime(2020, 1, 1, tzinfo=UTC))


def test_one_field_or_one_line_stays_as_it_is(tmp_path: Path) -> None:
    """There is nothing to put in order, which is an answer."""
    path = save(tmp_path, pl.DataFrame({"a": ["x", "y"], "b": ["z", "z"]}))

    for template in ("{a}", "{a} and {b}"):
        found = report(path, template)
        assert (found.template, found.changed, found.exact) == (template, False, True)


def test_an_order_that_is_no_better_byte_by_byte_changes_nothing(tmp_path: Path) -> None:
    """Values that only begin alike share too: time stamps here save more than the repeated field would."""
    stamps = [f"2026-11-{day} 12:00:0{second}" for day in (10, 21) for second in (1, 2)]
    path = save(tmp_path, pl.DataFrame({"at": stamps, "b": ["near", "far", "near", "far"]}))

    found = report(path, "{at}\n{b}\n")

    assert not found.changed
    assert found.ordered_share == found.sorted_share


def test_two_hundred_columns_are_put_in_order(tmp_path: Path) -> None:
    """A wide table: what all rows share first, keys last, every column once."""
    columns = {f"c{at:03d}": [str(row * at % (at % 7 + 1)) for row in range(40)] for at in range(200)}
    found = report(save(tmp_path, pl.DataFrame(columns)))

    assert sorted(found.fields) == sorted(columns)
    assert found.ordered_share > found.sorted_share
    assert not found.exact


def test_a_real_table_shares_more_in_the_new_order(shared_data: Path) -> None:
    """Token statistics of real clients, 6,606 rows."""
    found = report(shared_data / "servegen" / "client_tokens.parquet", model=HAIKU)

    assert found.rows == 6606
    assert found.ordered_share > found.sorted_share > found.previous_row_share
