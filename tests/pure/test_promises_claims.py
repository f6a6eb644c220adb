"""What came of a promise is what it was about: nothing that only happened meanwhile, whoever did that."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from core.opportunities.opportunity import Kind
from core.opportunities.promises import CLAIMS, Kept, Promise, baseline, kept
from core.opportunities.workload import Workload
from tests.pure.workloads import FIRST, LAST, MODEL, PREFIX, Made, cost, days, rate

NOW = datetime(2026, 11, 22, 20, tzinfo=UTC)
SINCE = LAST - timedelta(days=14)
COLD: dict[str, Any] = {"input_tokens": PREFIX + 200}
IN_VAIN = (Kind.DUPLICATES, Kind.BATCH, Kind.FAILURES, Kind.TRUNCATED)


def items(day: date) -> int:
    """So many requests a day, which differ a little."""
    return 90 + day.day % 3


def came(work: Workload, kind: Kind, usd: str = "20") -> Kept:
    """What came of a promise of so many dollars a month, made on the day from which things are different."""
    before = baseline(work, "work", kind, first=FIRST, last=SINCE - timedelta(days=1))
    assert before is not None
    promise = Promise(
        promise_id="p",
        key=f"{kind}:work",
        kind=kind,
        class_id="work",
        class_name="work",
        said="",
        confidence="estimated",
        usd_month=Decimal(usd),
        low=None,
        high=None,
        baseline_first=before.first,
        baseline_last=before.last,
        baseline_unit_usd=before.unit_usd,
        units_month=before.units_month,
        taken_at=datetime.combine(SINCE, time(), UTC),
        taken_by="ann",
    )
    return kept(work, promise, now=NOW)


def lived(before: dict[str, Any], after: dict[str, Any], *, model: str = MODEL) -> Made:
    """Four weeks of a class, of which the last two are different; it began on `model`."""
    made = Made()
    made.add_class("work", model=model)
    for day in days():
        if day >= SINCE:
            made.classes["work"]["model"] = MODEL
        made.send("work", day, items(day), **(after if day >= SINCE else before))
    return made


def test_every_kind_says_what_it_may_claim() -> None:
    """No kind claims all of a difference: prices, contracts and the mix of work are nobody's doing."""
    assert {*CLAIMS, *IN_VAIN} == set(Kind)
    assert not CLAIMS.keys() & set(IN_VAIN)
    assert not {"price", "contract", "mix", "volume"} & frozenset().union(*CLAIMS.values())


@pytest.mark.parametrize("kind", [Kind.PRIME, Kind.PREFIX, Kind.LIGHTER, *IN_VAIN])
def test_shorter_answers_keep_no_other_promise(kind: Kind) -> None:
    """Nobody primed, nobody moved the class: that its answers got shorter is not what was promised."""
    work = lived(COLD | {"output_tokens": 1_000}, COLD | {"output_tokens": 300}).work()
    found = came(work, kind)
    assert found.state == "not kept"
    assert found.realised_usd == 0


@pytest.mark.parametrize("kind", list(Kind))
def test_another_model_keeps_the_promise_of_a_lighter_one(kind: Kind) -> None:
    """Only the model moved: of all that was promised of the class this was kept, once."""
    work = lived(COLD | {"output_tokens": 300}, COLD | {"output_tokens": 300}, model="claude-opus-5").work()
    expected = "kept" if kind in (Kind.LIGHTER, Kind.TRIAL, Kind.RISE) else "not kept"
    assert came(work, kind).state == expected


@pytest.mark.parametrize("goes_on", [True, False])
def test_content_sent_twice_is_told_from_a_contract(goes_on: bool) -> None:
    """Half the price, and as much paid again as before: nothing came of it. Sent once: what was paid again did."""
    made = Made()
    made.add_class("work")
    usd = Decimal(0)
    for day in days():
        job = made.send("work", day, items(day), **COLD, output_tokens=300)
        paid = cost(made.cells[-1]) * (Decimal("0.5") if day >= SINCE else 1)
        made.cells[-1]["cost_usd"] = paid
        if goes_on or day < SINCE:
            made.duplicate(job, 20, paid / 5)
        else:
            usd += paid / 4
    found = came(made.work(), Kind.DUPLICATES, "1")
    assert found.realised_usd == usd.quantize(Decimal("0.000001"))
    assert found.state == ("not kept" if goes_on else "kept")


def test_answers_as_batches_are_measured_by_what_was_paid_for_haste() -> None:
    """What immediate answers would have cost beyond a batch, at the rate of before."""
    made = lived(COLD | {"output_tokens": 300, "service_tier": "standard"}, COLD | {"output_tokens": 300})
    after = sum((cost(cell) for cell in made.cells if cell["day"] >= SINCE), Decimal(0))
    assert came(made.work(), Kind.BATCH).realised_usd == after.quantize(Decimal("0.000001"))


def test_another_unit_changes_nothing_that_was_promised() -> None:
    """The owner counts pages since, ten an item: the dollars promised and realised stay what they were."""
    primed = {"input_tokens": 200, "cache_read_tokens": PREFIX, "output_tokens": 100}
    work = lived(COLD | {"output_tokens": 100}, primed).work()
    by_item = came(work, Kind.PRIME, "9")
    paged = replace(work, cells=work.cells.with_columns(pl.col("units") * 10, unit=pl.lit("page")))
    before = came(work, Kind.PRIME, "9").promise
    by_page = kept(paged, before, now=NOW)

    assert by_page.promised_usd == by_item.promised_usd
    assert by_page.realised_usd == by_item.realised_usd
    saved = sum(items(day) for day in days() if day >= SINCE) * PREFIX * (rate("input") - rate("cache_read"))
    assert by_item.realised_usd == saved.quantize(Decimal("0.000001"))


def test_what_is_still_to_come_is_not_counted() -> None:
    """Work after the moment that is asked about has not happened yet."""
    primed = {"input_tokens": 200, "cache_read_tokens": PREFIX, "output_tokens": 100}
    work = lived(COLD | {"output_tokens": 100}, primed).work()
    found = kept(work, came(work, Kind.PRIME).promise, now=NOW - timedelta(days=7))
    assert found.units == sum(items(day) for day in days() if SINCE <= day <= LAST - timedelta(days=7))
