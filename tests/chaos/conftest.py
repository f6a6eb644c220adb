"""The ground that worlds are made on, one for each test process."""

from collections.abc import Iterator

import pytest

from tests.chaos.ground import Ground


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Return an account, a nursery of processes, and prepared workspaces."""
    with Ground(tmp_path_factory.mktemp("chaos")) as made:
        yield made
