"""Tags that items carry (`team=search`): a few sets for many items, so that cost can be seen by them."""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from core.errors import LotwiseError
from core.requests.request import MOST_TAGS, TAG_NAME, TAG_TEXT
from core.store import Transaction

Tags = Mapping[str, str]
NO_TAGS: Tags = MappingProxyType({})
TAG_SIGN = "="
MOST_SETS = 4_000
"""Different sets of tags in a workspace: every sum is kept for each of them."""


class TagInvalid(LotwiseError):
    """This is no tag, so nothing was imported. Write it as team=search: a name of at most 40 letters, digits, - and _,
    and a text of at most 80 characters; an item has 8 tags at most."""


class TooManyTagSets(LotwiseError):
    """This workspace has 4,000 different sets of tags already: tags are for grouping (team, feature), not for ids."""


def parse_tags(texts: Iterable[str]) -> Tags:
    """Tags written as `name=text`; of one name the last counts. Raises `TagInvalid`."""
    tags = dict(_parsed(text) for text in texts)
    if len(tags) > MOST_TAGS:
        raise TagInvalid(tags=len(tags))
    return tags


def _parsed(text: str) -> tuple[str, str]:
    name, sign, value = text.partition(TAG_SIGN)
    if not sign or re.match(TAG_NAME, name) is None or re.match(TAG_TEXT, value) is None:
        raise TagInvalid(tag=text)
    return name, value


class TagSets:
    """The sets of tags as they are in a transaction, which numbers new ones."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._numbers: dict[frozenset[tuple[str, str]], int] = {frozenset(): 0}
        self._read = False

    def number(self, tags: Tags) -> int:
        """The number of a set, 0 for none. Raises `TagInvalid` for more tags than an item has, or `TooManyTagSets`."""
        key = frozenset(tags.items())
        if key and not self._read:
            rows = self._tx.run("tag_sets")
            self._numbers |= {frozenset(row["tags"].items()): row["tag_set"] for row in rows}
            self._read = True
        if key not in self._numbers:
            self._numbers[key] = self._add(tags)
        return self._numbers[key]

    def _add(self, tags: Tags) -> int:
        if len(tags) > MOST_TAGS:
            raise TagInvalid(tags=len(tags))
        if len(self._numbers) > MOST_SETS:
            raise TooManyTagSets
        number = max(self._numbers.values()) + 1
        self._tx.run("add_tag_set", tag_set=number, names=list(tags), texts=list(tags.values()))
        return number
