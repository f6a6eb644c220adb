"""Charts: valid, small, steady, described in words, and never an empty frame without advice."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from core.charts import (
    Figure,
    attribution,
    backlog_classes,
    expected,
    failures,
    hit_rate,
    plan_cost,
    predicted_actual,
    spend,
    turnaround,
    unit_cost,
    week_cadence,
)
from core.charts.figure import MARK, MARKS, log_ticks
from core.charts.series import by_class
from core.wording import usd
from tests.pure.charting import FIRST, STEP, days, spec_of, step, trend

SENT = datetime(2026, 11, 2, 9, tzinfo=UTC)

JOB_SCHEMA: dict[str, Any] = (
    dict.fromkeys(("job_id", "class_name", "model", "role"), pl.String)
    | {"item_count": pl.Int32}
    | dict.fromkeys(("submitted_at", "ended_at"), pl.Datetime("us", "UTC"))
    | {"predicted_usd": pl.Decimal(18, 9), "cost_usd": pl.Decimal(38, 12)}
)


def jobs(*rows: dict[str, Any]) -> pl.DataFrame:
    """Rows of `job_status`, as far as charts read them."""
    names = {"job_id": "aaaaaaaa", "class_name": "Triage", "model": "claude-haiku-5-5", "role": "body"}
    times = {"submitted_at": SENT, "ended_at": SENT + timedelta(minutes=30)}
    money = {"predicted_usd": Decimal("1.00"), "cost_usd": Decimal("1.10")}
    usual = {**names, "item_count": 100, **times, **money}
    return pl.DataFrame([usual | row for row in rows], schema=JOB_SCHEMA)


def failed(*rows: tuple[date, str, int, str | None]) -> pl.DataFrame:
    """Rows of `failure_days`."""
    frame = pl.DataFrame(rows, schema=["day", "cause", "attempts", "cost_usd"], orient="row")
    types = (pl.Date, pl.String, pl.Int64, pl.Decimal(38, 12))
    return frame.cast(dict(zip(frame.columns, types, strict=True)))


def parts(*rows: tuple[str, str]) -> pl.DataFrame:
    """Parts of a difference, in USD."""
    return pl.DataFrame(rows, schema=["part", "usd"], orient="row").with_columns(pl.col("usd").cast(pl.Decimal(38, 12)))


def waiting(*rows: tuple[str, int, float, float]) -> pl.DataFrame:
    """Rows of `chart_backlog_classes`."""
    frame = pl.DataFrame(rows, schema=["class_name", "items", "prompt_tokens", "cacheable_tokens"], orient="row")
    types = (pl.String, pl.Int64, pl.Float64, pl.Float64)
    return frame.cast(dict(zip(frame.columns, types, strict=True)))


def week(moments: Iterable[int]) -> pl.DataFrame:
    """Hours of a week: ten items come in each, and are sent at these."""
    at = set(moments)
    sent = [1680 / max(1, len(at)) if hour in at else 0.0 for hour in range(168)]
    return pl.DataFrame({"came": [10.0] * 168, "sent": sent})


def usual_days(count: int, known: int) -> pl.DataFrame:
    """Rows of expected spend; from day `known` on something is expected, and the last day is flagged."""
    numbers = range(count)
    columns = {
        "day": [FIRST + timedelta(days=number) for number in numbers],
        "usd": [10.0 + number % 3 for number in numbers],
        **{name: [usd if number >= known else None for number in numbers] for name, usd in USUAL.items()},
        "flagged": [number == count - 1 for number in numbers],
    }
    return pl.DataFrame(
        columns, schema={"day": pl.Date, "usd": pl.Float64, **dict.fromkeys(USUAL, pl.Float64), "flagged": pl.Boolean}
    )


USUAL = {"expected_usd": 9.0, "low_usd": 7.0, "high_usd": 11.0}

DRAWN: dict[str, Callable[[], Figure]] = {
    "unit cost": lambda: unit_cost(trend(), steps=[step()]),
    "spend": lambda: spend(trend()),
    "hit rate": lambda: hit_rate(trend()),
    "failures": lambda: failures(failed((FIRST, "expired", 12, "0"), (FIRST, "overloaded_error", 3, "0"))),
    "predictions": lambda: predicted_actual(jobs({}, {"job_id": "bbbbbbbb", "cost_usd": Decimal(4)})),
    "turnaround": lambda: turnaround(jobs({}, {"item_count": 900}), window=timedelta(hours=4)),
    "attribution": lambda: attribution(parts(("cache hits", "7.5"), ("reruns", "-2"), ("contract", "0"))),
    "backlog": lambda: backlog_classes(waiting(("Triage", 300, 1.5e6, 1.2e6), ("Calls", 50, 0.5e6, 0.0))),
    "week": lambda: week_cadence(week(moments=(5, 29)), "UTC"),
    "week of many sends": lambda: week_cadence(week(moments=range(168)), "UTC"),
    "plan": lambda: plan_cost(planned_usd=Decimal("12.30"), plain_usd=Decimal("40.50")),
    "expected": lambda: expected(usual_days(60, known=28)),
}


@pytest.mark.parametrize("name", DRAWN)
def test_chart_is_valid_and_describes_itself(name: str) -> None:
    """Every chart passes the Vega-Lite schema, fills its width and carries its words."""
    drawn = DRAWN[name]()
    spec = spec_of(drawn)

    assert drawn.empty is None
    assert spec["width"] == "container"
    assert spec["description"] == drawn.alt
    assert len(drawn.alt) > 40


@pytest.mark.parametrize("name", DRAWN)
def test_same_data_give_the_same_chart(name: str) -> None:
    """A chart whose names changed with every run would be drawn anew and lose its selection."""
    assert spec_of(DRAWN[name]()) == spec_of(DRAWN[name]())


@pytest.mark.parametrize("name", DRAWN)
def test_every_layer_has_its_own_name(name: str) -> None:
    """Two views of one name are two signals of one name: the browser would show nothing."""
    spec = spec_of(DRAWN[name]())
    names = [layer["name"] for layer in spec.get("layer", [spec]) if "name" in layer]

    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", DRAWN)
def test_axes_are_labelled_and_colours_left_to_the_theme(name: str) -> None:
    """Units stand on the axes; a colour set here would be wrong in one of the two themes."""
    spec = spec_of(DRAWN[name]())
    layers = spec.get("layer", [spec])
    titles = [
        layer["encoding"][axis]["axis"]["title"]
        for layer in layers
        for axis in ("x", "y")
        if "axis" in layer["encoding"].get(axis, {})
    ]

    assert sum(bool(title) for title in titles) >= (1 if name in {"attribution", "backlog", "plan"} else 2)
    assert "#" not in str([layer["encoding"] for layer in layers])
    for layer in layers:
        assert not {"color", "fill", "stroke"} & set(layer["mark"])


EMPTY: dict[str, Callable[[], Figure]] = {
    "unit cost": lambda: unit_cost(days()),
    "unit cost, nothing usable": lambda: unit_cost(days({"units": 0})),
    "unit cost, no price": lambda: unit_cost(days({"cost_usd": None})),
    "spend": lambda: spend(days()),
    "hit rate": lambda: hit_rate(days()),
    "hit rate, no marks": lambda: hit_rate(days({"cache_read_tokens": 0, "cache_write_tokens": 0})),
    "failures": lambda: failures(failed()),
    "predictions": lambda: predicted_actual(jobs()),
    "predictions, no price": lambda: predicted_actual(jobs({"predicted_usd": None}, {"cost_usd": None})),
    "turnaround": lambda: turnaround(jobs()),
    "attribution": lambda: attribution(parts(("contract", "0"))),
    "turnaround, all under way": lambda: turnaround(jobs({"ended_at": None})),
    "backlog": lambda: backlog_classes(waiting()),
    "week": lambda: week_cadence(week(moments=()).with_columns(came=0.0), "UTC"),
    "plan": lambda: plan_cost(planned_usd=None, plain_usd=Decimal(1)),
    "expected": lambda: expected(usual_days(0, known=0)),
    "expected, too few days": lambda: expected(usual_days(20, known=28)),
}


@pytest.mark.parametrize("name", EMPTY)
def test_nothing_to_draw_says_what_to_do(name: str) -> None:
    """An empty chart is a sentence, not an empty frame."""
    drawn = EMPTY[name]()

    assert drawn.chart is None
    assert drawn.empty
    assert drawn.empty == drawn.alt
    assert drawn.empty.endswith(".")


def test_an_attribution_says_every_part_and_what_they_come_to() -> None:
    """The largest part first, whichever way it went; what moved nothing is not drawn."""
    text = attribution(parts(("reruns", "-2"), ("cache hits", "7.5"), ("contract", "0"))).alt

    assert text == "The difference of +$5.50 by what it comes from: cache hits +$7.50 and reruns -$2.00."


def test_what_is_clicked_is_named() -> None:
    """A click gives a page what it needs to go on: the day of a bar, the class of a line, the id of a job."""
    fields = {"spend": "date", "failures": "date", "unit cost": "class_name", "hit rate": "class_name"}
    for name, field in (fields | {"turnaround": "job_id"}).items():
        (mark,) = (param for param in spec_of(DRAWN[name]())["params"] if param["name"] == MARK)
        assert mark["select"]["fields"] == [field]


def test_a_class_stays_one_line_when_it_changes_models() -> None:
    """Moving to another tier is part of a class's story."""
    moved = by_class(days({"model": "claude-opus-5", "class_id": "x"}, {"day": STEP}, {"day": STEP, "class_id": "y"}))

    assert moved["class_name"].unique().to_list() == ["Triage"]
    assert moved["units"].to_list() == [100, 200]


