"""The prefix icicle: every dollar that waits is in it once, whatever the tree looks like, and it stays a picture."""

from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.charts import PICKED, Figure, prefix_icicle
from core.charts.bands import Band, Bands, stack

RATES = {"claude-haiku-5-5": 1e-7, "claude-opus-5-5": 2e-6}
HAIKU, OPUS = RATES
NODE_SCHEMA = {
    "node_id": pl.String,
    "parent_id": pl.String,
    "class_id": pl.String,
    "model": pl.String,
    "level": pl.Int64,
    "items": pl.Int64,
    "excerpt": pl.String,
    "tokens": pl.Float64,
}
CLASS_SCHEMA = {
    "class_id": pl.String,
    "name": pl.String,
    "model": pl.String,
    "state": pl.String,
    "prefix_tokens": pl.Int64,
    "waiting_items": pl.Int64,
    "waiting_tokens": pl.Float64,
}
STATES = ("cacheable", "split", "short", "unshared")
MARKS = 600


def node(name: str, parent: str | None, tokens: float, items: int, **more: Any) -> dict[str, Any]:
    """A row of `prefix_nodes`; its id is its class's where it ends one."""
    usual = {"class_id": None, "model": HAIKU, "level": 0 if parent is None else 1, "excerpt": f"text of {name}"}
    return {"node_id": name, "parent_id": parent, "tokens": tokens, "items": items} | usual | more


def one_class(name: str, prefix: int, items: int, each: float, **more: Any) -> dict[str, Any]:
    """A row of `classes_listed`, as far as the picture reads it; `each`: tokens of its mean prompt."""
    usual = {"name": f"Class {name}", "model": HAIKU, "state": "cacheable"}
    return {"class_id": name, "prefix_tokens": prefix, "waiting_items": items, "waiting_tokens": items * each} | (
        usual | more
    )


def nodes(*rows: dict[str, Any]) -> pl.DataFrame:
    """The tree."""
    return pl.DataFrame(rows, schema=NODE_SCHEMA)


def classes(*rows: dict[str, Any]) -> pl.DataFrame:
    """The classes."""
    return pl.DataFrame(rows, schema=CLASS_SCHEMA)


TREE = nodes(
    node("scope", None, 0, 150),
    node("head", "scope", 1_000, 110),
    node("a", "head", 3_000, 80, class_id="a"),
    node("b", "head", 2_000, 30, class_id="b"),
    node("c", "scope", 800, 40, class_id="c"),
    node("deeper", "a", 3_500, 40),
)
CLASSES = classes(
    one_class("a", 3_000, 80, 4_000),
    one_class("b", 2_000, 30, 2_500, state="split"),
    one_class("c", 800, 40, 900, state="short"),
)


def laid_out(tree: pl.DataFrame, found: pl.DataFrame) -> Bands:
    """The bars, each token at a dollar."""
    return stack(tree, found.with_columns(usd=pl.col("waiting_tokens")))


def spec(figure: Figure) -> dict[str, Any]:
    """The Vega-Lite specification."""
    assert figure.chart is not None
    made: dict[str, Any] = figure.chart.to_dict()
    return made


def marks(figure: Figure) -> int:
    """Rectangles and words that the browser draws."""
    made = spec(figure)
    return sum(len(made["datasets"][layer["data"]["name"]]) for layer in made["layer"])


def test_a_fork_is_drawn_where_classes_part() -> None:
    """The shared head comes first; its classes stand behind it, one below the other, the dearest on top."""
    bars = {(band.name, band.part, band.start): band for band in laid_out(TREE, CLASSES).bands}

    head, first, second = (
        bars["2 classes", "shared", 0],
        bars["Class a", "shared", 1_000],
        bars["Class b", "shared", 1_000],
    )
    assert (head.top, head.bottom, head.end) == (0, 395_000, 1_000)
    assert (first.top, first.bottom, first.end) == (0, 320_000, 3_000)
    assert (second.top, second.bottom, second.end) == (320_000, 395_000, 2_000)
    assert bars["Class a", "differs", 3_000].end == 4_000
    assert head.class_id is None
    assert first.class_id == "a"


def test_what_some_of_a_class_share_further_is_inside_it() -> None:
    """Half of class a goes on alike: half of its height, behind its prefix."""
    inner = next(band for band in laid_out(TREE, CLASSES).bands if band.start == 3_000 and band.part == "shared")

    assert (inner.top, inner.bottom, inner.end, inner.class_id) == (0, 160_000, 3_500, "a")
    assert inner.begins == "text of deeper"


