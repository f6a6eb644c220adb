"""From a file to the bytes that are sent: the body of every planned job is exactly as long as was planned."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.caching.placing import mark
from core.intake.classes import regroup
from core.intake.imports import import_file
from core.jobs.body import BodySizeWrong, write_body
from core.jobs.journal import PlanOutdated, record_plan
from core.jobs.spending import Allowance
from core.jobs.states import JobState
from core.planning.identity import short_item
from core.planning.plan import Plan, draft_plan
from core.prices import PriceBook
from core.settings import Settings
from core.store import Store
from tests.strategies import Json, custom_ids, line, params, request

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BOOK = PriceBook.load()
SMALL = Settings(max_job_requests=4, max_job_bytes=120_000, blast_radius_usd=Decimal(1))


class Shop:
    """A workspace that files are imported into and jobs are planned in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store.open(folder / "lotwise.duckdb")

    def take(self, requests: dict[str, Json]) -> None:
        """Import these requests and find their classes."""
        path = self.folder / "requests.jsonl"
        path.write_bytes(b"\n".join(line(custom_id, of) for custom_id, of in requests.items()))
        import_file(self.store, self.folder, path, now=NOW)
        regroup(self.store, self.folder, BOOK, now=NOW)

    def plan(self, settings: Settings = SMALL) -> Plan:
        """Plan all that waits."""
        return draft_plan(self.store.query("backlog", class_ids=None), book=BOOK, settings=settings, now=NOW)

    def submit(self, made: Plan) -> list[str]:
        """Record the plan and return the ids of its jobs."""
        allowance = Allowance(settings=Settings(), now=NOW, by="somebody")
        return list(record_plan(self.store, made, now=NOW, simulated=True, allowance=allowance).jobs)

    def job(self, job_id: str) -> dict[str, Any]:
        """One job as the store has it."""
        return self.store.query("job", job_id=job_id).row(0, named=True)

    def empty(self) -> "Shop":
        """Forget everything: opening a store costs more than most examples."""

        def forget(tx: Any) -> None:
            for table in ("item", "import_file", "reject", "class", "plan", "job", "attempt", "unsettled"):
                tx._connection.execute(f"DELETE FROM {table}").fetchall()

        self.store.write(forget)
        return self


