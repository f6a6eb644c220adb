"""What a request asks, as one number: whether two lines under one id, or two items, ask the same."""

from hashlib import blake2b


def content_hash(canonical: bytes) -> int:
    """The first eight bytes of BLAKE2b-128 of the parameters, written with sorted keys.

    Enough to compare what one item was and is, and to find copies among ten million: by chance two of them are alike
    in less than one of a hundred thousand stores.
    """
    return int.from_bytes(blake2b(canonical, digest_size=16).digest()[:8])
