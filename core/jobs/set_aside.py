"""Setting aside: failures that nobody will repair come to rest, under a name and a date, and can be taken back."""

from collections.abc import Sequence
from datetime import datetime

from core.errors import LotwiseError
from core.jobs.failures import require_job
from core.store import Store


class NothingToSetAside(LotwiseError):
    """No open failure of this job has such a cause, so nothing was set aside. `repair JOB --dry-run` lists them."""


class NothingSetAside(LotwiseError):
    """Nothing of such a cause was set aside in this job, so there is nothing to take back."""


def set_aside(store: Store, job_id: str, causes: Sequence[str], *, now: datetime, by: str) -> int:
    """Give up a job's open failures of these causes; return how many items. Raises `NoSuchJob`, `NothingToSetAside`."""
    require_job(store, job_id)
    given_up = store.write(lambda tx: tx.run("set_aside_items", job_id=job_id, causes=list(causes), now=now, by=by))
    if not given_up:
        raise NothingToSetAside(job=job_id, causes=list(causes))
    return len(given_up)


def take_back(store: Store, job_id: str, causes: Sequence[str]) -> int:
    """Make what was set aside an open failure again; return how many items. Raises `NoSuchJob`, `NothingSetAside`."""
    require_job(store, job_id)
    back = store.write(lambda tx: tx.run("take_back_items", job_id=job_id, causes=list(causes)))
    if not back:
        raise NothingSetAside(job=job_id, causes=list(causes))
    return len(back)
