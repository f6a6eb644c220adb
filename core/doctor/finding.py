"""A finding: what breaks or wastes sharing, exactly where, for how many dollars, and what healing it changes."""

import tomllib
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from core.doctor.rewrite import Rewrite
from core.doctor.suspicion import Excerpt, Suspicion
from core.requests.rendering import path_name

_SHOWN_IDS = 5
_MICRO = Decimal("0.000001")
BASIS = (
    "estimated: tokens from bytes, list prices of the day, one primed one-hour cache entry a prefix, which all others "
    "read; measured on the prompts as they are and as they would be"
)
BASIS_SAMPLED = f"{BASIS}; on a sample, scaled to all requests"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One defect, priced as if it alone were healed: findings of the same requests must not be added up."""

    kind: str
    title: str
    sentence: str
    meaning: str
    """What the change does to what the model reads."""
    model: str
    items: int
    custom_ids: tuple[str, ...]
    """A few of the requests that would change."""
    block: int
    """In cache order, from 1."""
    path: str
    character: int
    before: Excerpt
    after: Excerpt
    saving_usd: Decimal
    """In one run of these requests."""
    saving_month_usd: Decimal
    basis: str
    automatic: bool
    """Whether a rewritten request file can be made; otherwise `texts` hold what its owner may change."""
    rewrites: tuple[Rewrite, ...]
    texts: tuple[tuple[str, str], ...]

    def document(self) -> dict[str, Any]:
        """The finding as plain values."""
        return {
            "kind": self.kind,
            "title": self.title,
            "sentence": self.sentence,
            "meaning": self.meaning,
            "model": self.model,
            "items": self.items,
            "custom_ids": list(self.custom_ids),
            "block": self.block,
            "path": self.path,
            "character": self.character,
            "before": self.before._asdict(),
            "after": self.after._asdict(),
            "saving_usd": self.saving_usd,
            "saving_month_usd": self.saving_month_usd,
            "basis": self.basis,
            "automatic": self.automatic,
            "rewrites": [rewrite.document() for rewrite in self.rewrites],
        }


def finding_of(suspicion: Suspicion, *, runs_a_month: float) -> Finding:
    """The finding of a suspicion: its dollars and its words."""
    scope = suspicion.scope
    words = _words()[suspicion.kind]
    items = round(len(suspicion.affected) * scope.scale)
    path = path_name(suspicion.place.path)
    said = {"items": f"{items:,}", "model": scope.model, "path": path} | dict(suspicion.words)
    saving = dollars(suspicion.gain * scope.tariff.usd_per_byte)
    title = words["title"].format(**said)
    return Finding(
        kind=suspicion.kind,
        title=title[0].upper() + title[1:],
        sentence=words["says"].format(**said),
        meaning=words["meaning"].format(**said),
        model=scope.model,
        items=items,
        custom_ids=tuple(scope.items[position].custom_id for position in suspicion.affected[:_SHOWN_IDS]),
        block=suspicion.place.block,
        path=path,
        character=suspicion.place.character,
        before=suspicion.before,
        after=suspicion.after,
        saving_usd=saving,
        saving_month_usd=(saving * Decimal(str(runs_a_month))).quantize(_MICRO),
        basis=BASIS if scope.population == len(scope.items) else BASIS_SAMPLED,
        automatic=bool(suspicion.rewrites),
        rewrites=suspicion.rewrites,
        texts=suspicion.texts,
    )


def dollars(amount: float) -> Decimal:
    """An estimate as money, to a millionth of a dollar."""
    return Decimal(amount).quantize(_MICRO)


@cache
def _words() -> dict[str, dict[str, str]]:
    return tomllib.loads(files("core.doctor").joinpath("findings.toml").read_text("utf-8"))