@pytest.fixture(scope="module")
def one_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The workspace of all tests here."""
    shop = Shop(tmp_path_factory.mktemp("shop"))
    yield shop
    shop.store.close()


@pytest.fixture
def shop(one_shop: Shop) -> Shop:
    """The workspace, empty."""
    return one_shop.empty()


HEAVY = "Extract every field of the invoice. " * 300


def heavy(number: int, **more: Any) -> Json:
    """A request of a class that is worth priming."""
    return request(f"Invoice {number}", system=HEAVY, **more)


def bodies(shop: Shop) -> dict[str, tuple[dict[str, Any], list[Json]]]:
    """Every job with the requests of its written body."""
    found = {}
    for job_id in shop.store.query("jobs_in", states=list(JobState))["job_id"]:
        job = shop.job(job_id)
        path = write_body(shop.store, shop.folder, job_id, planned_bytes=job["body_bytes"])
        data = path.read_bytes()
        assert job["body_bytes"] == len(data)
        found[job_id] = job, orjson.loads(data)["requests"]
    return found


@given(
    light=st.dictionaries(custom_ids, params(), max_size=6),
    few=st.lists(custom_ids.map(lambda name: "h" + name[1:]), max_size=9, unique=True),
    head=st.sampled_from(
        [
            {"system": HEAVY},
            {"system": [{"type": "text", "text": HEAVY, "cache_control": {"type": "ephemeral"}}]},
            {"tools": [{"name": "t", "description": HEAVY, "input_schema": {"type": "object"}}], "system": "Short."},
            {"messages": [{"role": "user", "content": HEAVY}, {"role": "assistant", "content": "Yes?"}]},
        ]
    ),
)
@settings(max_examples=15)
def test_bodies_are_the_backlog_to_the_byte(one_shop: Shop, light: dict[str, Json], few: list[str], head: Json) -> None:
    """Each item is sent once, unchanged but for its mark, in a body of the planned size within the limits."""
    shop = one_shop.empty()
    wanted: dict[str, Json] = dict(light)
    for number, name in enumerate(few):
        of = request(f"Question {number}") | head
        of["messages"] = [*head.get("messages", []), {"role": "user", "content": f"Question {number}"}]
        wanted[name] = of
    shop.take(wanted)
    if not wanted:
        return
    shop.submit(shop.plan())
    prefix = {row["item_id"]: row for row in shop.store.query("export_items").to_dicts()}

    sent: dict[str, Json] = {}
    for job_id, (job, requests) in bodies(shop).items():
        assert len(requests) == job["item_count"] <= SMALL.max_job_requests
        assert job["body_bytes"] <= SMALL.max_job_bytes
        names = {f"{job_id}-{short_item(name)}": name for name in wanted}
        for one in requests:
            assert one.keys() == {"custom_id", "params"}
            assert names[one["custom_id"]] not in sent
            sent[names[one["custom_id"]]] = one["params"]
    assert wanted.keys() == sent.keys() == prefix.keys()
    for name, of in sent.items():
        assert plain(wanted[name]) == plain(of)
        assert marks(of) <= 4


def marks(of: Json) -> int:
    """Blocks that carry a mark."""
    return orjson.dumps(of).count(b'"cache_control":{"type":"ephemeral","ttl":"1h"}')


def plain(of: Json) -> Json:
    """Parameters without marks, a lone text as a block: what the model reads."""

    def blocks(content: Any) -> Any:
        if isinstance(content, str):
            content = [{"type": "text", "text": content}] if content else []
        return [{key: value for key, value in block.items() if key != "cache_control"} for block in content or []]

    clean = of | {key: blocks(of[key]) for key in ("system", "tools") if key in of}
    return clean | {"messages": [message | {"content": blocks(message["content"])} for message in of["messages"]]}


def test_a_primed_class_is_marked_at_the_end_of_its_prefix(shop: Shop) -> None:
    """The primer's item and every item of the bodies ask for the same prefix, for an hour."""
    shop.take({f"i{number}": heavy(number) for number in range(9)})
    made = shop.plan()
    shop.submit(made)

    assert [job.role for job in made.jobs] == ["primer", "body", "body"]
    text = {"type": "text", "text": HEAVY, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    for _, requests in bodies(shop).values():
        assert all([text] == one["params"]["system"] for one in requests)
        assert all(isinstance(one["params"]["messages"][0]["content"], str) for one in requests)


def test_a_body_waits_for_the_primer_that_holds_its_prefix(shop: Shop) -> None:
    """Where prefixes need several primers, each body waits for its own."""
    shop.take(
        {f"c{of}-{number}": request(f"q{number}", system=f"{of} {HEAVY}") for of in range(6) for number in range(4)}
    )
    shop.submit(shop.plan())

    jobs = [shop.job(job_id) for job_id in shop.store.query("jobs_in", states=list(JobState))["job_id"]]
    primers = {job["job_id"] for job in jobs if job["role"] == "primer"}
    assert len(primers) == 2
    waiting = [job for job in jobs if job["role"] == "body"]
    assert {JobState.WAITING} == {job["state"] for job in waiting}
    for job in waiting:
        primed = shop.store.query("entry_primers", job_id=job["job_id"], since=NOW)
        (group,) = shop.store.query("body_entries", job_id=job["job_id"]).to_dicts()
        assert primed.filter(entry_id=group["entries"][-1])["job_id"].to_list() == [job["primer_job_id"]]


INSIDE = {f"i{number}": request(f"{HEAVY}\n{number} is the invoice to read.") for number in range(6)}


def test_a_text_is_cut_only_with_consent(shop: Shop) -> None:
    """A prefix that ends inside a text is proposed with its saving; until somebody agrees nothing is rewritten."""
    shop.take(INSIDE)
    made = shop.plan()

    assert [job.role for job in made.jobs] == ["body", "body"]
    (of,) = made.caching
    assert of.reasons == ("needs_split", "ends_inside_text")
    assert of.split_usd is not None
    assert of.plain_usd is not None
    assert Decimal(0) < of.split_usd < of.plain_usd
    shop.submit(made)
    for _, requests in bodies(shop).values():
        assert all(isinstance(one["params"]["messages"][0]["content"], str) for one in requests)


def test_an_agreed_cut_is_marked_and_not_a_character_is_lost(shop: Shop) -> None:
    """The head of the text becomes a block of its own with the mark, and the saving is what was proposed."""
    shop.take(INSIDE)
    proposed = shop.plan().caching[0]
    shop.store.write(lambda tx: tx.run("agree_split", class_id=proposed.class_id, agreed=True))
    made = shop.plan()
    (of,) = made.caching

    assert [job.role for job in made.jobs] == ["primer", "body", "body"]
    assert (of.marks, of.reasons, of.split_usd) == ((1,), ("primed_1h",), None)
    saved = (of.plain_usd or Decimal(0)) - (of.planned_usd or Decimal(0))
    assert abs(saved - (proposed.split_usd or Decimal(0))) < Decimal("1e-9")
    shop.submit(made)
    for job_id, (_, requests) in bodies(shop).items():
        for one in requests:
            head, rest = one["params"]["messages"][0]["content"]
            item = one["custom_id"].removeprefix(f"{job_id}-")
            assert head["text"] + rest["text"] == INSIDE[item]["messages"][0]["content"]
            assert (head["cache_control"], len(head["text"])) == ({"type": "ephemeral", "ttl": "1h"}, of.split_chars)
            assert rest.keys() == {"type", "text"}


def test_nested_prefixes_are_marked_at_every_level_that_pays(shop: Shop) -> None:
    """Tools that all share, and under them two prompts: items carry both marks, every innermost prefix is primed."""
    tools = [{"name": "t", "description": HEAVY, "input_schema": {"type": "object"}}]
    few = {f"f{n}": request(f"q{n}", system=f"Few. {HEAVY * 3}", tools=tools) for n in range(7)}
    lone = {f"l{n}": request(f"alone {n}", system=f"{n} alone", tools=tools) for n in range(12)}
    shop.take(few | lone)
    made = shop.plan(Settings())
    shop.submit(made)

    (primer,) = [job for job in made.jobs if job.role == "primer"]
    assert primer.items == 1
    by_item = {row["item_id"]: row for row in made.assignments.iter_rows(named=True)}
    assert {tuple(by_item[name]["marks"]) for name in few} == {(1, 2)}
    assert {tuple(by_item[name]["marks"]) for name in lone} == {(1,)}
    bodies(shop)


def test_unmarked_bodies_hold_the_parameters_as_they_were_stored(shop: Shop) -> None:
    """Nothing is parsed and written anew where nothing is marked."""
    of = request("ä", temperature=0.5, metadata={"user_id": "\u2028"})
    shop.take({"one": of})
    (job_id,) = shop.submit(shop.plan())
    path = write_body(shop.store, shop.folder, job_id, planned_bytes=shop.job(job_id)["body_bytes"])

    assert (
        b'{"requests":[{"custom_id":"%b-one","params":%b}]}' % (job_id.encode(), orjson.dumps(of)) == path.read_bytes()
    )


def test_the_sent_size_is_checked_before_sending(shop: Shop) -> None:
    """A body that is not as planned could be over a limit: it is not sent."""
    shop.take({"one": request()})
    (job_id,) = shop.submit(shop.plan())

    with pytest.raises(BodySizeWrong, match="planned: 7"):
        write_body(shop.store, shop.folder, job_id, planned_bytes=7)


def test_a_plan_is_recorded_once(shop: Shop) -> None:
    """Two clicks make one submission: the second finds its items taken and stores nothing."""
    shop.take({f"i{number}": request(f"q{number}") for number in range(3)})
    made = shop.plan()
    shop.submit(made)
    with pytest.raises(PlanOutdated):
        shop.submit(made)

    assert shop.store.query("jobs_in", states=list(JobState)).height == 1
    assert shop.store.query("backlog", class_ids=None).is_empty()
    assert shop.store.query("export_items")["status"].unique().to_list() == ["in flight"]


def test_predictions_are_kept_with_the_job(shop: Shop) -> None:
    """What was expected is compared with what happens, so it is stored to the last decimal a price needs."""
    shop.take({f"i{number}": heavy(number) for number in range(9)})
    made = shop.plan()
    ids = shop.submit(made)

    stored = [shop.job(job_id) for job_id in ids]
    for job, planned in zip(stored, made.jobs, strict=True):
        assert planned.predicted_usd is not None
        assert abs(job["predicted_usd"] - planned.predicted_usd) < Decimal("1e-8")
        assert (planned.items, planned.body_bytes, planned.role) == (job["item_count"], job["body_bytes"], job["role"])


def test_classes_are_described_by_what_they_share(shop: Shop) -> None:
    """A name a person recognises, the tokens, and whether the model would cache them; unshared items say so."""
    shop.take(
        {f"i{number}": heavy(number) for number in range(3)}
        | {"lonely": request("x", model="claude-sonnet-5-5")}
        | {
            f"d{n}": request(
                [
                    {"type": "image", "source": {}},
                    {"type": "text", "text": "Look  here"},
                    {"type": "text", "text": str(n)},
                ]
            )
            for n in range(2)
        }
    )
    found = {row["class_name"]: row for row in shop.plan().classes.to_dicts()}

    name = "Extract every field of the invoice. Extract every field of…"
    assert {name, "Unshared requests, claude-sonnet-5-5", "Look here"} == set(found)
    assert (3, True, len(HEAVY)) == (found[name]["items"], found[name]["cacheable"], found[name]["prefix_chars"])
    assert found[name]["preview"].startswith("Extract every")
    assert len(found[name]["preview"]) == 400
    assert tuple(found["Unshared requests, claude-sonnet-5-5"][key] for key in ("items", "cacheable", "preview")) == (
        1,
        False,
        "",
    )


def test_a_class_without_any_text_is_named_by_its_model(shop: Shop) -> None:
    """Two pictures in a row have no words to show."""
    picture = {"type": "image", "source": {"type": "url", "url": "u"}}
    shop.take({f"i{n}": request([picture, picture | {"n": n}]) for n in range(2)})

    assert shop.plan().classes["class_name"].to_list() == ["claude-haiku-5-5"]


def test_items_already_sent_keep_their_class(shop: Shop) -> None:
    """What comes in later may regroup what waits, never what is under way."""
    shop.take({"a": request("x", system="S" * 500)})
    shop.submit(shop.plan())
    before = shop.store.query("export_items").select("item_id", "class_id").rows()
    shop.take({f"b{number}": request("x", system="S" * 500) for number in range(3)})

    after = dict(shop.store.query("export_items").select("item_id", "class_id").rows())
    assert all(after[item] == class_id for item, class_id in before)


def test_importing_in_pieces_gives_the_same_classes_as_at_once(shop: Shop) -> None:
    """Classes are found anew after every file."""
    requests = {f"{of}{number}": request(f"q{number}", system=of * 800) for of in "AB" for number in range(4)}
    shop.take(requests)
    at_once = shop.store.query("export_items").select("item_id", "class_id").sort("item_id")
    shop.empty()
    for name in sorted(requests, key=lambda name: name[::-1]):
        shop.take({name: requests[name]})

    assert at_once.equals(shop.store.query("export_items").select("item_id", "class_id").sort("item_id"))


def test_nothing_to_group_is_no_fault(shop: Shop) -> None:
    """An import of rejects alone has no classes."""
    regroup(shop.store, shop.folder, BOOK, now=NOW)

    assert shop.store.query("backlog", class_ids=None).is_empty()


def test_a_mark_is_put_by_the_class_of_the_attempt(shop: Shop) -> None:
    """Not by what later imports make of the same prompts."""
    shop.take({f"i{number}": heavy(number) for number in range(4)})
    shop.submit(shop.plan())
    before = {job_id: requests for job_id, (_, requests) in bodies(shop).items()}
    shop.take({f"z{number}": heavy(1) for number in range(40)})

    assert before == {job_id: requests for job_id, (_, requests) in bodies(shop).items()}
    expected = mark(heavy(2), 1)
    assert expected in [one["params"] for requests in before.values() for one in requests]


def test_export_counts_what_was_planned(shop: Shop) -> None:
    """One attempt an item, claimed and open."""
    shop.take({f"i{number}": heavy(number) for number in range(5)})
    shop.submit(shop.plan())
    attempts = shop.store.query("export_attempts")

    assert 5 == attempts.height == attempts["custom_id"].n_unique()
    assert attempts.select(pl.col("outcome").is_null().all()).item()
