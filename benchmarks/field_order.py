"""Field order against the published greedy (GGR): the share of bytes that an endless cache serves, and time.

The tables of its paper are replaced by tables of their shape, made by code: reviews (28,479 x 9), movies (1,019 x 5)
and contributions (15,000 x 15), with skewed values, fields that determine others, missing values and free text. Both
get the same cells, with their labels and without; GGR is told the dependencies, ours finds them.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.corpus import text
from benchmarks.ggr import ggr_orders, render
from benchmarks.timing import Ratio, compare
from core.grouping.field_order import Ints, order_fields, shared_bytes

Rng = np.random.Generator


@dataclass(frozen=True, kw_only=True)
class Table:
    """Cells per field and row, as `order_fields` takes them, and declared pairs (field, field that it determines)."""

    name: str
    cells: list[list[bytes]]
    lengths: Ints
    codes: Ints
    labels: Ints
    dependencies: tuple[tuple[int, int], ...]


def measure() -> list[Ratio]:
    """For each table the seconds that both take to find their orders, and the shares that these serve."""
    return [_ratio(made(labelled)) for labelled in (True, False) for made in (reviews, movies, contributions)]


def ours(table: Table) -> list[bytes]:
    """The rows with the fields in our one order."""
    order = order_fields(table.lengths, table.codes, table.labels).fields
    return render(table.cells, np.tile(order, (table.codes.shape[1], 1)))


def greedy(table: Table) -> list[bytes]:
    """The rows with the fields in the orders of GGR."""
    return render(table.cells, ggr_orders(table.lengths, table.codes, table.dependencies))


def served(rows: Sequence[bytes]) -> float:
    """The share of bytes that an endless prefix cache serves."""
    return shared_bytes(sorted(rows)) / sum(map(len, rows))


def reviews(labelled: bool = True, rows: int = 28_479) -> Table:
    """Reviews of products: a product's id and name determine its maker, style and strength; ratings agree somewhat."""
    rng, words = np.random.default_rng(1), random.Random(1)
    products, makers, styles = max(rows // 10, 2), max(rows // 60, 2), 90
    maker, style = _skewed(rng, products, makers, 0.8), _skewed(rng, products, styles, 0.7)
    names, style_names = _texts(rng, words, products, 8, 36), _texts(rng, words, styles, 10, 30)
    strength = rng.gamma(9, 0.65, products)
    product, author = _skewed(rng, rows, products, 0.9), _skewed(rng, rows, max(rows // 9, 2), 0.9)
    liking = rng.normal(3.8, 0.6, rows)
    ratings = [np.clip(np.round((liking + rng.normal(0, spread, rows)) * 2) / 2, 1, 5) for spread in (0.2, 0.3, 0.4)]
    columns = {
        "beer/beerId": [str(at) for at in product],
        "beer/name": [f"{names[at]} {at}" for at in product],
        "beer/brewerId": [str(10_000 + maker[at]) for at in product],
        "beer/style": [style_names[style[at]] for at in product],
        "beer/ABV": [f"{strength[at]:.1f}" for at in product],
        "review/overall": [str(rating) for rating in ratings[0]],
        "review/taste": [str(rating) for rating in ratings[1]],
        "review/aroma": [str(rating) for rating in ratings[2]],
        "review/profileName": [f"user{at:05d}" for at in author],
    }
    alike = tuple((one, other) for one in (0, 1) for other in range(5) if one != other)
    return _table("reviews", columns, alike, labelled)


def movies(labelled: bool = True, rows: int = 1_019) -> Table:
    """Reviews of few films: a long description that goes with the title, and free text that is never the same."""
    rng, words = np.random.default_rng(2), random.Random(2)
    films = max(rows // 35, 2)
    film = _skewed(rng, rows, films, 0.6)
    titles, descriptions = _texts(rng, words, films, 10, 30), _texts(rng, words, films, 150, 500)
    columns = {
        "review_type": rng.choice(["fresh", "rotten"], rows, p=[0.6, 0.4]).tolist(),
        "review_content": _texts(rng, words, rows, 60, 220),
        "movie_title": [titles[at] for at in film],
        "movie_info": [descriptions[at] for at in film],
        "critic": rng.choice(["Top Critic", "Critic"], rows, p=[0.3, 0.7]).tolist(),
    }
    return _table("movies", columns, ((2, 3), (3, 2)), labelled)


def contributions(labelled: bool = True, rows: int = 15_000) -> Table:
    """Payments of people to committees: two entities a row, with gaps, a key and a note that most rows have."""
    rng, words = np.random.default_rng(3), random.Random(3)
    people, committees, cities = max(rows // 4, 2), 300, 400
    first, last, city = _skewed(rng, people, 400, 0.8), _skewed(rng, people, 2500, 0.6), _skewed(rng, people, cities, 1)
    job, employer = _skewed(rng, people, 200, 1.1), _skewed(rng, people, 1500, 1)
    city_names, state = _texts(rng, words, cities, 6, 16), _skewed(rng, cities, 40, 0.6)
    post_codes, ids = rng.integers(0, 10**5, cities), rng.integers(0, 10**8, committees)
    names, jobs = _texts(rng, words, committees, 15, 50), _texts(rng, words, 200, 5, 25)
    employers = _texts(rng, words, 1500, 5, 30)
    person, committee = _skewed(rng, rows, people, 0.5), _skewed(rng, rows, committees, 1)
    day = rng.integers(0, 700, rows)
    columns = {
        "committee_id": [f"C{ids[at]:08d}" for at in committee],
        "committee_name": [names[at] for at in committee],
        "report": [f"{'MQT'[at // 90 % 3]}{at // 90 % 5}" for at in day],
        "transaction_id": [f"SA{at:011d}" for at in range(rows)],
        "transaction_type": [("15", "15E", "22Y")[at] for at in _skewed(rng, rows, 3, 1.5)],
        "entity_type": rng.choice(["IND", "ORG"], rows, p=[0.95, 0.05]).tolist(),
        "name": [f"name{last[at]:04d}, first{first[at]:03d}" for at in person],
        "city": _with_gaps(rng, [city_names[city[at]] for at in person], 0.02),
        "state": [f"S{state[city[at]]}" for at in person],
        "zip": [f"{post_codes[city[at]]:05d}" for at in person],
        "employer": _with_gaps(rng, [employers[employer[at]] for at in person], 0.15),
        "occupation": _with_gaps(rng, [jobs[job[at]] for at in person], 0.1),
        "date": [f"{2022 + at // 360}-{1 + at % 360 // 30:02d}-{1 + at % 30:02d}" for at in day],
        "amount": [str(amount) for amount in rng.choice([5, 10, 25, 50, 100, 250, 500, 1000, 2900], rows)],
        "memo": _with_gaps(rng, ["EARMARKED CONTRIBUTION: SEE BELOW"] * rows, 0.4),
    }
    return _table("contributions", columns, ((0, 1), (1, 0), (9, 8)), labelled)


def _ratio(table: Table) -> Ratio:
    shares = f"{served(ours(table)):.2%} served, GGR {served(greedy(table)):.2%}"
    return compare(
        f"order the fields of {table.name}, {table.codes.shape[1]:,} x {len(table.cells)} ({shares})",
        lambda: order_fields(table.lengths, table.codes, table.labels),
        "GGR",
        lambda: ggr_orders(table.lengths, table.codes, table.dependencies),
        goal="<= 0.5 and ours <= 2 s, no less served",
        rounds=3,
    )


def _table(
    name: str, columns: dict[str, list[str]], dependencies: tuple[tuple[int, int], ...], labelled: bool
) -> Table:
    texts = [[f"{label}: {value}\n" if labelled else value for value in values] for label, values in columns.items()]
    cells = [[cell.encode() for cell in column] for column in texts]
    return Table(
        name=f"{name} with labels" if labelled else f"{name} without labels",
        cells=cells,
        lengths=np.array([[len(cell) for cell in column] for column in cells]),
        codes=np.array([np.unique(np.array(column), return_inverse=True)[1] for column in texts]),
        labels=np.array([shared_bytes([min(column), max(column)]) for column in cells]),
        dependencies=dependencies,
    )


def _skewed(rng: Rng, count: int, values: int, steepness: float) -> Ints:
    """Draws by rank, the first one most often (Zipf)."""
    weights = np.arange(1, values + 1) ** -float(steepness)
    return rng.choice(values, count, p=weights / weights.sum())


def _texts(rng: Rng, words: random.Random, count: int, shortest: int, longest: int) -> list[str]:
    return [text(words, int(length)) for length in rng.integers(shortest, longest, count)]


def _with_gaps(rng: Rng, values: list[str], share: float) -> list[str]:
    return ["" if draw < share else value for draw, value in zip(rng.random(len(values)), values, strict=True)]
