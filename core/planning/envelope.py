"""The envelope of a create call: the bytes around the parameters, so that a body's size is known before it is made."""

import polars as pl

HEAD, BETWEEN, TAIL = b'{"requests":[', b",", b"]}"
_REQUEST = b'{"custom_id":"%b","params":%b}'
# Every request is counted with the comma after it; the last one has none.
BODY_FRAME_BYTES = len(HEAD) + len(TAIL) - len(BETWEEN)
_REQUEST_FRAME_BYTES = len(_REQUEST % (b"", b"")) + len(BETWEEN)

SPLIT_BYTES = len(b',{"type":"text","text":""}')
"""What a text cut in two takes more than the same text in one marked block."""


def request(custom_id: str, params: bytes) -> bytes:
    """One request as it stands in the body."""
    return _REQUEST % (custom_id.encode(), params)


def request_bytes(custom_id_bytes: pl.Expr) -> pl.Expr:
    """Exact bytes of each request with its comma.

    Columns read: payload_bytes, mark_bytes (what its marks add to its blocks), split_chars (null: no text is cut).
    """
    split = pl.when(pl.col("split_chars").is_not_null()).then(SPLIT_BYTES).otherwise(0)
    return (
        custom_id_bytes.cast(pl.Int64) + pl.col("payload_bytes") + pl.col("mark_bytes") + split + _REQUEST_FRAME_BYTES
    ).cast(pl.Int64)


def body_bytes(requests: pl.DataFrame) -> int:
    """Exact bytes of the body made of these requests (columns custom_id, payload_bytes, mark_bytes, split_chars)."""
    return BODY_FRAME_BYTES + int(requests.select(request_bytes(pl.col("custom_id").str.len_bytes()).sum()).item())
