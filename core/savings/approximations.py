"""What the decomposition takes for granted, in sentences: only those that apply."""

from collections.abc import Iterator

from core.savings.decomposition import Savings
from core.wording import count


def approximations(savings: Savings, *, moved: int = 0) -> tuple[str, ...]:
    """What a reader of these amounts should know; `moved`: classes on several models, and none declared for them."""
    return tuple(_said(savings, moved))


def _said(savings: Savings, moved: int) -> Iterator[str]:
    if savings.routed:
        yield (
            f"{count(savings.routed, 'attempt')} went to another model than the baseline of their class. The baseline "
            "is priced at the tokens that were counted on the model used; models count the same text differently."
        )
    if savings.under_floor:
        yield (
            f"{count(savings.under_floor, 'attempt')} cached a prefix that is too short for the baseline model: it is "
            "priced as if it had cached it all the same."
        )
    if moved:
        them = "it" if moved == 1 else "they"
        yield (
            f"{count(moved, 'class', 'classes')} changed model and no baseline is declared, so routing counts nothing "
            f"there: declare what {them} would have run on (`savings --class CLASS --baseline MODEL`)."
        )
    if savings.no_baseline:
        at = count(savings.no_baseline, "attempt")
        yield f"{at} count as not routed, because their baseline model has no price on that day."
    if savings.again:
        yield (
            "The list price and the lever sizing stand on the policy of sending a whole job again after each failed "
            f"slice: that would have billed {count(savings.again, 'attempt')} more, each taken to cost what it cost "
            "the first time. Failures that were billed and never repaired are not counted again. The list price of "
            f"what was really sent is ${savings.list_cost_sent:,.2f}."
        )
    if savings.unknown:
        yield f"{count(savings.unknown, 'attempt')} without a known price: on neither side."
