"""What sizes are tested with: costs and limits of every kind, from ordinary to absurd."""

from hypothesis import strategies as st

from core.sizing.constraints import Limits
from core.sizing.job_costs import JobCosts


def job_costs() -> st.SearchStrategy[JobCosts]:
    """Draw costs from a millionth of a dollar an item on, with anything from no fault to one in ten items."""
    return st.builds(
        JobCosts,
        hot_usd=st.floats(1e-6, 1),
        once_usd=st.just(0.0) | st.floats(1e-6, 1),
        job_usd=st.just(0.0) | st.floats(1e-6, 1),
        void_rate=st.just(0.0) | st.floats(1e-8, 0.1),
        fault_rate=st.floats(0, 0.1),
        unbilled_fault_rate=st.floats(0, 0.1),
        canary=st.floats(0, 1),
        idempotent=st.booleans(),
    )


def limits(*, least: int = 1) -> st.SearchStrategy[Limits]:
    """Draw limits of which each may be missing; `least` is the smallest size that time and the queue allow."""
    size = st.none() | st.integers(least, 100_000)
    return st.builds(
        Limits,
        requests=st.integers(1, 100_000),
        bytes=st.integers(1_000_000, 256_000_000),
        item_bytes=st.floats(100, 1_000_000),
        queue_headroom=size,
        blast_usd=st.none() | st.floats(least, 1_000),
        blast_hours=st.none() | st.floats(0, 48),
        rerun_items=size,
        window_items=size,
        backlog=st.none() | st.integers(0, 1_000_000),
    )
