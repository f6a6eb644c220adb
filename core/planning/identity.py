"""Names of jobs and of attempts: every custom_id sent says which job and which item it belongs to."""

import hashlib
import secrets

import polars as pl

JOB_ID_LENGTH = 8
# 64 characters that the API allows, less the job's tag and a dash.
ITEM_LENGTH = 64 - JOB_ID_LENGTH - 1
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_DIGEST_LENGTH = 16


def new_job_id() -> str:
    """Eight random characters: 40 bits, so that tags of different workspaces do not meet in one account."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(JOB_ID_LENGTH))


def job_of(custom_id: str) -> str | None:
    """The job whose tag stands in front of a `custom_id`; None where none does."""
    tag, dash = custom_id[:JOB_ID_LENGTH], custom_id[JOB_ID_LENGTH : JOB_ID_LENGTH + 1]
    return tag if dash == "-" and all(character in _ALPHABET for character in tag) else None


def short_item(item_id: str) -> str:
    """The item's id, or its head and a digest where it is too long to stand behind a job's tag."""
    if len(item_id) <= ITEM_LENGTH:
        return item_id
    digest = hashlib.blake2b(item_id.encode(), digest_size=_DIGEST_LENGTH // 2).hexdigest()
    return f"{item_id[: ITEM_LENGTH - _DIGEST_LENGTH - 1]}-{digest}"


def custom_ids(job_ids: pl.Series, item_ids: pl.Series) -> pl.Series:
    """The `custom_id` of each attempt: `<job>-<item>`."""
    frame = pl.DataFrame({"job": job_ids, "item": item_ids})
    short = (
        pl.when(pl.col("item").str.len_bytes() <= ITEM_LENGTH)
        .then(pl.col("item"))
        .otherwise(pl.col("item").map_elements(short_item, return_dtype=pl.String))
    )
    return frame.select(custom_id=pl.concat_str(["job", short], separator="-"))["custom_id"]


def custom_id_bytes() -> pl.Expr:
    """Length of the `custom_id` that an attempt at each item (column item_id) will have."""
    return pl.col("item_id").str.len_bytes().clip(upper_bound=ITEM_LENGTH) + JOB_ID_LENGTH + 1
