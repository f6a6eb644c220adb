"""What the Sizing page shows of a class: the size that the plan takes, and curves that agree with it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.charts.figure import MARKS
from core.planning.class_size import Sizing
from core.planning.groups import Group, Kind
from core.planning.needs import Needs
from core.planning.plan import draft_plan
from core.planning.size_study import SIZES, SizeStudy, size_study
from core.planning.timetable import ALLOWANCE, timetable
from core.settings import Settings
from core.sizing.evidence import Evidence
from tests.pure.test_plan import BOOK, backlog

NOW = datetime(2026, 11, 22, 20, tzinfo=UTC)
TRIAGE = Group(
    place=0,
    kind=Kind.PRIMED,
    class_id="c",
    class_name="Triage",
    model="claude-sonnet-5-5",
    lifetime="1h",
    components=(0,),
    items=50_000,
    bytes=450_000_000,
    item_usd=0.000925,
    once_usd=0.0068,
    deadline=None,
)


def studied(group: Group = TRIAGE, **needs: object) -> SizeStudy:
    """The class under these needs, by the documented assumptions."""
    sizing = Sizing(settings=Settings(), evidence=Evidence(), needs=Needs(**needs), now=NOW)  # type: ignore[arg-type]
    return size_study(group, sizing)


def test_under_its_own_needs_a_class_has_the_size_of_the_plan() -> None:
    """What the page recommends is what submitting does."""
    items = backlog({"items": 40}, {"items": 7, "prefix_blocks": 0})
    needs = Needs(deadline=NOW + timedelta(hours=9), blast_usd=Decimal("0.01"))
    plan = draft_plan(items, book=BOOK, settings=Settings(), now=NOW, needs=needs)
    sizing = Sizing(settings=Settings(), evidence=plan.evidence, needs=needs, now=NOW)

    assert plan.sizes
    for size in plan.sizes:
        assert size_study(size.group, sizing).size == size


@given(
    items=st.integers(1, 1_000_000),
    usd=st.floats(1e-6, 5),
    void_rate=st.sampled_from([0.0, 1e-6, 1e-4, 0.01]),
    blast=st.sampled_from([1, 25, 1_000]),
)
@settings(max_examples=25)
def test_a_curve_holds_what_matters_and_stays_small(items: int, usd: float, void_rate: float, blast: int) -> None:
    """Sizes rise, the recommended one is among them, and every figure is a number, for any class."""
    study = studied(replace(TRIAGE, items=items, item_usd=usd), void_rate=void_rate, blast_usd=Decimal(blast))
    sizes = study.curve["items"]

    assert study.size.items in sizes
    assert sizes.is_sorted()
    assert sizes.n_unique() == sizes.len() <= SIZES < MARKS / 3
    assert study.curve["on_time"].null_count() == sizes.len()
    assert study.curve.select("price_usd", "fixed_usd", "at_risk_usd", "at_risk_hours").to_numpy().min() >= 0
    assert study.curve["rerun_usd"].is_finite().all()
    assert study.curve["at_risk_usd"].is_sorted()


def test_later_deadlines_are_surer_and_sizes_never_shrink_with_them() -> None:
    """From hopeless to certain; where no size is in time, the recommendation says so."""
    studies = [studied(deadline=NOW + timedelta(hours=hours), confidence=0.9) for hours in (0.25, 1, 3, 12, 26)]
    chances = [study.on_time or 0.0 for study in studies]

    assert chances == sorted(chances)
    assert chances[-1] > 0.99
    first, last = studies[0].size.recommendation, studies[-1].size.recommendation
    assert first is not None
    assert last is not None
    assert first.unkept == ("window",)
    assert first.items <= last.items


def test_the_chance_at_the_recommended_size_lies_on_its_curve() -> None:
    """The figure and the chart beside it never contradict each other."""
    study = studied(deadline=NOW + timedelta(hours=2))
    drawn = study.curve.filter(items=study.size.items)["on_time"][0]

    assert drawn == pytest.approx(study.on_time)


def test_a_class_without_a_price_has_no_curve() -> None:
    """No figure stands in for what is not known."""
    study = studied(replace(TRIAGE, item_usd=None), deadline=NOW + timedelta(hours=2))

    assert study.size.recommendation is None
    assert study.curve.is_empty()
    assert study.on_time is None


def test_a_slower_clock_or_dearer_faults_shorten_jobs() -> None:
    """What a visitor tries out goes the way that they expect."""
    usual = studied().size.items

    assert studied(void_rate=1e-3).size.items < usual < studied(void_rate=1e-7).size.items
    assert studied(job_usd=Decimal("0.01")).size.items < usual < studied(job_usd=Decimal(1)).size.items
    assert studied(blast_usd=Decimal(1)).size.items < usual


def test_the_timetable_has_every_job_once_and_its_repair_after_it() -> None:
    """Bars of a chart: who goes when, until it has ended, and then the time that a repair may take."""
    plan = draft_plan(backlog({"items": 40}, {"items": 7}), book=BOOK, settings=Settings(), now=NOW)
    rows = timetable(plan)
    jobs = rows.filter(rows["part"] != ALLOWANCE)

    assert jobs["jobs"].sum() == len(plan.jobs)
    assert jobs["items"].sum() == plan.items
    assert (rows["begins"] < rows["ends"]).all()
    assert jobs["lane"][0].startswith("Primer: ")
    for row in rows.filter(part=ALLOWANCE).iter_rows(named=True):
        assert row["begins"] in set(jobs.filter(lane=row["lane"])["ends"])
