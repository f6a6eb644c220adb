"""Classes as their owners send them, whatever models their items are sent to; and the route that each has."""

import polars as pl

from core.errors import LotwiseError
from core.intake.routing import Route, all_routes
from core.store import Store


class NoSuchClass(LotwiseError):
    """There is no class of this id or name, or several have the name. The Classes page and `route list` show them."""


class NoSuchRoute(LotwiseError):
    """The work of this class goes to the model that its owner names: there is no route to take back or to watch."""


def home_classes(store: Store) -> dict[str, str]:
    """For each class that only routed items are in now, the class that its owner sends: that of most of them."""
    found = store.query("routed_classes").filter(~pl.col("native")).unique("class_id", maintain_order=True)
    return dict(found.select("class_id", "home_id").iter_rows())


def alike(store: Store, class_id: str) -> list[str]:
    """Every class whose trials are of the same work as this one's: the one its owner sends, and where that went."""
    homes = home_classes(store)
    home = homes.get(class_id, class_id)
    return [home, *(place for place, of in homes.items() if of == home)]


def places_of(store: Store, home: str) -> set[str]:
    """A class as its owner sends it, and every class that items of it were routed into."""
    return {home, *store.query("routed_classes").filter(home_id=home)["class_id"]}


def home_of(store: Store, text: str) -> str:
    """The class as its owner sends it that is meant by an id, or by the name of one. Raises `NoSuchClass`."""
    homes = home_classes(store)
    found = {homes.get(name, name) for name in store.query("class_named", text=text)["class_id"]}
    if len(found) != 1:
        raise NoSuchClass(name=text, ids=", ".join(sorted(found)) or None)
    return str(found.pop())


def route_of(store: Store, text: str) -> Route:
    """The route in force of the class that is meant by an id or a name. Raises `NoSuchClass` and `NoSuchRoute`."""
    home = home_of(store, text)
    for route in all_routes(store, applied=True):
        if route.class_id == home:
            return route
    raise NoSuchRoute(name=text)
