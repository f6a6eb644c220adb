"""A finding written out for the prompt's owner: what, where, for how much, what it changes, and a unified diff."""

from difflib import unified_diff

from core.doctor.finding import Finding


def proposal(finding: Finding) -> str:
    """The finding as Markdown, with its texts before and after as unified diffs."""
    place = f"block {finding.block}, {finding.path}, character {finding.character:,}"
    lines = [
        f"# {finding.title}",
        "",
        finding.sentence,
        "",
        f"- Where: {place}; {finding.items:,} requests to {finding.model}, such as {', '.join(finding.custom_ids)}",
        f"- Worth: ${finding.saving_month_usd:,.2f} a month, ${finding.saving_usd:,.4f} a run ({finding.basis})",
        f"- What it changes: {finding.meaning}",
    ]
    for before, after in finding.texts:
        lines += ["", "```diff", *_diff(before, after), "```"]
    return "\n".join(lines) + "\n"


def _diff(before: str, after: str) -> list[str]:
    return list(unified_diff(before.splitlines(), after.splitlines(), "before", "after", n=2, lineterm=""))
