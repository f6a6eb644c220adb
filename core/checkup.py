"""The doctor's visit to what waits: its findings, and the requests as a rewrite would leave them."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import orjson

from core.doctor.examination import Examination, examine
from core.doctor.finding import Finding
from core.doctor.rewrite import rewrite_line
from core.intake.payloads import PayloadReader
from core.prices import PriceBook
from core.store import Store


def examine_waiting(
    store: Store, folder: Path, book: PriceBook, *, now: datetime, runs_a_month: float = 1.0
) -> Examination:
    """Examine all requests that were never attempted; a large backlog on a repeatable sample."""
    with PayloadReader(folder) as reader:
        requests = (
            (str(item_id), reader.params(import_id, offset, size))
            for item_id, import_id, offset, size in _waiting(store)
        )
        return examine(requests, book=book, now=now, runs_a_month=runs_a_month)


def rewritten(store: Store, folder: Path, finding: Finding) -> Iterator[bytes]:
    """The request lines that a finding's rewrite changes, as they would be; the stored ones stay as they are."""
    with PayloadReader(folder) as reader:
        for item_id, import_id, offset, size in _waiting(store):
            params = reader.read(import_id, offset, size)
            line = b'{"custom_id":%b,"params":%b}\n' % (orjson.dumps(item_id), params)
            changed = rewrite_line(line, finding.rewrites)
            if changed is not line:
                yield changed


def _waiting(store: Store) -> Iterator[tuple[str, str, int, int]]:
    yield from store.query("waiting_payloads").iter_rows()