def test_no_fork_no_border() -> None:
    """Ten blocks that everybody sends are one bar, not ten."""
    chain = [node("scope", None, 0, 5)]
    chain += [node(f"n{n}", "scope" if n == 0 else f"n{n - 1}", 100.0 * (n + 1), 5, level=n + 1) for n in range(10)]
    chain[-1]["class_id"] = "only"
    shared = [
        band
        for band in laid_out(nodes(*chain), classes(one_class("only", 1_000, 5, 1_200))).bands
        if band.part == "shared"
    ]

    assert [(band.start, band.end, band.begins) for band in shared] == [(0, 1_000, "text of n0")]


def test_a_class_of_what_shares_nothing_is_pale_only() -> None:
    """There is no strong bar where nothing is shared."""
    alone = classes(one_class("u", 0, 9, 700, state="unshared"))
    (band,) = laid_out(nodes(node("scope", None, 0, 9, class_id="u")), alone).bands

    assert (band.part, band.start, band.end, band.class_id) == ("differs", 0, 700, "u")


def test_small_classes_share_bars_by_state_and_length() -> None:
    """Ten thousand equal classes are a skyline of some fifty bars that names every one of them."""
    many = classes(
        *(one_class(f"k{n:05d}", 100 + n % 900, 3, 1_200, state=STATES[n % 2]) for n in range(10_000)),
    )
    bands = laid_out(nodes(node("scope", None, 0, 30_000)), many).bands
    counted = [int(band.name.split()[0].replace(",", "")) for band in bands if band.part == "differs"]
    starts = [band.end for band in bands if band.part == "shared" and band.state == "cacheable"]

    assert sum(counted) == 10_000
    assert len(bands) <= MARKS
    assert starts == sorted(starts, reverse=True)
    assert {band.class_id for band in bands} == {None}


def test_models_stand_apart_dearest_first() -> None:
    """One strip a model, from the dearest down."""
    two = pl.concat([CLASSES, classes(one_class("o", 500, 9, 90_000, model=OPUS))])
    trees = pl.concat([TREE, nodes(node("os", None, 0, 9, model=OPUS), node("o", "os", 500, 9, model=OPUS))])
    bands = laid_out(trees, two)

    assert list(bands.models) == [OPUS, HAIKU]
    assert bands.models[OPUS] == (0, 810_000)
    assert bands.models[HAIKU] == (810_000, bands.usd)


