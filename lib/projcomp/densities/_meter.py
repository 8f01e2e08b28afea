"""How many points densities have been asked about, while someone counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar

_COUNT: ContextVar[Callable[[int], None] | None] = ContextVar("count", default=None)
_NOTHING = nullcontext()


@contextmanager
def counting(count: Callable[[int], None] | None) -> Iterator[None]:
    """Tell `count` of every evaluation in here: points times densities. None: of none."""
    token = _COUNT.set(count)
    try:
        yield
    finally:
        _COUNT.reset(token)


def evaluated(points: int):
    """A density, or a part of a composition, is asked about so many points; those that it asks in
    its turn do not count."""
    count = _COUNT.get()
    if count is None:
        return _NOTHING
    count(points)
    return counting(None)
