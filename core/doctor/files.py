"""The doctor for request files: examine them without a workspace, and write rewritten copies on demand."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from core.doctor.diff import proposal
from core.doctor.examination import Examination, examine_sample
from core.doctor.finding import Finding
from core.doctor.rewrite import Rewritten, WouldOverwrite, rewrite_file
from core.doctor.sample import Sample
from core.prices import PriceBook
from core.requests.blocks import chain_of
from core.requests.lines import Oversize, read_lines
from core.requests.request import NotARequest, parse_request, why_not


@dataclass(frozen=True, kw_only=True)
class FilesExamined:
    """What the files hold and what was found in it. `reasons`: file, line and why of lines that are no requests."""

    examination: Examination
    rejected: int
    reasons: tuple[tuple[str, int, str], ...]

    def document(self) -> dict[str, Any]:
        """The report as plain values."""
        return self.examination.document() | {"rejected": self.rejected}


def doctor_files(paths: Iterable[Path], book: PriceBook, *, now: datetime, runs_a_month: float = 1.0) -> FilesExamined:
    """Examine all requests of the files, in bounded memory. Raises `FileUnreadable` or `FileTornApart`."""
    sample = Sample()
    reasons: list[tuple[str, int, str]] = []
    for path in paths:
        for number, line in enumerate(read_lines(path), 1):
            if isinstance(line, Oversize):
                line.spool.close()
                reasons.append((path.name, number, "longer than the 32 MB that a request may have"))
                continue
            try:
                request = parse_request(line)
                chain_of(request.params)
                sample.add(request.custom_id, _params(line))
            except NotARequest as wrong:
                if not line.isspace():
                    reasons.append((path.name, number, str(wrong)))
    return FilesExamined(
        examination=examine_sample(sample, book=book, now=now, runs_a_month=runs_a_month),
        rejected=len(reasons),
        reasons=tuple(reasons),
    )


def rewrite_files(paths: Iterable[Path], folder: Path, findings: Sequence[Finding]) -> list[Rewritten]:
    """Write copies of the files with the automatic rewrites of these findings into a folder.

    The sources stay as they are. Raises `WouldOverwrite`, `FileUnreadable` or `FileTornApart`.
    """
    rewrites = [rewrite for finding in findings for rewrite in finding.rewrites]
    return [rewrite_file(path, folder, rewrites) for path in paths]


def write_proposals(folder: Path, findings: Sequence[Finding]) -> Path | None:
    """Write what only the prompts' owners can change to `proposals.md`; None where there is nothing of that kind.

    Raises `WouldOverwrite`.
    """
    texts = [proposal(finding) for finding in findings if not finding.automatic]
    if not texts:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "proposals.md"
    if target.exists():
        raise WouldOverwrite(file=target)
    target.write_text("\n".join(texts), "utf-8")
    return target


def _params(line: bytes) -> dict[str, Any]:
    try:
        params: dict[str, Any] = orjson.loads(line)["params"]
    except orjson.JSONDecodeError as error:
        raise NotARequest(why_not(line, error)) from None
    return params
