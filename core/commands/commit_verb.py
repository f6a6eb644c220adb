"""The verb `commit`: what to commit to under given terms, from the ledger or from a problem in a file."""

import argparse
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from core.actions.commitment import Advice, advise, term_quantiles
from core.commands.forecast_verb import events_of
from core.commitment.payment import TermsUnreadable
from core.commitment.problem import Problem
from core.commitment.terms import Terms
from core.commitment.unit_paths import Gain
from core.requests.files import NoSuchFile
from core.workspace import Workspace, utc_now

Document = dict[str, Any]
_CENT = 2


def add_commit_verb(verb: Any, on_workspace: Callable[..., Document]) -> None:
    """The verb and its options."""

    def run(arguments: argparse.Namespace) -> Document:
        if arguments.problem is not None:
            return _solved(arguments.problem)
        values = {"terms": _toml(arguments.terms), "seed": arguments.seed}
        return on_workspace(arguments, "commit", values)

    asked = verb("commit", "find the commitment that costs least, from the ledger or from sample paths", run)
    what = asked.add_mutually_exclusive_group(required=True)
    what.add_argument("--terms", type=Path, metavar="TERMS.toml", help="the contract; demand comes from the ledger")
    what.add_argument(
        "--problem", type=Path, metavar="FILE.json", help="demand (sample paths) and terms: d, d_o, rho, bands …"
    )
    asked.add_argument("--seed", type=int, default=0, metavar="N", help="of the sample paths (0)")


def commit(workspace: Workspace, *, terms: Mapping[str, Any], seed: int) -> Document:
    """The document of the verb: terms as the tables of their TOML file, with `[[event]]` and `[[gain]]` beside them."""
    now = utc_now()
    contract = {name: value for name, value in terms.items() if name not in ("event", "gain")}
    advice = advise(
        workspace,
        Terms.parse({"as_of": now.date(), **contract}),
        now=now,
        seed=seed,
        events=events_of(terms),
        gains=tuple(Gain.parse(table) for table in terms.get("gain", [])),
    )
    return _document(advice)


def _document(advice: Advice) -> Document:
    best = advice.outlooks[0]
    return {
        "commit": _usd(best.commit),
        "expected_pay": _usd(best.expected),
        "term": {"first": advice.terms.first, "months": advice.terms.months, "name": advice.terms.name},
        "list_value": {f"p{level * 100:.0f}": _usd(value) for level, value in term_quantiles(advice).items()},
        "commitments": [
            {name: value if name in _SHARES or name == "name" else _usd(value) for name, value in asdict(one).items()}
            for one in advice.outlooks
        ],
        "clause_prices": [
            {name: value if name == "clause" else _usd(value) for name, value in asdict(one).items()}
            for one in advice.clauses
        ],
        "variance_shares": {name: round(share, 4) for name, share in advice.demand.shares.items()},
        "demand_classes": [
            {
                "class_name": one.name,
                "unit_usd": f"{one.unit_usd:.9f}",
                "skill": None if one.volume.backtest is None else round(one.volume.backtest.skill, 4),
                "coverage": None if one.volume.backtest is None else round(one.volume.backtest.coverage, 4),
                "notes": list(one.volume.said),
            }
            for one in advice.demand.classes
        ],
        "left_out": [{"class_name": name, "why": why} for name, why in advice.demand.left_out],
        "unpriced_attempts": advice.unpriced,
        "as_of": advice.as_of,
        "seed": advice.seed,
    }


_SHARES = ("covers", "shortfall_chance")


def _usd(value: float) -> str:
    """Futures are reckoned in floating point; a cent is all they can mean."""
    return f"{round(value, _CENT):.2f}"


def _solved(path: Path) -> Document:
    """Raises `NoSuchFile` or `TermsUnreadable`."""
    if not path.is_file():
        raise NoSuchFile(path=path)
    try:
        document = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise TermsUnreadable(file=path.name, why=f"not JSON: {error}") from error
    chosen = Problem.parse(document).solve()
    return {"commit": chosen.commit, "expected_pay": chosen.expected_pay}


def _toml(path: Path) -> Document:
    """Raises `NoSuchFile` or `TermsUnreadable`."""
    if not path.is_file():
        raise NoSuchFile(path=path)
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TermsUnreadable(file=path.name, why=f"not TOML: {error}") from error
