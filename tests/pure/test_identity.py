"""Names and bytes of what is sent: custom_ids within the API's form, sizes known before anything is written."""

import json
import re
import string

import orjson
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from core.planning.envelope import (
    BETWEEN,
    BODY_FRAME_BYTES,
    HEAD,
    SPLIT_BYTES,
    TAIL,
    body_bytes,
    request,
    request_bytes,
)
from core.planning.identity import ITEM_LENGTH, custom_id_bytes, custom_ids, new_job_id, short_item
from tests.strategies import custom_ids as item_ids
from tests.strategies import json_values

long_ids = st.text(string.ascii_letters + "_-", min_size=54, max_size=64)


def test_job_ids_are_of_the_form_and_do_not_meet() -> None:
    """Eight characters that any system takes, forty bits of chance."""
    ids = {new_job_id() for _ in range(2_000)}

    assert len(ids) == 2_000
    assert all(re.fullmatch("[a-z2-7]{8}", one) for one in ids)


@given(st.lists(item_ids | long_ids, max_size=8))
def test_custom_ids_say_job_and_item_and_are_as_the_api_takes_them(items: list[str]) -> None:
    """64 characters at most, told apart whenever the items are, with the bytes that were planned."""
    jobs = [new_job_id() for _ in items]
    frame = pl.DataFrame({"job": jobs, "item_id": items}, schema={"job": pl.String, "item_id": pl.String})
    sent = custom_ids(frame["job"], frame["item_id"])

    assert [f"{job}-{short_item(item)}" for job, item in zip(jobs, items, strict=True)] == sent.to_list()
    assert all(re.fullmatch("[a-zA-Z0-9_-]{1,64}", one) for one in sent)
    assert frame.select(custom_id_bytes()).to_series().to_list() == sent.str.len_bytes().to_list()
    same_job = custom_ids(pl.Series(["jobtag22"] * len(items), dtype=pl.String), frame["item_id"])
    assert same_job.n_unique() == len(set(items))


@given(long_ids)
def test_a_long_item_keeps_its_head_and_gets_a_digest(item: str) -> None:
    """A person still recognises it; two with the same head stay two."""
    short = short_item(item)

    assert (short == item) == (len(item) <= ITEM_LENGTH)
    assert len(short) <= ITEM_LENGTH
    assert short[:38] == item[:38]
    assert short_item(item + "x") != short_item(item + "y")


@given(st.lists(st.tuples(item_ids, st.dictionaries(st.text("abc", max_size=3), json_values, max_size=3)), max_size=6))
def test_a_body_has_exactly_the_bytes_that_were_counted(requests: list[tuple[str, dict[str, object]]]) -> None:
    """The envelope parses to the requests put into it, and its size is known from their sizes alone."""
    written = HEAD + BETWEEN.join(request(name, orjson.dumps(params)) for name, params in requests) + TAIL

    parsed = json.loads(written)["requests"]
    assert [name for name, _ in requests] == [one["custom_id"] for one in parsed]
    assert [params for _, params in requests] == [one["params"] for one in parsed]
    if requests:
        frame = pl.DataFrame(
            {
                "custom_id": [name for name, _ in requests],
                "payload_bytes": [len(orjson.dumps(params)) for _, params in requests],
                "mark_bytes": 0,
                "split_chars": pl.Series([None] * len(requests), dtype=pl.Int64),
            }
        )
        assert len(written) == body_bytes(frame)
        marked = frame.with_columns(mark_bytes=pl.int_range(pl.len()) % 2 * 48)
        assert len(written) + 48 * (frame.height // 2) == body_bytes(marked)
        assert len(written) + SPLIT_BYTES * frame.height == body_bytes(frame.with_columns(split_chars=9))
        each = frame.select(request_bytes(pl.col("custom_id").str.len_bytes()))
        assert len(written) == BODY_FRAME_BYTES + int(each.to_series().sum())
