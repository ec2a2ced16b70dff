"""What was asked of the queue and what it said, and whether the two fit its guarantees.

All times are of one monotonic clock, in seconds. An operation has the time at which it was sent and
the time at which its answer came; an operation without an answer may or may not have happened.
"""

import dataclasses
import threading


@dataclasses.dataclass
class Put:
    body: str
    sent: float
    answered: float | None = None
    id: int | None = None


@dataclasses.dataclass
class Delivery:
    id: int
    body: str
    channel: str
    priority: int
    count: int  # how many deliveries the server says there have been, this one included
    sent: float
    answered: float


@dataclasses.dataclass
class Delete:
    id: int
    sent: float
    answered: float | None = None
    found: bool | None = None


# The server keeps times in milliseconds.
GRANULARITY = 0.002


class History:
    """Filled by many threads, judged by violations() when all of them have ended."""

    def __init__(self, visibility: float):
        self.visibility = visibility  # seconds for which a delivery hides every message
        self._lock = threading.Lock()
        self.puts: list[Put] = []
        self.deliveries: list[Delivery] = []
        self.deletes: list[Delete] = []
        self.power_cuts: list[float] = []  # a delivery may be forgotten with the power

    def add(self, operation):
        with self._lock:
            {Put: self.puts, Delivery: self.deliveries, Delete: self.deletes}[type(operation)].append(operation)
        return operation

    def violations(self) -> list[str]:
        """One line for each broken promise. The last deliveries must have drained every channel."""
        found: list[str] = []
        for check in (
            self._ids_are_unique,
            self._bodies_are_as_put,
            self._nothing_is_lost,
            self._nothing_deleted_returns,
            self._leases_hold,
            self._order_is_kept,
        ):
            found.extend(check())
        return found

    def _acknowledged(self):
        return [put for put in self.puts if put.id is not None]

    def _by_id(self, operations):
        grouped: dict[int, list] = {}
        for operation in operations:
            grouped.setdefault(operation.id, []).append(operation)
        return grouped

    def _ids_are_unique(self):
        for id, puts in self._by_id(self._acknowledged()).items():
            if len(puts) > 1:
                yield f"id {id} was given to {len(puts)} messages: {', '.join(put.body[:40] for put in puts)}"

    def _bodies_are_as_put(self):
        attempted = {put.body for put in self.puts}
        ids_of_body: dict[str, set[int]] = {}
        body_of_id = {put.id: put.body for put in self._acknowledged()}
        for delivery in self.deliveries:
            if delivery.body not in attempted:
                yield f"message {delivery.id} was delivered with a body that nobody put: {delivery.body[:40]!r}"
            expected = body_of_id.get(delivery.id)
            if expected is not None and expected != delivery.body:
                yield f"message {delivery.id} was put as {expected[:40]!r} and delivered as {delivery.body[:40]!r}"
            ids_of_body.setdefault(delivery.body, set()).add(delivery.id)
        for body, ids in ids_of_body.items():
            if len(ids) > 1:
                yield f"{body[:40]!r} was put once and is in the queue as {sorted(ids)}"

    def _nothing_is_lost(self):
        delivered = {delivery.id for delivery in self.deliveries}
        deleted = {delete.id for delete in self.deletes}
        for put in self._acknowledged():
            if put.id not in delivered and put.id not in deleted:
                yield f"message {put.id} ({put.body[:40]}) was acknowledged and never came back"
        # What was delivered and not deleted, or whose delete had no answer, is drained in the end;
        # a delete that found nothing, of a message that nobody had deleted before, lost it.
        deletes = self._by_id(self.deletes)
        for id, attempts in deletes.items():
            attempts.sort(key=lambda delete: delete.sent)
            first = attempts[0]
            if first.answered is not None and first.found is False:
                yield f"message {id} was delivered, and its first delete did not find it"

    def _nothing_deleted_returns(self):
        gone: dict[int, float] = {}
        for delete in self.deletes:
            if delete.answered is not None and delete.found:
                gone[delete.id] = min(delete.answered, gone.get(delete.id, delete.answered))
        for delivery in self.deliveries:
            if delivery.id in gone and delivery.sent > gone[delivery.id]:
                yield f"message {delivery.id} was deleted and delivered again"

    def _leases_hold(self):
        for id, deliveries in self._by_id(self.deliveries).items():
            deliveries.sort(key=lambda delivery: delivery.answered)
            for first, second in zip(deliveries, deliveries[1:]):
                if any(first.sent < cut < second.answered for cut in self.power_cuts):
                    continue
                # The lease began between the sending of the first and its answer.
                if second.answered < first.sent + self.visibility - GRANULARITY:
                    early = first.sent + self.visibility - second.answered
                    yield f"message {id} was delivered twice, the second time {early:.3f} s before its lease ended"
                if second.count <= first.count:
                    yield f"message {id} was delivered {first.count} times, and later {second.count} times"

    def _order_is_kept(self):
        """Channels called `ordered-..` have one taker, who takes one message after the other. What was
        on its way to it when the server died comes back later, with a higher count."""
        last: dict[tuple[str, int], int] = {}
        for delivery in sorted(self.deliveries, key=lambda delivery: delivery.sent):
            if not delivery.channel.startswith("ordered-"):
                continue
            key = (delivery.channel, delivery.priority)
            if delivery.count == 1 and delivery.id < last.get(key, 0):
                yield f"message {delivery.id} was delivered first after {last[key]}, in {delivery.channel}"
            last[key] = max(delivery.id, last.get(key, 0))