@pytest.mark.parametrize("draw", [unit_cost, spend, hit_rate])
def test_many_classes_over_years_stay_under_the_cap(draw: Callable[[pl.DataFrame], Figure]) -> None:
    """30 classes over 800 days would be 24,000 rows: small classes are summed, days become weeks."""
    rows = [
        {"day": FIRST + timedelta(days=number), "class_name": f"Class {k:02d}", "cost_usd": Decimal(k + 1)}
        for number in range(800)
        for k in range(30)
    ]
    drawn = draw(days(*rows))

    assert _marks(drawn) <= MARKS
    assert "25 other classes" in drawn.alt


def test_unnamed_classes_are_shown_all_the_same() -> None:
    """Spend without a class name is still spend."""
    assert "Unnamed class $0.50 (100 %)" in spend(days({"class_name": None})).alt


def test_spend_names_total_peak_and_shares() -> None:
    """20 days at $1.00 and 20 at $2.50."""
    text = spend(trend()).alt

    assert "$70.00 in all" in text
    assert "Highest day: 21 Oct 2026 with $2.50" in text
    assert "Invoices $50.00 (71 %) and Triage $20.00 (29 %)" in text


def test_free_days_have_shares_too() -> None:
    """Nothing spent is no division by zero."""
    assert "Triage $0 (0 %)" in spend(days({"cost_usd": Decimal(0)})).alt


