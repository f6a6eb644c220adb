"""Next savings: each kind is found on work that has it, with the dollars that independent accounting gives."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from core.opportunities.opportunity import Kind, Opportunity
from core.opportunities.prefixes import cache_savings
from core.opportunities.resending import WARM
from core.opportunities.sizes import SizeRules, size_savings
from core.opportunities.waste import waste_savings
from core.opportunities.workload import Workload
from core.sizing.faults import Faults
from tests.pure.workloads import LAST, PREFIX, Made, cost, days, month, rate

ITEMS = 100
OWN: dict[str, Any] = {"input_tokens": 200, "output_tokens": 100}
FLOOR = 512
WRITES = Decimal(1) - Decimal(str(WARM))


def found(work: Workload) -> list[Opportunity]:
    """Everything that is found in the ledger alone."""
    return [*cache_savings(work), *waste_savings(work)]


def only(work: Workload) -> Opportunity:
    """The one thing that is found."""
    (one,) = found(work)
    return one


def primed(made: Made, name: str, day: object, items: int = ITEMS, **how: object) -> None:
    """A send in order: a primer of one, a body that reads."""
    primer = made.send(name, day, 1, role="primer", cache_write_1h_tokens=PREFIX, **OWN)  # type: ignore[arg-type]
    body = {"cache_read_tokens": PREFIX, "primer": primer, "cold": 60.0, "life": 3600.0, **OWN, **how}
    made.send(name, day, items - 1, **body)  # type: ignore[arg-type]


def test_nothing_is_found_in_work_that_is_in_order() -> None:
    """A primed class that reads, whose answers are all of use, has nothing to save."""
    made = Made()
    made.add_class("fine")
    for day in days():
        primed(made, "fine", day)

    assert found(made.work()) == []


def test_a_class_that_is_not_primed() -> None:
    """A cold job in which most requests write: what a tenth of them need not have written would have been read."""
    made = Made()
    made.add_class("cold")
    for day in days():
        job = made.send("cold", day, 80, cache_write_5m_tokens=PREFIX, **OWN)
        made.send("cold", day, 20, job=job, cache_read_tokens=PREFIX, usable=True, cause="other cell", **OWN)

    one = only(made.work())

    needless = Decimal(28 * PREFIX) * (80 - ITEMS * WRITES)
    assert one.kind is Kind.PRIME
    assert one.usd_month == month(needless * (rate("cache_write_5m") - rate("cache_read")))
    assert one.evidence["hit_rate"] == pytest.approx(0.2)
    assert one.confidence == "estimated"
    assert one.low is not None
    assert one.high is not None
    assert one.low <= one.usd_month <= one.high


def test_a_class_without_marks() -> None:
    """A prefix that the model would cache, paid in full by every request."""
    made = Made()
    made.add_class("plain")
    for day in days():
        made.send("plain", day, ITEMS, input_tokens=PREFIX + 200, output_tokens=100)

    one = only(made.work())

    written, read = ITEMS * WRITES * PREFIX, ITEMS * (1 - WRITES) * PREFIX
    primed_usd = written * rate("cache_write_1h") + read * rate("cache_read")
    assert one.kind is Kind.PRIME
    assert one.usd_month == month(28 * (ITEMS * PREFIX * rate("input") - primed_usd))


def test_a_prompt_that_changes_is_counted_from_the_day_it_began_to() -> None:
    """Primed and nothing read: the saving is that of the days since then, at the pace of four weeks."""
    made = Made()
    made.add_class("broken")
    for number, day in enumerate(days()):
        if number < 16:
            primed(made, "broken", day)
        else:
            primed(made, "broken", day, cache_read_tokens=0, cache_write_1h_tokens=PREFIX)

    one = only(made.work())

    daily = PREFIX * (ITEMS - ITEMS * WRITES) * (rate("cache_write_1h") - rate("cache_read"))
    assert one.kind is Kind.PREFIX
    assert one.evidence["since"] == LAST - timedelta(days=11)
    assert one.usd_month == month(28 * daily)


def test_a_body_that_goes_too_late() -> None:
    """Primed, and sent when the entry was gone: the same tokens, another cause."""
    made = Made()
    made.add_class("late")
    for day in days():
        primed(made, "late", day, cache_read_tokens=0, cache_write_1h_tokens=PREFIX, cold=5400.0)

    one = only(made.work())

    assert one.kind is Kind.SEND_TIME
    assert one.evidence["minutes_after_primer"] == 90


def test_pipelines_that_share_a_prefix() -> None:
    """Small jobs of two pipelines, each too small to cache by itself for much: together one writes for all."""
    made = Made()
    made.add_class("shared")
    for day in days():
        for pipeline in ("nightly", "hourly"):
            made.send("shared", day, 2, input_tokens=PREFIX + 200, output_tokens=100, pipeline=pipeline)

    one = only(made.work())

    apart, together = 4 * PREFIX * rate("input"), PREFIX * (rate("cache_write_1h") + 3 * rate("cache_read"))
    assert one.kind is Kind.GROUP
    assert one.evidence["pipelines"] == ["hourly", "nightly"]
    assert "hourly and nightly" in one.said
    assert one.usd_month == month(28 * (apart - together))


def test_a_prefix_just_below_the_floor() -> None:
    """Filled up to the floor it costs a tenth; the examples that fill it are paid for as well."""
    made = Made()
    made.add_class("short", prefix=400)
    made.add_class("far too short", prefix=100)
    for day in days():
        for name in ("short", "far too short"):
            made.send(name, day, 1_000, input_tokens=600, output_tokens=10)

    one = only(made.work())

    written, read = 1_000 * WRITES * FLOOR, 1_000 * (1 - WRITES) * FLOOR
    filled = written * rate("cache_write_1h") + read * rate("cache_read")
    assert (one.kind, one.class_name) == (Kind.TOP_UP, "short")
    assert one.usd_month == month(28 * (1_000 * 400 * rate("input") - filled))


def test_marks_that_nothing_reads() -> None:
    """One request a day that writes for an hour: no grouping and no primer would make anything read it."""
    made = Made()
    made.add_class("lone", prefix=200_000)
    for day in days():
        made.send("lone", day, 1, cache_write_1h_tokens=200_000, **OWN)

    one = only(made.work())

    assert one.kind is Kind.MARKS
    assert one.usd_month == month(28 * 200_000 * (rate("cache_write_1h") - rate("input")))


def test_answers_that_are_billed_and_of_no_use() -> None:
    """Cut off and sent again, or useless for another reason: all that was paid for them, daily or not."""
    made = Made()
    made.add_class("failing", prefix=0)
    for number, day in enumerate(days()):
        made.send("failing", day, 90, **OWN)
        if number % 2:
            made.send("failing", day, 10, usable=False, cause="max_tokens", input_tokens=200, output_tokens=1_024)
            made.send("failing", day, 4, usable=False, cause="refusal", **OWN)
            made.send("failing", day, 50, outcome="errored", billed=False, usable=False, cause="overloaded_error")
            made.send("failing", day, 64, role="repair", rerun=True, **OWN)
    work = made.work()

    paid = {cause: sum(cost(cell) for cell in made.cells if cell.get("cause") == cause) for cause in CAUSES}
    assert {each.kind: each.usd_month for each in found(work)} == {
        Kind.TRUNCATED: month(Decimal(paid["max_tokens"])),
        Kind.FAILURES: month(Decimal(paid["refusal"])),
    }
    assert {each.confidence for each in found(work)} == {"estimated"}
    assert next(each for each in found(work) if each.kind is Kind.TRUNCATED).evidence["answers"] == 140


CAUSES = ("max_tokens", "refusal")


def test_answers_that_were_cut_off_and_left_so() -> None:
    """What nobody sent again was paid once: with room for all of it it would have cost no less, so that is not said."""
    made = Made()
    made.add_class("left", prefix=0)
    for day in days():
        made.send("left", day, 80, **OWN)
        made.send("left", day, 20, usable=False, cause="max_tokens", input_tokens=200, output_tokens=4_000)

    one = only(made.work())

    assert (one.kind, one.confidence, one.evidence["sent_again"]) == (Kind.TRUNCATED, "assumed", 0)
    assert "max_tokens" not in one.said


def test_the_same_content_twice() -> None:
    """What was paid for content that had its answer."""
    made = Made()
    made.add_class("again", prefix=0)
    for day in days():
        job = made.send("again", day, ITEMS, input_tokens=20_000, output_tokens=100)
        made.duplicate(job, 30, made.cells[-1]["cost_usd"] * 30 / ITEMS)

    one = only(made.work())

    assert one.kind is Kind.DUPLICATES
    assert one.usd_month == month(28 * made.cells[0]["cost_usd"] * 30 / ITEMS)


def test_work_that_is_sent_at_once() -> None:
    """Half of what immediate answers cost."""
    made = Made()
    made.add_class("at once", prefix=0)
    for day in days():
        made.send("at once", day, ITEMS, service_tier="standard", **OWN)

    one = only(made.work())

    assert one.kind is Kind.BATCH
    assert one.usd_month == month(28 * made.cells[0]["cost_usd"] / 2)


def rules(**faults: object) -> SizeRules:
    """Nothing limits the size but what somebody's time costs."""
    return SizeRules(
        most_requests=100_000,
        blast_usd=25.0,
        job_usd=0.25,
        faults=lambda _class, _model: Faults(**faults),  # type: ignore[arg-type]
    )


