"""The verb `prices`: the price book with its history, what was agreed by contract, and what could not be priced."""

import argparse
from dataclasses import asdict
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import polars as pl

from core.actions import prices as of_prices
from core.billing.terms import KeptPrice
from core.commands.amounts import utc_day
from core.commands.planning_options import AddVerb, OnWorkspace
from core.prices import ContractPrice
from core.prices.acceptance import CURRENCY, in_usd
from core.prices.contract import EVERY_MODEL, KINDS
from core.prices.price_table import price_table
from core.requests.files import NoSuchFile
from core.wording import count
from core.workspace import Workspace, utc_now

Document = dict[str, Any]
_ADDS = ("--model", "--discount", "--price", "--list-price", "--from", "--to", "--source", "--note", "--dry-run")
_TAKES = {
    "list": ("--model",),
    "add": _ADDS,
    "end": ("NUMBER|FILE", "--to", "--dry-run"),
    "import": ("NUMBER|FILE", "--dry-run"),
    "export": ("NUMBER|FILE",),
}
_DOES = tuple(_TAKES)


def add_prices_verb(verb: AddVerb, on_workspace: OnWorkspace) -> None:
    """What to do with which price."""

    def run(arguments: argparse.Namespace) -> Document:
        return on_workspace(arguments, "prices", _values(parser, arguments))

    parser = verb("prices", "show the price book, keep contract prices by date, say what has no price and why", run)
    parser.add_argument("do", nargs="?", choices=_DOES, default="list", help="default: list")
    parser.add_argument(
        "what", nargs="?", metavar="NUMBER|FILE", help="end: the number of the price; import, export: a .toml or .csv"
    )
    parser.add_argument(
        "--model", action="append", default=[], help="add: for this model; several times (default: every model)"
    )
    parser.add_argument("--discount", type=_share, metavar="SHARE", help="add: taken off list prices: 18%% or 0.18")
    parser.add_argument(
        "--price",
        action="append",
        type=_price,
        default=[],
        metavar="KIND=USD",
        help=f"add: USD per million tokens (per thousand searches) of {', '.join(KINDS)}; several times",
    )
    parser.add_argument(
        "--list-price", action="store_true", help="add: a list price that the price book lacks, not a contract's"
    )
    parser.add_argument("--from", dest="first_day", type=utc_day, metavar="DAY", help="add: the first day (UTC)")
    parser.add_argument(
        "--to", dest="last_day", type=utc_day, metavar="DAY", help="add, end: the last day (UTC), included"
    )
    parser.add_argument("--source", default="", help="add: where it is written, such as the order form")
    parser.add_argument("--note", default="", help="add: whatever else should be known")
    parser.add_argument("--currency", default=CURRENCY, help="add: only USD is taken")
    parser.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")


def prices(
    workspace: Workspace,
    *,
    do: str,
    what: str | None = None,
    terms: Document | None = None,
    models: tuple[str, ...] = (),
    last_day: str | None = None,
    dry_run: bool = False,
) -> Document:
    """Do one thing with prices, and say what came of it."""
    now = utc_now()
    match do:
        case "add":
            added = _terms(models, terms or {})
            document = _done(of_prices.add_price(workspace, added, now=now, dry_run=dry_run), dry_run)
            return document | {"notes": [*document["notes"], *_above_list(workspace, added)]}
        case "end":
            day = date.fromisoformat(str(last_day))
            done = of_prices.end_contract_price(workspace, int(str(what)), last_day=day, now=now, dry_run=dry_run)
            return _done(done, dry_run)
        case "import":
            path = Path(str(what))
            _there(path)
            done = of_prices.import_prices(workspace, path.name, path.read_bytes(), now=now, dry_run=dry_run)
            return _done(done, dry_run)
        case "export":
            _there(Path(str(what)).parent)
            return {"file": what, "rows": of_prices.write_price_file(workspace, Path(str(what)))}
    return _listed(of_prices.price_list(workspace), models)


def _listed(found: of_prices.PriceList, models: tuple[str, ...]) -> Document:
    book = found.prices
    if models:
        book = book.filter(book["model"].is_in(models))
    groups = [asdict(group) | {"said": group.said} for group in found.unpriced]
    return {
        "currency": CURRENCY,
        "prices": book.to_dicts(),
        "contract": [_kept(one) for one in found.kept],
        "unpriced_attempts": sum(group.attempts for group in found.unpriced),
        "unpriced": groups,
        "bad_counts": [asdict(one) for one in found.bad_counts],
        "unsplit_writes": found.unsplit,
    }


def _kept(one: KeptPrice) -> Document:
    document = asdict(one.terms) | asdict(one)
    del document["terms"]
    return document | {"never_held": one.never_held}


