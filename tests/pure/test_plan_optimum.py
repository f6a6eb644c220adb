"""The cache plan on real workloads: at least 99 % of the exact optimum, however many items run side by side."""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl
import pytest
import zstandard

from core.caching.learned import HISTORY_SCHEMA, Learned
from core.caching.marks import marks_on_path, one_round_marks
from core.caching.plan import plan_caching
from core.caching.waves import serve, wave_times
from core.grouping.borders import find_borders, open_texts, with_borders
from core.grouping.classes import class_id, find_classes
from core.grouping.prefix_tree import Chains, grow
from core.prices import PriceBook
from core.requests.blocks import BLOCK_MARK_BYTES, chain_of
from core.requests.request import parse_request
from core.settings import Settings
from tests.grouping import MemoryTexts
from tests.pure.test_cache_plan import NOW

BOOK = PriceBook.load()
WIDTHS = [1, 50, 500, math.inf]
CHARS_A_TOKEN = 4
SURE = Learned(
    history=pl.DataFrame(
        {"class_id": "-", "model": "-", "hit_rate": [1.0] * 100_000, "items": 100, "age_days": 0.0},
        schema=HISTORY_SCHEMA,
    ),
    alive={"5m": 1.0, "1h": 1.0},
)


def backlog(chains: Chains, models: list[str], overheads: list[list[int]], cut_up: Chains) -> pl.DataFrame:
    """Items as the plan takes them, all splits agreed to; `cut_up`: their chains with the borders inside texts."""
    floors = np.array([round(BOOK.model(model).cache_floor_tokens * CHARS_A_TOKEN) for model in models])
    found = find_classes(cut_up, grow(cut_up), floors)
    ids = [class_id(int(key)) for key in found.keys]
    chars = found.prefix_chars[found.class_of]
    lengths = np.diff(chains.ends, prepend=0)
    flat = pl.DataFrame({"item": np.repeat(np.arange(len(lengths)), lengths), "c": chains.hashes, "d": chains.depths})
    lists = flat.group_by("item", maintain_order=True).agg("c", "d")
    floor_reached = chars >= floors
    return pl.DataFrame(
        {
            "item_id": [f"i{number}" for number in range(len(models))],
            "class_id": [ids[of] for of in found.class_of],
            "class_name": "",
            "model": models,
            "prefix_blocks": found.prefix_blocks[found.class_of],
            "cut_chars": found.cuts[found.class_of],
            "prefix_chars": chars,
            "prefix_tokens": chars / CHARS_A_TOKEN,
            "prefix_key": [ids[of] for of in found.class_of],
            "cacheable": floor_reached,
            "split_agreed": True,
            "payload_bytes": 1_000,
            "chars": chains.depths[chains.ends - 1],
            "chain": lists["c"],
            "depths": lists["d"],
            "overheads": pl.Series(overheads, dtype=pl.List(pl.Int16)),
            "max_tokens": 100,
            "output_tokens": pl.Series([20.0] * len(models)),
            "suffix_ratio": 1 / CHARS_A_TOKEN,
            "preview": "",
        }
    )


def rates(models: list[str], name: str) -> npt.NDArray[np.float64]:
    """One price of each item's model, in units of its plain input; `input` in dollars."""
    of = {model: BOOK.rates(model, at=NOW) for model in set(models)}
    scale = {model: 1 if name == "input" else float(rate.input) for model, rate in of.items()}
    return np.array([float(getattr(of[model], name)) / scale[model] for model in models])


def optimum_usd(chains: Chains, models: list[str]) -> float:
    """Dollars that the exact programme saves with marks allowed at every border, entries of five minutes, one round."""
    tree = grow(chains)
    first = [models[item] for item in tree.first]
    marks = one_round_marks(
        np.where(tree.level <= 1, np.arange(len(tree.keys)), tree.parent),
        tree.depths / CHARS_A_TOKEN,
        tree.items,
        floor=np.array([BOOK.model(model).cache_floor_tokens for model in first]),
        allowed=tree.level > 0,
        write=rates(first, "cache_write_5m"),
        read=rates(first, "cache_read"),
    )
    parent = np.where(tree.level <= 1, np.arange(len(tree.keys)), tree.parent)
    item, node = marks_on_path(parent, marks.cached, tree.node_of.astype(np.int64))
    deepest = np.zeros(len(models))
    np.maximum.at(deepest, item, tree.depths[node] / CHARS_A_TOKEN)
    writers = np.zeros(len(models), dtype=np.bool_)
    writers[tree.first[marks.primer_round > 0]] = True
    factor = np.where(writers, rates(models, "cache_write_5m"), rates(models, "cache_read"))
    return float((deepest * (1 - factor) * rates(models, "input")).sum())