def test_hit_rate_warns_under_break_even() -> None:
    """Below break-even a one-hour write costs more than no cache: that must be said."""
    text = hit_rate(trend()).alt

    assert "Invoices 90 % at first, 0 % now and Triage 90 % at first, 90 % now." in text
    assert "Under the break-even of 53 % for one-hour writes: Invoices." in text


def test_failures_are_counted_by_cause_and_day() -> None:
    """Causes in plain words, with what was paid for nothing."""
    text = failures(
        failed((FIRST, "expired", 1_200, "0"), (STEP, "overloaded_error", 3, None), (STEP, "truncated", 2, "0.4"))
    ).alt

    assert text.startswith("1,205 failed attempts from 1 Oct 2026 to 21 Oct 2026 (UTC), $0.40 paid for them.")
    assert "Worst day: 1 Oct 2026 with 1,200." in text
    assert "expired 1,200, overloaded error 3 and truncated 2" in text


def test_many_failure_days_become_weeks() -> None:
    """Years of causes stay under the cap."""
    rows = [(FIRST + timedelta(days=n), f"cause {k}", 1, "0") for n in range(500) for k in range(5)]

    assert _marks(failures(failed(*rows))) <= MARKS


def test_predictions_name_how_far_off() -> None:
    """One of two jobs within 15 %; the other class cost four times its prediction."""
    text = predicted_actual(jobs({}, {"job_id": "bbbbbbbb", "class_name": "Invoices", "cost_usd": Decimal(4)})).alt

    assert "newest 2 jobs: predicted $2.00, actual $5.10 (+155%)" in text
    assert "50 % of the jobs are within 15 %" in text
    assert "Furthest off: Invoices (+300%)" in text


