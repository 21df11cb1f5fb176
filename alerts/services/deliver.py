"""Sends what is due, a few messages at once, so that a slow or dead channel delays nobody else's."""

import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from django.db import OperationalError, close_old_connections

from alerts.channels import registry
from alerts.channels.base import ChannelError, Sent
from alerts.messages import Facts, facts_of_test
from alerts.models import AlertRule
from alerts.services import claims
from alerts.services.claims import Claimed, InLine
from alerts.services.outbox import hooks
from bloop_site.lib.clock import SECOND_MS
from bloop_site.lib.log import logger

log = logger("alerts")
AT_ONCE = 12  # threads, which only wait for other people's servers
AT_ONCE_A_HOST = 2  # so that all channels of a host that hangs hold up two of them
# Of channels whose last attempt failed: what hangs again leaves room for the others, also for those of its host.
FAILING_AT_ONCE, FAILING_AT_ONCE_A_HOST = 8, 1
LOOK_EVERY = 1.0  # seconds, while something is under way
TEST_SECONDS = 15.0  # each channel ends by itself after 10
PAUSES = (0.2, 1.0, 3.0)  # seconds, when an outcome cannot be written
FAULT = "something went wrong within Bloop; its log says what"


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended, for whoever writes it down."""

    lane: str
    claimed: Claimed
    result: Sent | ChannelError


Inbox: TypeAlias = queue.SimpleQueue[Outcome | None]  # None: something may be due


def deliver_due(
    *, now_ms: int, seconds: float, inbox: Inbox | None = None, stopping: threading.Event | None = None
) -> int | None:
    """Send what is due, and what becomes due meanwhile; nothing more is begun after `seconds` or when stopping.

    Each attempt is claimed and settled in a short transaction of its own; none is open while something is sent. Ends
    when all that was begun has ended. Returns when the next attempt is due (epoch ms), None when nothing waits.
    """
    messages = Round(inbox or queue.SimpleQueue(), now_ms)
    while True:
        if time.monotonic() - messages.begun < seconds and not (stopping and stopping.is_set()):
            messages.start_due()
        if not messages.under_way:
            return claims.next_due_ms(now_ms=messages.clock())
        messages.take_in(seconds=LOOK_EVERY)


@dataclass
class Round:
    """Messages under way. Threads only send; what they come back with is written by whoever runs the round."""

    inbox: Inbox
    now_ms: int
    begun: float = field(default_factory=time.monotonic)
    under_way: dict[str, InLine] = field(default_factory=dict)  # by lane

    def clock(self) -> int:
        """Now, in epoch ms: the caller's clock when the round began, and what has passed since."""
        return self.now_ms + int((time.monotonic() - self.begun) * SECOND_MS)

    def start_due(self) -> None:
        """Claim what is due and has room, and send it on its way."""
        if len(self.under_way) >= AT_ONCE:
            return
        for each in claims.next_in_line(now_ms=self.clock(), busy=self.under_way.keys()):
            if self.has_room(each) and (claimed := claims.claim(each.delivery_id, now_ms=self.clock())) is not None:
                self.under_way[each.lane] = each
                self.start(each, claimed)

    def has_room(self, each: InLine) -> bool:
        """Whether one more may be under way, one more to its host, and if it may fail again one more of such."""
        of_host = [other for other in self.under_way.values() if other.host == each.host and each.host]
        if len(self.under_way) >= AT_ONCE or len(of_host) >= AT_ONCE_A_HOST:
            return False
        failing = [sum(other.is_failing for other in among) for among in (self.under_way.values(), of_host)]
        return not each.is_failing or (failing[0] < FAILING_AT_ONCE and failing[1] < FAILING_AT_ONCE_A_HOST)

    def start(self, each: InLine, claimed: Claimed) -> None:
        """In a thread that ends with the process: a claim outlives it, for a minute."""

        def work() -> None:
            result = attempt(claimed.channel_type, claimed.facts, claimed.config, claimed.secret)
            self.inbox.put(Outcome(each.lane, claimed, result))

        threading.Thread(target=work, name="deliver", daemon=True).start()

    def take_in(self, *, seconds: float) -> None:
        """Wait for an outcome, and write it down; or for a call that something may be due."""
        try:
            outcome = self.inbox.get(timeout=seconds)
        except queue.Empty:
            return
        if outcome is not None:
            self.under_way.pop(outcome.lane, None)
            self.write_down(outcome)

    def write_down(self, outcome: Outcome) -> None:
        """Try for some seconds: what is not written down is sent again."""
        for pause in PAUSES:
            try:
                claims.settle(outcome.claimed, outcome.result, now_ms=self.clock())
            except OperationalError:
                close_old_connections()
                time.sleep(pause)
            else:
                return
        claims.settle(outcome.claimed, outcome.result, now_ms=self.clock())


def attempt(channel_type: str, facts: Facts, config: Mapping[str, Any], secret: str) -> Sent | ChannelError:
    """Send once. A fault of ours is a failure like any other, so that its delivery ends some time."""
    try:
        return registry.send(channel_type, facts, config, secret)
    except ChannelError as error:
        return error
    except Exception:
        log.exception("alert_not_sent", channel_type=channel_type)
        return ChannelError(FAULT, permanent=False)


# --- The test button ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TestResult:
    """What a channel made of a test. channel_id: None for a hook of the server's. detail: its answer or its failure."""

    __test__ = False  # pytest collects what is called Test…

    channel_id: int | None
    channel_type: str
    ok: bool
    status: int | None
    detail: str


@dataclass(frozen=True)
class Target:
    """A channel, or a hook of the server's."""

    channel_id: int | None
    channel_type: str
    config: Mapping[str, Any]
    secret: str


def send_test(rule: AlertRule, *, now_ms: int) -> list[TestResult]:
    """Send a test through every channel of the rule at once, or through the server's hooks when it has none.

    Takes 10 s at most. Writes nothing but each channel's health. Results in the order of the channels.
    """
    targets = [Target(each.pk, each.channel_type, each.config, each.secret) for each in rule.channels.order_by("pk")]
    targets = targets or [Target(None, hook, config, "") for hook, config in hooks().items()]
    facts = facts_of_test(rule, now_ms=now_ms)
    results: list[Sent | ChannelError] = [ChannelError(FAULT, permanent=False)] * len(targets)

    def work(number: int, target: Target) -> None:
        results[number] = attempt(target.channel_type, facts, target.config, target.secret)

    threads = [threading.Thread(target=work, args=each, name="test", daemon=True) for each in enumerate(targets)]
    for thread in threads:
        thread.start()
    ends = time.monotonic() + TEST_SECONDS
    for thread in threads:
        thread.join(timeout=max(0.0, ends - time.monotonic()))
    return [noted(target, result, now_ms=now_ms) for target, result in zip(targets, results, strict=True)]


def noted(target: Target, result: Sent | ChannelError, *, now_ms: int) -> TestResult:
    """Write the channel's health; what to say of it."""
    is_sent = isinstance(result, Sent)
    detail = result.text if isinstance(result, Sent) else result.whole
    if target.channel_id is not None:
        claims.note_health(target.channel_id, failure=None if is_sent else detail, now_ms=now_ms)
    return TestResult(target.channel_id, target.channel_type, is_sent, result.status, detail)