def served_usd(plan: pl.DataFrame, width: float) -> float:
    """Dollars that the plan saves in the wave model: one job, primers in a round before its body."""
    items = plan.with_row_index("row")
    keys = items.select(
        "row",
        "split_chars",
        "prefix_chars",
        "chain",
        "depths",
        "entry_id",
        block="marks",
        last=pl.col("marks").list.len() - 1,
    )
    marks = keys.with_columns(at=pl.int_ranges(pl.col("block").list.len())).explode("block", "at").drop_nulls("block")
    inside = (pl.col("at") == pl.col("last")) & pl.col("split_chars").is_not_null()
    marks = marks.select(
        "row",
        entry=pl.when(inside).then(pl.col("entry_id")).otherwise(pl.col("chain").list.get("block").cast(pl.String)),
        depth=pl.when(inside).then(pl.col("prefix_chars")).otherwise(pl.col("depths").list.get("block")),
    )
    served = serve(
        wave_times(
            np.zeros(items.height, dtype=np.int64),
            np.zeros(1),
            width=width,
            primer_round=items["primes"].cast(pl.Int64).to_numpy(),
        ),
        items["chars"].to_numpy() / CHARS_A_TOKEN,
        item=marks["row"].cast(pl.Int64).to_numpy(),
        entry=marks["entry"].rank("dense").cast(pl.Int64).to_numpy(),
        depth=marks["depth"].to_numpy() / CHARS_A_TOKEN,
        # Entries live long enough here: how jobs are timed is another question.
        life=1e9,
    )
    models = items["model"].to_list()
    read, write, price = (rates(models, name) for name in ("cache_read", "cache_write_5m", "input"))
    return float(((served.read * (1 - read) - served.written * (write - 1)) * price).sum())


@pytest.fixture(scope="module")
def workloads(shared_data: Path) -> tuple[pl.DataFrame, Chains]:
    """Return 11,647 real prompts as a backlog."""
    lines = [
        line
        for path in sorted((shared_data / "workloads").glob("requests-*.jsonl.zst"))
        for line in zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).readall().splitlines()
    ]
    params = [parse_request(line).params for line in lines]
    read = [chain_of(of) for of in params]
    chains = Chains(
        hashes=np.array([entry for chain in read for entry in chain[0]], dtype=np.uint64),
        depths=np.array([entry for chain in read for entry in chain[1]], dtype=np.int64),
        ends=np.cumsum([len(chain[0]) for chain in read], dtype=np.int64),
    )
    texts = open_texts(chains, np.array([entry for chain in read for entry in chain[3]], dtype=np.uint64))
    cut_up = with_borders(chains, find_borders(texts, MemoryTexts(params)))
    return backlog(chains, [of.model for of in params], [chain[2] for chain in read], cut_up), cut_up


@pytest.fixture(scope="module")
def conversation(shared_data: Path) -> tuple[pl.DataFrame, Chains]:
    """Return an hour of chat traffic as a backlog: a block of 512 tokens each."""
    path = shared_data / "mooncake_conversation" / "conversation_trace.jsonl"
    rows = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    blocks = [row["hash_ids"] for row in rows]
    depths = [[512 * number for number in range(len(row["hash_ids"]))] + [row["input_length"]] for row in rows]
    chains = Chains(
        hashes=np.array([entry for chain in blocks for entry in (2**63, *chain)], dtype=np.uint64),
        depths=np.array([depth * CHARS_A_TOKEN for chain in depths for depth in chain], dtype=np.int64),
        ends=np.cumsum([len(chain) + 1 for chain in blocks], dtype=np.int64),
    )
    overheads = [[0] + [BLOCK_MARK_BYTES] * len(chain) for chain in blocks]
    return backlog(chains, ["claude-haiku-5-5"] * len(rows), overheads, chains), chains


@pytest.mark.parametrize("mix", ["workloads", "conversation"])
def test_the_plan_saves_what_the_exact_optimum_saves_at_every_width(mix: str, request: pytest.FixtureRequest) -> None:
    """One item at a time or all at once: what is primed is read, so the width does not matter."""
    items, chains = request.getfixturevalue(mix)
    plan = plan_caching(items, book=BOOK, settings=Settings(), now=NOW, learned=SURE).items
    optimum = optimum_usd(chains, items["model"].to_list())

    assert min(served_usd(plan, width) for width in WIDTHS) >= 0.99 * optimum
