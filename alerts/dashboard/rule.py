"""The page of a rule: what it says, whom it tells, what it has done; and the acts on it."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.access import actor_of
from accounts.http import PageRequest
from alerts import tasks
from alerts.access import may_change, may_see_answers
from alerts.dashboard.door import rule_act, seen_rule
from alerts.dashboard.forms import ChannelForm
from alerts.dashboard.rows import KIND_LABELS, channel_row, cooldown_words, firing_rows, hook_names
from alerts.limits import TooManyTests, take_test
from alerts.models import AlertRule
from alerts.queries.history import HistoryFilter, find_delivery, history_page
from alerts.queries.rules import channels_of, config_of, rule_sentence
from alerts.sentences import tell_words
from alerts.services.channels import TooManyChannels, add_channel, remove_channel, rotate_secret
from alerts.services.deliver import TestResult, send_test
from alerts.services.outbox import resend
from alerts.services.rules import delete_rule
from bloop_site.lib.clock import now_ms
from bloop_site.lib.links import page_links
from bloop_site.lib.once import keep_once, take_once
from projects.access import reach_of
from projects.dashboard.forms import DeleteForm
from projects.dashboard.project import is_typed

PAGE = "alerts/rule.html"
PAGE_SIZE = 25


@never_cache
@require_safe
def rule_page(request: PageRequest, rule_id: int) -> HttpResponse:
    """A rule and its history; the secret of a webhook just made is shown once."""
    rule = seen_rule(request, rule_id)
    fresh = take_once(request, name=secret_name(rule), now_ms=now_ms())
    return render(request, PAGE, page_context(request, rule, fresh_secret=fresh))


def secret_name(rule: AlertRule) -> str:
    """Under which a fresh secret waits for the page."""
    return f"alert-secret-{rule.pk}"


def page_context(request: PageRequest, rule: AlertRule, **shown: Any) -> dict[str, Any]:
    """What the page shows. shown: forms that were refused in the place of empty ones; results of a test."""
    tells_answer = may_see_answers(request.user, rule)
    channels = [channel_row(channel, tells_answer=tells_answer) for channel in channels_of(rule)]
    fired, page = history_page(
        reach_of(request.user), HistoryFilter(rule_id=rule.pk), wanted=request.GET.get("page"), size=PAGE_SIZE
    )
    changes = may_change(request.user, rule)
    return {
        "rule": rule,
        "sentence": rule_sentence(rule),
        "tells": tell_words([channel.name_in_sentence for channel in channels], hooks=hook_names()),
        "state": "broken" if config_of(rule) is None else "on" if rule.is_enabled else "off",
        "cooldown": cooldown_words(rule),
        "channels": channels,
        "hooks": hook_names(),
        "may_change": changes,
        "channel_form": ChannelForm(initial={"channel_type": "slack"}),
        "delete_form": DeleteForm(auto_id="delete_%s"),
        "firings": firing_rows(fired, manages=lambda _: changes),
        "page": page_links(request.GET, page),
        **shown,
    }


def refused(request: PageRequest, rule: AlertRule, **shown: Any) -> HttpResponse:
    """The page with the form that was not taken."""
    return render(request, PAGE, page_context(request, rule, **shown), status=422)


def back_to(rule: AlertRule, part: str = "") -> HttpResponse:
    """See the page again."""
    return redirect(reverse("alerts:rule", args=[rule.pk]) + (f"#{part}" if part else ""))


# --- Acts -------------------------------------------------------------------------------------------------------------


@rule_act
def test(request: PageRequest, rule: AlertRule) -> HttpResponse:
    """Send a test through every channel and show what each answered; htmx gets that alone."""
    try:
        take_test(rule)
    except TooManyTests as often:
        response = page_of_test(request, rule, {"wait": often.wait}, status=429)
        response.headers["Retry-After"] = str(often.wait)
        return response
    names = {channel.pk: channel_row(channel).name for channel in channels_of(rule)}
    return page_of_test(
        request, rule, {"results": [test_row(each, names) for each in send_test(rule, now_ms=now_ms())]}
    )


def page_of_test(request: PageRequest, rule: AlertRule, tested: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """What became of a test, with or without the page around it."""
    shown = {"tested": {**tested, "rule": rule}}
    if request.htmx:
        return render(request, "alerts/_tested.html", shown, status=status)
    return render(request, PAGE, page_context(request, rule, **shown), status=status)


def test_row(result: TestResult, names: Mapping[int, str]) -> dict[str, Any]:
    """The result of a channel by its name."""
    label = KIND_LABELS.get(result.channel_type, result.channel_type)
    name = names.get(result.channel_id or 0, f"the server’s {label}")
    return {"name": name, "ok": result.ok, "status": result.status, "detail": result.detail}


@rule_act
def add(request: PageRequest, rule: AlertRule) -> HttpResponse:
    """Add a channel; the secret of a webhook is shown next, once."""
    form = ChannelForm(request.POST)
    if form.is_valid() and add_from(request, rule, form):
        return back_to(rule, "channels")
    return refused(request, rule, channel_form=form)


def add_from(request: PageRequest, rule: AlertRule, form: ChannelForm) -> bool:
    """Add the channel of a valid form, if it names one. False when it was refused, with the reason in the form."""
    raw = form.raw()
    if raw is None:
        return True
    try:
        new = add_channel(rule_id=rule.pk, raw=raw, actor=actor_of(request), now_ms=now_ms())
    except TooManyChannels as reason:
        form.refuse(None, reason)
        return False
    if new.secret:
        shown = {"secret": new.secret, "name": channel_row(new.channel).name}
        keep_once(request, name=secret_name(rule), value=shown, now_ms=now_ms())
    return True


@rule_act
def remove(request: PageRequest, rule: AlertRule, channel_id: int) -> HttpResponse:
    """Take a channel away."""
    remove_channel(rule_id=rule.pk, channel_id=channel_id, actor=actor_of(request), now_ms=now_ms())
    messages.success(request, "Removed: nothing is sent there any more.")
    return back_to(rule, "channels")


@rule_act
def rotate(request: PageRequest, rule: AlertRule, channel_id: int) -> HttpResponse:
    """Make another secret for a webhook, to be shown once."""
    secret = rotate_secret(rule_id=rule.pk, channel_id=channel_id, actor=actor_of(request), now_ms=now_ms())
    name = next(channel_row(channel).name for channel in channels_of(rule) if channel.pk == channel_id)
    keep_once(request, name=secret_name(rule), value={"secret": secret, "name": name}, now_ms=now_ms())
    return back_to(rule)


@rule_act
def delete(request: PageRequest, rule: AlertRule) -> HttpResponse:
    """Delete the rule, its channels and its history, once its name was typed."""
    form = DeleteForm(request.POST, auto_id="delete_%s")
    if form.is_valid() and not is_typed(form.cleaned_data["name"], rule.name):
        form.refuse("name", "That is not its name")
    if form.errors:
        return refused(request, rule, delete_form=form)
    delete_rule(rule_id=rule.pk, actor=actor_of(request), now_ms=now_ms())
    messages.success(request, f"The rule “{rule.name}” is deleted.")
    return redirect("alerts:list")


@require_POST
def send_again(request: PageRequest, delivery_id: int) -> HttpResponse:
    """Send a message once more, whatever became of it; whoever may change its rule may."""
    delivery = find_delivery(reach_of(request.user), delivery_id)
    if delivery is None:
        raise Http404
    rule = delivery.firing.rule
    if not may_change(request.user, rule):
        raise PermissionDenied
    if resend(delivery.pk, now_ms=now_ms()):
        tasks.queue_delivery()
        messages.success(request, "It is on its way again.")
    else:
        messages.error(request, "It cannot be sent again: it is on its way, or its channel is gone.")
    return redirect(f"{reverse('alerts:rule', args=[rule.pk])}#firing-{delivery.firing_id}")