def test_newest_jobs_are_drawn() -> None:
    """Old jobs say little about the plans of today, and dots cost bytes."""
    many = jobs(*({"job_id": f"{n:08d}", "submitted_at": SENT + timedelta(minutes=n)} for n in range(600)))
    spec = spec_of(predicted_actual(many))
    ids = {row.get("job_id") for rows in spec["datasets"].values() for row in rows} - {None}

    assert len(ids) == 400
    assert min(ids) == "00000200"


def test_turnaround_names_median_tail_and_window() -> None:
    """How long jobs take, and how many are too late for the step after them."""
    ended = [SENT + timedelta(minutes=m) for m in (10, 20, 60 * 24)]
    frame = jobs(*({"job_id": f"{n}", "item_count": 10 * n, "ended_at": at} for n, at in enumerate(ended, 1)))
    text = turnaround(frame, window=timedelta(hours=4)).alt

    assert "newest 3 jobs of 10 to 30 items: half ended within 20 min" in text
    assert "the slowest took 24.0 h. 1 job ran into the 24-hour limit." in text
    assert "1 job took longer than the window of 4.0 h." in text
    assert "window" not in turnaround(frame).alt


def test_backlog_names_shares_and_sums_the_tail() -> None:
    """Large classes one by one, the many small ones together; the cacheable share of each."""
    text = backlog_classes(waiting(("Triage", 300, 1.5e6, 1.2e6), ("Calls", 50, 0.5e6, 0.0))).alt

    assert "350 items and about 2.0 million prompt tokens (estimated), 60 % of which" in text
    assert "Triage 75 % of the tokens, 80 % of them cacheable" in text
    tail = backlog_classes(waiting(*((f"Class {n:02d}", 1, 1_000.0 - n, 0.0) for n in range(40))))
    assert "32 other classes" in tail.alt
    assert _marks(tail) == 18


@pytest.mark.parametrize(
    ("planned", "plain", "words"),
    [
        ("12.30", "40.50", "$12.30 as planned, $40.50 without caching: caching saves $28.20 (70 %)."),
        ("44.00", "40.00", "caching adds $4.00 (10 %)."),
        ("0.004", "0.004", "$0.004 as planned, $0.004 without caching: caching changes nothing here."),
    ],
)
def test_plan_cost_says_what_caching_does(planned: str, plain: str, words: str) -> None:
    """Saved, lost or nothing: never dressed up."""
    assert plan_cost(planned_usd=Decimal(planned), plain_usd=Decimal(plain)).alt.endswith(words)


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "$0"), (0.00425, "$0.0043"), (3.184, "$3.18"), (12_400.4, "$12,400"), (-5, "-$5.00")],
)
def test_money_has_as_many_digits_as_it_deserves(amount: float, text: str) -> None:
    """Tiny unit costs keep two digits, large sums lose their cents."""
    assert usd(amount) == text


def test_log_ticks_are_few_and_round() -> None:
    """Threefold steps within three decades, powers of ten beyond."""
    assert log_ticks(1, 563) == [1, 3, 10, 30, 100, 300, 1000, 3000]
    assert log_ticks(0.06, 98) == [0.01, 0.1, 1, 10, 100]


def _marks(drawn: Figure) -> int:
    """Rows that are drawn: those of each layer's data set."""
    spec = spec_of(drawn)
    shared = spec.get("data", {}).get("name")
    names = [layer.get("data", {}).get("name", shared) for layer in spec.get("layer", [spec])]
    return sum(len(spec["datasets"][name]) for name in names)
