"""The body of a job: the exact bytes that will be sent, written to a file first."""

import os
from pathlib import Path
from typing import Any

import orjson

from core.caching.placing import place_marks
from core.errors import LotwiseError
from core.intake.payloads import PayloadReader
from core.planning.envelope import BETWEEN, HEAD, TAIL, request
from core.store import Store


class BodySizeWrong(LotwiseError):
    """A job's body came out larger than planned, so it was not sent. Plan these items again."""


def clear_bodies(folder: Path) -> None:
    """Remove the bodies that an interrupted process left behind; what is sent is written anew."""
    for path in (folder / "jobs").glob("*.json"):
        path.unlink()


def write_body(store: Store, folder: Path, job_id: str, *, planned_bytes: int) -> Path:
    """Write the create call's body of a job to `jobs/<job_id>.json` and return the path.

    Raises `BodySizeWrong` where its size is not the planned one: limits are checked on exact bytes.
    """
    path = folder / "jobs" / f"{job_id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    requests = store.query("job_requests", job_id=job_id)
    try:
        with PayloadReader(folder) as payloads, path.open("wb") as file:
            file.write(HEAD)
            for number, row in enumerate(requests.iter_rows(named=True)):
                file.write(BETWEEN if number else b"")
                file.write(request(row["custom_id"], _params(row, payloads)))
            file.write(TAIL)
            file.flush()
            os.fsync(file.fileno())
        if (written := path.stat().st_size) != planned_bytes:
            raise BodySizeWrong(job=job_id, planned=planned_bytes, written=written)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _params(row: dict[str, Any], payloads: PayloadReader) -> bytes:
    place = row["import_id"], row["payload_offset"], row["payload_bytes"]
    if row["marks"]:
        params, life = payloads.params(*place), row["cache_ttl"]
        return orjson.dumps(place_marks(params, row["marks"], lifetime=life, split_chars=row["split_chars"]))
    return payloads.read(*place)
