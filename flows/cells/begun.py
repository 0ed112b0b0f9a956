"""Work that was begun on threads, and the beginning of work before its turn."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from flows.limits.budgets import BudgetSpent

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from concurrent.futures import Future
    from threading import Semaphore

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Begun(Generic[Result]):
    """Work on some items, begun side by side.

    Attributes:
        see_stop: Raises if the run has been stopped.
        futures: One for each item, in their order.
    """

    see_stop: Callable[[], None]
    futures: list[Future[Result]] = field(default_factory=list)

    def results(self) -> list[Result]:
        """Waits for the results and returns them in the items' order, once: none is kept here.

        If one fails, those that have not begun are dropped and its error is raised; what a run that
        has been stopped says comes before it.
        """
        try:
            return [future.result() for future in self.futures]
        except BaseException:
            self.drop()
            self.see_stop()  # what a closed pool or a cut connection says is not the reason
            raise
        finally:
            self.futures.clear()  # a batch of chips is 100 MB, and may be packed by now

    def drop(self) -> None:
        """Has nothing done that has not begun."""
        for future in self.futures:
            future.cancel()


def begin_ahead(
    room: Semaphore, items: Iterable[Item], begin: Callable[[Item], Begun[Result] | None]
) -> Generator[tuple[Item, Begun[Result] | None], None, None]:
    """Gives items in their order, each with its work begun, and begins those after it if it may.

    Which items there are, and their order, do not depend on what is begun when. To be closed
    (`contextlib.closing`), so that what was begun and is no longer wanted is dropped. When a budget
    is spent, what was begun is given first: its requests are counted, and it is not made again.

    Args:
        room: How many items may be begun before their turn; shared with others who do the same.
            Nobody waits for it: an item whose turn has come needs none.
        items: The items.
        begin: Begins the work on one; None if there is nothing to do.

    Yields:
        Each item, and what was begun for it.
    """
    waiting = deque(items)
    begun: deque[tuple[Item, Begun[Result] | None]] = deque()
    taken = 0
    try:
        while waiting or begun:
            if begun:  # begun early; its turn has come
                taken -= 1
                room.release()
            else:
                begun.append((waiting[0], begin(waiting.popleft())))
            while waiting and room.acquire(blocking=False):
                taken += 1
                try:
                    early = begin(waiting[0])
                except BudgetSpent:  # what is begun comes to its end first; see its own turn
                    taken -= 1
                    room.release()
                    break
                begun.append((waiting.popleft(), early))
            yield begun[0]
            begun.popleft()
    finally:
        for _, one in begun:
            if one is not None:
                one.drop()
        if taken:
            room.release(taken)
