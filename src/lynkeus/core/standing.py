"""Standing: what is not as it was and has become the reference, until it is over; one line of a list, not an alarm."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, NamedTuple, Protocol, runtime_checkable

State = Literal["standing", "masked", "maintenance", "moved"]


class Standing(NamedTuple):
    """One deviation that a scorer no longer alarms of, since it looks from there now.

    `state`: a channel that stands off, that is masked because its spread is wrong or because people said so, or the
    instrument that moved (`where` is ''). `since_ns`: when that began, UTC ns, 0 where there are no times; `until_ns`:
    of a move, when its end became the reference, else 0; `says`: half a sentence.
    """

    output: str
    where: str
    state: State
    since_ns: int
    until_ns: int = 0
    says: str = ""


@runtime_checkable
class Stands(Protocol):
    """A Tracking scorer that takes what lasts for the new reference, and says what that is.

    `standing` gives what stands in the present state; `mask` leaves channels out, by name, of all that it says and of
    what others are compared with, and takes back those that were masked by it before and are not named any more; of
    names that it does not know it knows nothing.
    """

    def standing(self) -> tuple[Standing, ...]: ...

    def mask(self, channels: Collection[str]) -> None: ...
