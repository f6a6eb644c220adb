"""When what comes in is sent by a rhythm, class by class, and how long before its need. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from core.schedule.arrivals import HOUR, Floats, Stream, Work
from core.schedule.rhythm import Rhythm, Way, Within


@dataclass(frozen=True, kw_only=True)
class Moments:
    """When a rhythm sends by the clock and when results are needed, in seconds since the start, up to the first of
    each after all has come in; none of what the queue or the single item decides."""

    sends: Floats
    needs: Floats

    @classmethod
    def of(cls, work: Work, rhythm: Rhythm) -> "Moments":
        """The moments of a rhythm over the work."""
        last = max(float(stream.seconds[-1]) for stream in work.streams)
        needs = () if isinstance(rhythm.need, Within) else rhythm.need.from_day(work.start)
        return cls(
            sends=_until(last, work, rhythm.moments(work.start - timedelta(microseconds=1))),
            needs=_until(last + rhythm.lead, work, needs),
        )

    def needed(self, stream: Stream, rhythm: Rhythm) -> Floats:
        """When each arrival is needed."""
        if isinstance(rhythm.need, Within):
            return stream.seconds + rhythm.need.hours * HOUR
        return self.needs[np.searchsorted(self.needs, stream.seconds + rhythm.lead)]


def _until(last: float, work: Work, moments: Iterable[datetime]) -> Floats:
    seconds = []
    for moment in moments:
        seconds.append((moment - work.start).total_seconds())
        if seconds[-1] >= last:
            break
    return np.array(seconds)


@dataclass(frozen=True, kw_only=True)
class Sends:
    """The sends of a class: `at` (seconds since the start, ascending), `items` of each, `slack` from each to the first
    need of what it sends; how long all items `waited` together, and the `longest` wait."""

    at: Floats
    items: Floats
    slack: Floats
    waited: float
    longest: float

    @classmethod
    def of(cls, stream: Stream, rhythm: Rhythm, moments: "Moments") -> "Sends":
        """What a rhythm with these moments makes of a class."""
        needed = moments.needed(stream, rhythm)
        if rhythm.way is Way.QUEUE:
            at = _by_queue(stream, rhythm, needed)
        else:
            at = moments.sends[np.searchsorted(moments.sends, stream.seconds)]
        times, first, number = np.unique(at, return_index=True, return_inverse=True)
        waited = at - stream.seconds
        return cls(
            at=times,
            items=np.bincount(number, weights=stream.items).astype(float),
            slack=needed[first] - times,  # needs come in the order of arrivals
            waited=float((waited * stream.items).sum()),
            longest=float(waited.max()),
        )


def _by_queue(stream: Stream, rhythm: Rhythm, needed: Floats) -> Floats:
    """When each arrival is sent: as soon as enough of the class waits, or when the oldest of them has to go."""
    seconds, came, enough = stream.seconds, np.cumsum(stream.items), rhythm.enough(stream.class_id)
    at, begin, sent = np.empty_like(seconds), 0, 0.0
    while begin < len(seconds):
        latest = needed[begin] - rhythm.lead
        full = int(np.searchsorted(came, sent + enough))
        if full < len(seconds) and seconds[full] <= latest:
            end, when = full + 1, seconds[full]
        else:
            end, when = int(np.searchsorted(seconds, latest, side="right")), latest
        end = max(end, begin + 1)
        at[begin:end] = max(when, seconds[begin])
        begin, sent = end, float(came[end - 1])
    return at
