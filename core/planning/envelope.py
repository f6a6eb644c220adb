"""The envelope of a create call: the bytes around the parameters, so that a body's size is known before it is made."""

import polars as pl

HEAD, BETWEEN, TAIL = b'{"requests":[', b",", b"]}"
_REQUEST = b'{"custom_id":"%b","params":%b}'
# Every request is counted with the comma after it; the last one has none.
BODY_FRAME_BYTES = len(HEAD) + len(TAIL) - len(BETWEEN)
_REQUEST_FRAME_BYTES = len(_REQUEST % (b"", b"")) + len(BETWEEN)


def request(custom_id: str, params: bytes) -> bytes:
    """One request as it stands in the body."""
    return _REQUEST % (custom_id.encode(), params)


def request_bytes(custom_id_bytes: pl.Expr, *, marked: pl.Expr) -> pl.Expr:
    """Exact bytes of each request with its comma; reads the columns payload_bytes and mark_bytes."""
    mark_bytes = pl.when(marked).then(pl.col("mark_bytes")).otherwise(0)
    return (custom_id_bytes.cast(pl.Int64) + pl.col("payload_bytes") + mark_bytes + _REQUEST_FRAME_BYTES).cast(pl.Int64)


def body_bytes(requests: pl.DataFrame) -> int:
    """Exact bytes of the body made of these requests (columns custom_id, payload_bytes, mark_bytes, marked)."""
    each = request_bytes(pl.col("custom_id").str.len_bytes(), marked=pl.col("marked"))
    return BODY_FRAME_BYTES + int(requests.select(each.sum()).item())