def _done(done: of_prices.Agreed, dry_run: bool) -> Document:
    would = "would change" if dry_run else "changed"
    notes = [
        f"The cost of {count(done.attempts, 'attempt')} {would}: {done.found:,} had no known cost before, "
        f"{done.lost:,} have none after."
    ]
    return asdict(done) | ({"numbers": ()} if dry_run else {}) | {"dry_run": dry_run, "notes": notes}


def _there(path: Path) -> None:
    if not path.exists():
        raise NoSuchFile(path=path)


def _above_list(workspace: Workspace, added: list[ContractPrice]) -> list[str]:
    """What is dearer than any list price of its model has: a slip of the pen, more likely than not."""
    listed = price_table(workspace.book.listed())
    notes = []
    for terms in (one for one in added if not one.listed and one.prices):
        rows = listed.filter(pl.col("model") == workspace.book.priced_as(terms.model))
        for kind, price in terms.prices.items():
            most = rows[kind].max()
            if isinstance(most, Decimal) and price > most:
                notes.append(f"{kind} of {terms.model}: ${price:f} is above its list price, ${most.normalize():f}.")
    return notes


def _values(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> Document:
    """The arguments as the verb takes them; ends with wrong usage where something is missing."""
    do, what = arguments.do, arguments.what
    if ignored := [option for option in _given(arguments) if option not in _TAKES[do]]:
        parser.error(f"{do} takes no {', '.join(ignored)}")
    if do in ("end", "import", "export") and what is None:
        parser.error(f"{do} needs {'the NUMBER of a price' if do == 'end' else 'a FILE'}")
    values: Document = {"do": do, "what": what, "models": tuple(arguments.model), "dry_run": arguments.dry_run}
    if do == "add":
        if arguments.first_day is None or (arguments.discount is None) == (not arguments.price):
            parser.error("add needs --from DAY, and either --discount or --price")
        if len({kind for kind, _ in arguments.price}) < len(arguments.price):
            parser.error("each kind has one --price")
        in_usd(arguments.currency)
        values["terms"] = {
            "discount": None if arguments.discount is None else str(arguments.discount),
            "prices": {kind: str(price) for kind, price in arguments.price},
            "first_day": arguments.first_day,
            "last_day": arguments.last_day,
            "listed": arguments.list_price,
            "source": arguments.source,
            "note": arguments.note,
        }
    elif do == "end":
        if not what.isdecimal() or arguments.last_day is None:
            parser.error("end needs the NUMBER of a price and --to DAY")
        values["last_day"] = arguments.last_day
    elif do in ("import", "export"):
        values["what"] = str(Path(what).resolve())
    return values


def _terms(models: tuple[str, ...], terms: Document) -> list[ContractPrice]:
    """The same terms for each of the models, or for every one."""
    first_day, last_day, discount = terms["first_day"], terms["last_day"], terms["discount"]
    return [
        ContractPrice(
            model=model,
            listed=terms["listed"],
            discount=None if discount is None else Decimal(discount),
            prices={kind: Decimal(price) for kind, price in terms["prices"].items()},
            first_day=date.fromisoformat(first_day),
            last_day=None if last_day is None else date.fromisoformat(last_day),
            source=terms["source"],
            note=terms["note"],
        )
        for model in models or (EVERY_MODEL,)
    ]


def _given(arguments: argparse.Namespace) -> list[str]:
    """The options that were given, as they are written."""
    values = {
        "NUMBER|FILE": arguments.what,
        "--model": arguments.model,
        "--discount": arguments.discount is not None,
        "--price": arguments.price,
        "--list-price": arguments.list_price,
        "--from": arguments.first_day,
        "--to": arguments.last_day,
        "--source": arguments.source,
        "--note": arguments.note,
        "--dry-run": arguments.dry_run,
    }
    return [option for option, value in values.items() if value]


def _share(text: str) -> Decimal:
    number = _decimal(text.removesuffix("%"))
    if number >= 1 and not text.endswith("%"):
        raise argparse.ArgumentTypeError(f"{text!r} is no share; write {text}% for so many per cent")
    number = number / 100 if text.endswith("%") else number
    if not 0 <= number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no discount: it is from 0% to below 100%")
    return number


def _price(text: str) -> tuple[str, Decimal]:
    kind, _, price = text.partition("=")
    if kind not in KINDS:
        raise argparse.ArgumentTypeError(f"KIND is one of {', '.join(KINDS)}")
    return kind, _decimal(price)


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text.strip())
    except InvalidOperation as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from error
    if not number.is_finite():
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number")
    return number
