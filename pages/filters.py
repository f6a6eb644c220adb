"""What the Trends are narrowed to: a class, a tier, a model, a tag. All of it stands in the address."""

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from core.prices import UnknownModel
from pages import data
from pages.session import workspace
from pages.words import say, term

TAGS = 1_000
"""Values of tags offered as filters, at most: a list of every customer is no list to choose from."""
_KEYS = ("class", "tier", "model", "tag")


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What is let through; nothing named is all."""

    class_name: str | None
    models: tuple[str, ...]
    """Empty = all."""
    tag: tuple[str, str] | None
    """Name and value."""

    def params(self) -> dict[str, str | tuple[str, ...] | None]:
        """The same as the named reads take it."""
        name, value = self.tag or (None, None)
        return {"class_name": self.class_name, "models": self.models, "tag_name": name, "tag_value": value}


def choose() -> Filters:
    """The controls, in one row where there is room."""
    tiers = tiers_of(data.models())
    tags = _tags()
    with st.grid(4 if tags else 3, min_column_width=200, gap="small"):
        class_name = _select("class", data.class_names())
        tier = _select("tier", sorted(set(tiers.values())))
        models = [model for model in tiers if tier in (None, tiers[model])]
        model = _select("model", models)
        tag = _select("tag", list(tags)) if tags else None
    return Filters(
        class_name=class_name,
        models=(model,) if model else tuple(models) if tier else (),
        tag=tags[tag] if tag else None,
    )


def tiers_of(models: list[str]) -> dict[str, str]:
    """The tier of each model as people say it; what the price book does not list is its own."""
    book, tiers = workspace().book, {}
    for model in models:
        try:
            tiers[model] = term("tier", book.model(model).line)
        except UnknownModel:
            tiers[model] = model
    return tiers


def narrow(key: str, value: str) -> bool:
    """Let only this class, tier, model or tag through, if there is one of that name; for callbacks."""
    known: Mapping[str, list[str]] = {
        "class": data.class_names(),
        "tier": list(tiers_of(data.models()).values()),
        "model": data.models(),
        "tag": list(_tags()),
    }
    if value not in known[key]:
        return False
    st.session_state[key] = value
    return True


def clear() -> None:
    """Let everything through again; for callbacks."""
    st.session_state.update(dict.fromkeys(_KEYS))


def tag_names() -> list[str]:
    """The names of all tags that items carry."""
    return list(dict.fromkeys(name for name, _ in _tags().values()))


def _tags() -> dict[str, tuple[str, str]]:
    rows = data.read("tag_values", limit=TAGS).iter_rows()
    return {f"{name}={value}": (name, value) for name, value in rows}


def _select(key: str, options: list[str]) -> str | None:
    chosen: str | None = st.selectbox(
        term("filter", key), options, index=None, placeholder=say("app.all"), key=key, bind="query-params"
    )
    return chosen
