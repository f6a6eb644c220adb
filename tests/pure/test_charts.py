"""Charts: valid, small, steady, described in words, and never an empty frame without advice."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from core.charts import (
    Figure,
    backlog_classes,
    failures,
    hit_rate,
    largest_step,
    plan_cost,
    predicted_actual,
    spend,
    turnaround,
    unit_cost,
    week_cadence,
)
from core.charts.figure import MARKS, log_ticks
from core.charts.series import by_class
from core.wording import usd

FIRST = date(2026, 10, 1)
STEP = FIRST + timedelta(days=20)
SENT = datetime(2026, 11, 2, 9, tzinfo=UTC)

COUNTS = ("attempts", "units", "failures", "reruns")
TOKENS = ("input_tokens", "cache_write_tokens", "cache_read_tokens", "output_tokens")
DAY_SCHEMA: dict[str, Any] = (
    {"day": pl.Date, "class_id": pl.String, "class_name": pl.String, "model": pl.String}
    | dict.fromkeys(COUNTS, pl.Int64)
    | {"cost_usd": pl.Decimal(38, 12), "wasted_usd": pl.Decimal(38, 12)}
    | dict.fromkeys(TOKENS, pl.Int128)
)
JOB_SCHEMA: dict[str, Any] = (
    dict.fromkeys(("job_id", "class_name", "model", "role"), pl.String)
    | {"item_count": pl.Int32}
    | dict.fromkeys(("submitted_at", "ended_at"), pl.Datetime("us", "UTC"))
    | {"predicted_usd": pl.Decimal(18, 9), "cost_usd": pl.Decimal(38, 12)}
)


def days(*rows: dict[str, Any]) -> pl.DataFrame:
    """Rows of `unit_cost_day`; what a test does not name is ordinary."""
    names = {"class_id": "c1", "class_name": "Triage", "model": "claude-haiku-5-5"}
    counts = {"attempts": 100, "units": 100, "failures": 0, "reruns": 0}
    tokens = dict(zip(TOKENS, (1_000, 1_000, 9_000, 500), strict=True))
    usual = {"day": FIRST, **names, **counts, **tokens, "cost_usd": Decimal("0.5"), "wasted_usd": None}
    return pl.DataFrame([usual | row for row in rows], schema=DAY_SCHEMA)


def trend() -> pl.DataFrame:
    """Two classes over 40 days; "Invoices" costs four times as much from `STEP` on and reads nothing more."""
    stretch = [FIRST + timedelta(days=number) for number in range(40)]
    before = {"class_id": "c2", "class_name": "Invoices"}
    after = before | {"cost_usd": Decimal(2), "cache_read_tokens": 0}
    invoices = [{"day": day} | (after if day >= STEP else before) for day in stretch]
    return days(*({"day": day} for day in stretch), *invoices)


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


DRAWN: dict[str, Callable[[], Figure]] = {
    "unit cost": lambda: unit_cost(trend()),
    "spend": lambda: spend(trend()),
    "hit rate": lambda: hit_rate(trend()),
    "failures": lambda: failures(failed((FIRST, "expired", 12, "0"), (FIRST, "overloaded_error", 3, "0"))),
    "predictions": lambda: predicted_actual(jobs({}, {"job_id": "bbbbbbbb", "cost_usd": Decimal(4)})),
    "turnaround": lambda: turnaround(jobs({}, {"item_count": 900}), window=timedelta(hours=4)),
    "backlog": lambda: backlog_classes(waiting(("Triage", 300, 1.5e6, 1.2e6), ("Calls", 50, 0.5e6, 0.0))),
    "week": lambda: week_cadence(week(moments=(5, 29)), "UTC"),
    "week of many sends": lambda: week_cadence(week(moments=range(168)), "UTC"),
    "plan": lambda: plan_cost(planned_usd=Decimal("12.30"), plain_usd=Decimal("40.50")),
}


@pytest.mark.parametrize("name", DRAWN)
def test_chart_is_valid_and_describes_itself(name: str) -> None:
    """Every chart passes the Vega-Lite schema, fills its width and carries its words."""
    drawn = DRAWN[name]()
    spec = _spec(drawn)

    assert drawn.empty is None
    assert spec["width"] == "container"
    assert spec["description"] == drawn.alt
    assert len(drawn.alt) > 40


@pytest.mark.parametrize("name", DRAWN)
def test_same_data_give_the_same_chart(name: str) -> None:
    """A chart whose names changed with every run would be drawn anew and lose its selection."""
    assert _spec(DRAWN[name]()) == _spec(DRAWN[name]())


@pytest.mark.parametrize("name", DRAWN)
def test_every_layer_has_its_own_name(name: str) -> None:
    """Two views of one name are two signals of one name: the browser would show nothing."""
    spec = _spec(DRAWN[name]())
    names = [layer["name"] for layer in spec.get("layer", [spec]) if "name" in layer]

    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", DRAWN)
def test_axes_are_labelled_and_colours_left_to_the_theme(name: str) -> None:
    """Units stand on the axes; a colour set here would be wrong in one of the two themes."""
    spec = _spec(DRAWN[name]())
    layers = spec.get("layer", [spec])
    titles = [
        layer["encoding"][axis]["axis"]["title"]
        for layer in layers
        for axis in ("x", "y")
        if "axis" in layer["encoding"].get(axis, {})
    ]

    assert sum(bool(title) for title in titles) >= (1 if name in {"backlog", "plan"} else 2)
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
    "turnaround, all under way": lambda: turnaround(jobs({"ended_at": None})),
    "backlog": lambda: backlog_classes(waiting()),
    "week": lambda: week_cadence(week(moments=()).with_columns(came=0.0), "UTC"),
    "plan": lambda: plan_cost(planned_usd=None, plain_usd=Decimal(1)),
}


@pytest.mark.parametrize("name", EMPTY)
def test_nothing_to_draw_says_what_to_do(name: str) -> None:
    """An empty chart is a sentence, not an empty frame."""
    drawn = EMPTY[name]()

    assert drawn.chart is None
    assert drawn.empty
    assert drawn.empty == drawn.alt
    assert drawn.empty.endswith(".")


def test_unit_cost_names_the_step_and_the_latest_figures() -> None:
    """What a manager reads in five seconds is also what a screen reader says."""
    text = unit_cost(trend()).alt

    assert "Invoices rose from $5.00 to $20.00 (×4) on 21 Oct 2026" in text
    assert "$10.50 more a week" in text
    assert "Latest: Invoices $20.00 and Triage $5.00." in text
    assert "×4 since 21 Oct 2026" in str(_spec(unit_cost(trend())))


def test_the_step_is_found_in_a_long_history_too() -> None:
    """A year is drawn by week, but a step is still dated by its day."""
    year = days({"day": FIRST - timedelta(days=300)})

    assert "(×4) on 21 Oct 2026" in unit_cost(pl.concat([year, trend()])).alt


def test_unit_cost_without_a_step_has_no_mark() -> None:
    """Ordinary weather is not announced."""
    calm = days(*({"day": FIRST + timedelta(days=n)} for n in range(20)))

    assert "Largest step" not in unit_cost(calm).alt
    assert "since" not in str(_spec(unit_cost(calm)))
    assert "since" not in str(_spec(unit_cost(trend(), annotate=False)))


def test_unit_cost_is_linear_until_classes_lie_far_apart() -> None:
    """A logarithmic axis is for cents beside dollars only."""
    assert _y(unit_cost(trend()))["scale"] == {"zero": True}
    far = pl.concat([trend(), days({"class_name": "Contracts", "cost_usd": Decimal(900)})])
    assert _y(unit_cost(far))["scale"]["type"] == "log"


def test_largest_step_is_the_one_with_most_money() -> None:
    """A class that triples for pennies matters less than one that grows by a third for dollars."""
    rows = []
    for number in range(30):
        late = number >= 15
        rows += [
            {"day": FIRST + timedelta(days=number), "cost_usd": Decimal("0.03") if late else Decimal("0.01")},
            {
                "day": FIRST + timedelta(days=number),
                "class_name": "Contracts",
                "cost_usd": Decimal(60) if late else Decimal(90),
            },
        ]
    step = largest_step(by_class(days(*rows)))

    assert step is not None
    assert (step.class_name, step.day) == ("Contracts", FIRST + timedelta(days=15))
    assert (round(step.before_usd, 6), round(step.after_usd, 6)) == (0.9, 0.6)
    assert step.factor == "÷1.5"
    assert step.weekly_usd == pytest.approx(-210)
    assert "Contracts fell from $900.00 to $600.00 (÷1.5)" in unit_cost(days(*rows)).alt


def test_no_days_no_step() -> None:
    """A frame without rows has no step, and neither has a single day."""
    assert largest_step(by_class(days())) is None
    assert largest_step(by_class(days({}))) is None


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
    spec = _spec(predicted_actual(many))
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


def _spec(drawn: Figure) -> dict[str, Any]:
    assert drawn.chart is not None
    spec: dict[str, Any] = drawn.chart.to_dict()
    return spec


def _y(drawn: Figure) -> dict[str, Any]:
    encoding: dict[str, Any] = _spec(drawn)["layer"][0]["encoding"]["y"]
    return encoding


def _marks(drawn: Figure) -> int:
    """Rows that are drawn: those of each layer's data set."""
    spec = _spec(drawn)
    shared = spec.get("data", {}).get("name")
    names = [layer.get("data", {}).get("name", shared) for layer in spec.get("layer", [spec])]
    return sum(len(spec["datasets"][name]) for name in names)