def test_jobs_that_are_too_small() -> None:
    """Forty jobs a day where one would do: thirty-nine looks by a person, and no work held back."""
    made = Made()
    made.add_class("crumbs", prefix=0)
    for day in days():
        for _ in range(40):
            made.send("crumbs", day, 5, **OWN)

    (one,) = size_savings(made.work(), rules())

    assert one.kind is Kind.RESIZE
    assert one.evidence["jobs"] == 28 * 40
    assert one.evidence["jobs_better"] == 28
    assert one.confidence == "assumed"
    assert "larger" in one.said
    assert float(one.usd_month or 0) == pytest.approx(39 * 0.25 * 30, rel=0.1)


def test_a_job_of_the_right_size_is_left_alone() -> None:
    """One job a day is as few as there can be, however small it is."""
    made = Made()
    made.add_class("daily", prefix=0)
    for day in days():
        made.send("daily", day, 5, **OWN)

    assert list(size_savings(made.work(), rules())) == []


def test_what_is_not_billed_is_no_pace() -> None:
    """A rate per answer that is paid for goes with these answers: never more is saved than is paid."""
    usd = []
    for unbilled in (0, 300):
        made = Made()
        made.add_class("plain")
        for day in days():
            job = made.send("plain", day, ITEMS, input_tokens=PREFIX + 200, output_tokens=100)
            if unbilled:
                made.send("plain", day, unbilled, job=job, usable=False, billed=False, outcome="expired")
        (one,) = cache_savings(made.work())
        usd.append(one.usd_month)
        assert one.usd_month is not None
        assert one.usd_month < month(Decimal(made.work().cells["cost_usd"].sum()))
    assert usd[0] == usd[1]