@st.composite
def backlogs(draw: st.DrawFn) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A tree of any shape, with classes on some of its nodes and some that have none."""
    count = draw(st.integers(1, 24))
    rows, found = [node("n0", None, 0.0, 10_000)], []
    for n in range(1, count):
        parent = rows[draw(st.integers(0, n - 1))]
        items = draw(st.integers(1, parent["items"]))
        tokens = parent["tokens"] + draw(st.integers(1, 5_000))
        rows.append(node(f"n{n}", parent["node_id"], tokens, items, level=parent["level"] + 1))
    rows.sort(key=lambda row: row["level"])
    for row in rows:
        if draw(st.booleans()):
            row["class_id"] = row["node_id"]
            found.append(_drawn(draw, row["node_id"], int(row["tokens"])))
    found += [_drawn(draw, f"lost{n}", draw(st.integers(0, 9_000))) for n in range(draw(st.integers(0, 30)))]
    if not found:
        found = [_drawn(draw, "any", 10)]
    return nodes(*rows), classes(*found)


def _drawn(draw: st.DrawFn, name: str, prefix: int) -> dict[str, Any]:
    items, each = draw(st.integers(1, 500)), prefix + draw(st.integers(1, 9_000))
    return one_class(name, prefix, items, each, state=draw(st.sampled_from(STATES)))


@given(backlogs())
def test_every_dollar_stands_in_the_picture_once(backlog: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    """The pale ends of all classes, one below the other, are the whole backlog: nothing missing, nothing twice."""
    bands = laid_out(*backlog)
    ends = sorted((b for b in bands.bands if b.part == "differs"), key=lambda band: band.top)

    assert bands.usd == pytest.approx(float(backlog[1]["waiting_tokens"].sum()))
    assert ends[0].top == 0
    assert ends[-1].bottom == pytest.approx(bands.usd)
    for above, below in pairwise(ends):
        assert below.top == pytest.approx(above.bottom)


@given(backlogs())
def test_no_bar_leaves_the_picture_or_runs_backwards(backlog: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    """Bars are inside the whole, and none ends before it starts."""
    bands = laid_out(*backlog)

    for band in bands.bands:
        assert -1e-6 <= band.top <= band.bottom <= bands.usd * (1 + 1e-9) + 1e-6
        assert 0 <= band.start <= band.end


@given(backlogs())
def test_bars_of_one_place_never_overlap(backlog: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    """What is shared from the same token on stands one below the other."""
    by_start: dict[float, list[Band]] = {}
    for band in laid_out(*backlog).bands:
        if band.part == "shared" and band.end > band.start:
            by_start.setdefault(band.start, []).append(band)

    for bars in by_start.values():
        bars.sort(key=lambda band: band.top)
        for above, below in pairwise(bars):
            assert below.top >= above.bottom - 1e-6 * (1 + above.bottom)


def test_a_deep_tree_is_no_harder_than_a_flat_one() -> None:
    """Two thousand turns of one conversation, a class at the end of each hundredth."""
    rows = [node("n0", None, 0.0, 5_000)]
    rows += [node(f"n{n}", f"n{n - 1}", 10.0 * n, 5_000 - n, level=n) for n in range(1, 2_000)]
    found = []
    for row in rows[100::100]:
        row["class_id"] = row["node_id"]
        found.append(one_class(row["node_id"], int(row["tokens"]), 50, row["tokens"] + 100))
    bands = laid_out(nodes(*rows), classes(*found))

    assert {band.class_id for band in bands.bands if band.part == "differs"} == {row["class_id"] for row in found}


def test_the_picture_says_its_essence_in_words() -> None:
    """Requests, classes, dollars, what repeats and which classes are dearest."""
    figure = prefix_icicle(TREE, CLASSES, RATES)

    assert figure.alt == (
        "Prefix tree of 150 requests in 3 classes: $0.04 of input without caching, 76 % of the tokens repeat a shared "
        "prefix. Dearest: Class a $0.03 (caching can pay), Class b $0.0075 (pays once split) and Class c $0.0036 "
        "(too short to cache)."
    )
    assert spec(figure)["description"] == figure.alt


def test_the_picture_is_valid_steady_and_leaves_colours_to_the_theme() -> None:
    """As every chart: full width, the same for the same data, no colour of its own, axes with their units."""
    made = spec(prefix_icicle(TREE, CLASSES, RATES))

    assert made == spec(prefix_icicle(TREE, CLASSES, RATES))
    assert made["width"] == "container"
    assert "#" not in str([layer["encoding"] for layer in made["layer"]])
    for layer in made["layer"]:
        assert not {"color", "fill", "stroke"} & set(layer["mark"])
    titles = [made["layer"][0]["encoding"][axis]["axis"]["title"] for axis in ("x", "y")]
    assert ["tokens" in titles[0], "USD" in titles[1]] == [True, True]


def test_only_states_that_occur_are_in_the_legend() -> None:
    """A colour that is nowhere needs no explanation; each state keeps its own."""
    colour = spec(prefix_icicle(TREE, CLASSES, RATES))["layer"][0]["encoding"]["color"]

    assert colour["legend"]["values"] == ["caching can pay", "pays once split", "too short to cache"]
    assert len(set(colour["scale"]["domain"])) == 6


def test_a_click_gives_the_class() -> None:
    """The page opens what was clicked."""
    chosen = [param for param in spec(prefix_icicle(TREE, CLASSES, RATES))["params"] if param["name"] == PICKED]

    assert [param["select"]["fields"] for param in chosen] == [["class_id"]]


def test_ten_thousand_classes_are_still_a_picture() -> None:
    """A browser draws hundreds of bars at once, not tens of thousands."""
    tree = [node("scope", None, 0, 30_000)]
    tree += [node(f"k{n}", "scope", 100.0 + n, 3, class_id=f"k{n}") for n in range(1_999)]
    many = classes(*(one_class(f"k{n}", 100 + n % 1_999, 3, 2_500.0) for n in range(10_000)))
    figure = prefix_icicle(nodes(*tree), many, RATES)

    assert marks(figure) <= MARKS
    assert "30,000 requests in 10,000 classes" in figure.alt


def test_what_has_no_price_is_left_out_and_said() -> None:
    """Its dollars are not known, and unknown is not zero."""
    with_unknown = pl.concat([CLASSES, classes(one_class("x", 10, 5, 50, model="claude-nova-9"))])
    figure = prefix_icicle(TREE, with_unknown, RATES)

    assert figure.alt.endswith(" 1 class without a price left out.")
    assert "claude-nova-9" not in str(spec(figure))


@pytest.mark.parametrize(
    "found",
    [CLASSES.clear(), CLASSES.with_columns(waiting_items=0), CLASSES.with_columns(model=pl.lit("claude-nova-9"))],
)
def test_nothing_to_draw_says_what_to_do(found: pl.DataFrame) -> None:
    """An empty picture is a sentence."""
    figure = prefix_icicle(TREE.clear(), found, RATES)

    assert figure.chart is None
    assert figure.empty == figure.alt
    assert "Import request files" in figure.alt
