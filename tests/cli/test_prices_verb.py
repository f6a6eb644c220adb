"""The verb `prices`: the book, contract prices by date, files, and refusals that a pipeline can read."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.demo import build_demo

Call = Any


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo workspace; every test takes back what it adds."""
    folder = tmp_path_factory.mktemp("prices") / "workspace"
    build_demo(folder)
    return folder


@pytest.fixture(autouse=True)
def chosen(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command means this workspace."""
    monkeypatch.setenv("LOTWISE_WORKSPACE", str(built))


def test_the_book_as_a_document(call: Call) -> None:
    """Amounts are decimal text, days ISO, every row with its source; what has no price is counted."""
    document = call("prices")
    assert document["currency"] == "USD"
    assert document["unpriced_attempts"] == 0
    assert document["unpriced"] == document["bad_counts"] == document["contract"] == []
    rows = [row for row in document["prices"] if row["model"] == "claude-sonnet-5-5"]
    assert [(row["first_day"], row["last_day"]) for row in rows] == [("2026-10-07", None), ("2026-09-28", "2026-10-06")]
    assert Decimal(rows[1]["cache_read"]) == Decimal("0.2")
    assert isinstance(rows[1]["cache_read"], str)
    assert "2026-09-29" in rows[1]["source"]
    assert {row["model"] for row in call("prices", "--model", "claude-opus-5")["prices"]} == {"claude-opus-5"}


def test_a_contract_price_is_tried_added_and_ended(call: Call, say: Call) -> None:
    """The rehearsal says what the addition does; ended before its first day, all costs are what they were."""
    terms = ("prices", "add", "--discount", "18%", "--from", "2025-01-01", "--source", "Order form")
    would = call(*terms, "--dry-run")
    assert (would["numbers"], would["dry_run"]) == ([], True)
    assert call("prices")["contract"] == []
    done = call(*terms)
    assert done["attempts"] == would["attempts"] > 0
    assert Decimal(done["after_usd"]) == Decimal(done["before_usd"]) * Decimal("0.82")
    assert Decimal(done["change_usd"]) == Decimal(done["after_usd"]) - Decimal(done["before_usd"])

    [row] = call("prices")["contract"]
    assert (row["number"], row["model"], row["discount"], row["source"]) == (
        done["numbers"][0],
        "*",
        "0.18",
        "Order form",
    )
    assert "18 % off by contract" in say("prices")

    back = call("prices", "end", row["number"], "--to", "2024-12-31")
    assert back["change_usd"] == str(-Decimal(done["change_usd"]))
    assert call("prices")["contract"][0]["never_held"] is True


def test_prices_of_ones_own(call: Call) -> None:
    """Kinds that are named, for the models that are named; a list price that the book lacks is one too."""
    day = ("--from", "2030-01-01")
    done = call("prices", "add", "--model", "claude-opus-5", "--model", "claude-opus-4-8", "--price", "input=4.5", *day)
    assert len(done["numbers"]) == 2
    assert len(done["notes"]) == 1
    dear = call("prices", "add", "--model", "claude-opus-5", "--price", "input=1e3", *day, "--dry-run")
    assert "input of claude-opus-5: $1000 is above its list price" in dear["notes"][1]
    nova = ("--price", "input=3", "--price", "output=15", "--price", "cache_read=0.3", "--list-price")
    [number] = call("prices", "add", "--model", "claude-nova-1", *nova, *day)["numbers"]
    rows = {row["number"]: row for row in call("prices")["contract"]}
    assert rows[number]["prices"]["cache_write_1h"] == "6"
    assert rows[done["numbers"][0]]["prices"] == {"input": "4.5"}
    for each in (*done["numbers"], number):
        call("prices", "end", each, "--to", "2029-12-31")


@pytest.mark.parametrize("name", ["book.toml", "book.csv"])
def test_a_file_taken_away_and_brought_back(call: Call, tmp_path: Path, name: str) -> None:
    """It changes nothing; with one more row it adds that."""
    path = tmp_path / name
    rows = call("prices", "export", path)["rows"]
    again = call("prices", "import", path)
    assert (again["numbers"], again["known"]) == ([], rows)
    more = {
        "book.toml": '\n[[price]]\nkind = "contract"\nmodel = "*"\nfirst_day = 2030-01-01\ndiscount = 0.1\n',
        "book.csv": "contract,*,2030-02-01,,0.1" + "," * 13 + "\n",
    }[name]
    path.write_text(path.read_text() + more)
    assert len(call("prices", "import", path, "--dry-run")["numbers"]) == 0
    [number] = call("prices", "import", path)["numbers"]
    call("prices", "end", number, "--to", "2029-12-31")


def test_refusals_are_sentences(call: Call, say: Call, tmp_path: Path) -> None:
    """Exit 1: another currency, terms that are none, a faulty file with its line."""
    add = ("prices", "add", "--from", "2026-10-01")
    assert call(*add, "--discount", "0.1", "--currency", "EUR", code=1)["context"] == {"currency": "EUR"}
    assert "USD only" in say(*add, "--discount", "0.1", "--currency", "EUR", code=1)
    assert "does not know" in call(*add, "--model", "claude-nobody-1", "--discount", "0.1", code=1)["context"]["why"]
    bad = tmp_path / "bad.csv"
    bad.write_text("kind,model,first_day,discount\ncontract,*,2026-10-01,nothing\n")
    assert call("prices", "import", bad, code=1)["context"]["line"] == 2
    bad.with_suffix(".toml").write_text("price = 1e" + "9" * 30)
    assert "too long" in call("prices", "import", bad.with_suffix(".toml"), code=1)["context"]["why"]
    assert "There is no file" in say("prices", "import", tmp_path / "absent.csv", code=1)
    assert "no file or folder" in say("prices", "export", tmp_path / "absent" / "book.csv", code=1)
    assert "number: 99" in say("prices", "end", "99", "--to", "2026-10-01", code=1)


@pytest.mark.parametrize(
    "arguments",
    [
        ("add",),
        ("add", "--discount", "0.1"),
        ("add", "--from", "2026-10-01"),
        ("add", "--from", "2026-10-01", "--discount", "0.1", "--price", "input=1"),
        ("add", "--from", "soon", "--discount", "0.1"),
        ("add", "--from", "2026-10-01", "--discount", "a lot"),
        ("add", "--from", "2026-10-01", "--price", "thought=1"),
        ("add", "--from", "2026-10-01", "--price", "input=NaN"),
        ("add", "--from", "2026-10-01", "--discount", "18"),
        ("add", "--from", "2026-10-01", "--discount=-5%"),
        ("add", "--from", "2026-10-01", "--discount", "nan"),
        ("add", "--from", "2026-10-01", "--model", "claude-opus-5", "--price", "input=3", "--price", "input=4"),
        ("list", "--from", "2026-10-01"),
        ("end", "--to", "2026-10-01"),
        ("end", "1"),
        ("end", "one", "--to", "2026-10-01"),
        ("import",),
        ("export",),
        ("burn",),
    ],
)
def test_wrong_usage(say: Call, arguments: tuple[str, ...]) -> None:
    """Exit 2, before anything is opened."""
    with pytest.raises(SystemExit) as ended:
        say("prices", *arguments)
    assert ended.value.code == 2


def test_the_document_is_json_to_the_last_cell(call: Call) -> None:
    """Nothing in it is a float: amounts would lose digits."""

    def floats(value: Any) -> bool:
        if isinstance(value, dict):
            return any(map(floats, value.values()))
        return any(map(floats, value)) if isinstance(value, list) else isinstance(value, float)

    assert not floats(json.loads(json.dumps(call("prices"))))