def test_one_odd_job_is_no_month() -> None:
    """A cold job on one day of four weeks is worth itself, spread over the weeks, and is assumed."""
    made = Made()
    made.add_class("fine")
    for day in days():
        primed(made, "fine", day, items=1_000)
    made.send("fine", LAST, 200, cache_write_1h_tokens=PREFIX, **OWN)
    odd = 200 * PREFIX * (rate("cache_write_1h") - rate("cache_read"))

    (one,) = cache_savings(made.work())

    assert one.confidence == "assumed"
    assert one.usd_month is not None
    assert one.usd_month <= month(odd) * Decimal("1.01")


def test_work_that_ended_has_no_next_saving() -> None:
    """A class that was last sent three weeks ago saves nothing from here on."""
    made = Made()
    made.add_class("over")
    for day in days()[:8]:
        made.send("over", day, ITEMS, input_tokens=PREFIX + 200, output_tokens=100)

    assert found(made.work()) == []


def test_what_was_mended_is_not_listed() -> None:
    """Primed for three days now: the weeks before it was are over."""
    made = Made()
    made.add_class("mended")
    for day in days()[:-3]:
        made.send("mended", day, ITEMS, input_tokens=PREFIX + 200, output_tokens=100)
    for day in days()[-3:]:
        primed(made, "mended", day)

    assert found(made.work()) == []


def test_a_month_is_reckoned_from_whole_weeks() -> None:
    """A class of ten days is reckoned from its last week, so that no weekday counts twice."""
    made = Made()
    made.add_class("young", born=LAST - timedelta(days=9))
    for day in days(10):
        weekend = day.weekday() > 4
        made.send("young", day, 10 if weekend else ITEMS, input_tokens=PREFIX + 200, output_tokens=100)

    one = only(made.work())

    assert one.evidence["pace_days"] == 7
    assert one.evidence["requests_month"] == round((5 * ITEMS + 20) * 30 / 7)


def test_a_single_day_has_no_interval() -> None:
    """One day tells nothing about how much days differ: no interval is shown, rather than one of no width."""
    made = Made()
    made.add_class("new", born=LAST)
    made.send("new", LAST, ITEMS, input_tokens=PREFIX + 200, output_tokens=100)

    one = only(made.work())

    assert (one.low, one.high) == (None, None)


def test_what_has_no_price_is_in_no_saving() -> None:
    """Attempts whose cost is not known are left out: nothing is claimed of them."""
    made = Made()
    made.add_class("unknown")
    for day in days():
        made.send(
            "unknown",
            day,
            ITEMS,
            input_tokens=PREFIX + 200,
            output_tokens=100,
            unpriced=ITEMS,
            cost_usd=None,
            billed=None,
        )

    assert found(made.work()) == []


@pytest.mark.parametrize("kind", [cache_savings, waste_savings])
def test_no_work_no_savings(kind: Callable[[Workload], object]) -> None:
    """An empty ledger is no error."""
    assert list(kind(Made().work())) == []  # type: ignore[call-overload]
