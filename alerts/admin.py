"""Alert rules, channels and messages in the Django admin: seen and acted on, never edited; secrets are not shown."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from accounts.access import actor_of
from alerts import tasks
from alerts.channels.registry import shown
from alerts.models import AlertRule, Channel, ChannelType, Delivery, RuleType
from alerts.queries.rules import rule_sentence
from alerts.services.channels import ChannelGone, remove_channel
from alerts.services.outbox import resend
from alerts.services.rules import RuleChange, RuleGone, delete_rule, update_rule
from bloop_site.lib.admin import BloopAdmin, Refused, act, choice_filter, client_text, column, moment, related
from bloop_site.lib.clock import now_ms
from bloop_site.templatetags.ui import EN_DASH, visible

IS_ON = column("is_enabled", "State", lambda row: "On" if row.is_enabled else "Off")
SENTENCE = column("sentence", "Asks for", lambda row: visible(rule_sentence(row)) or "nothing that can be read")
TARGET = column("config", "Leads to", lambda row: visible(shown(row.channel_type, row.config)))
KIND = column("channel_type", "Kind", lambda row: row.get_channel_type_display())


@admin.register(AlertRule)
class AlertRuleAdmin(BloopAdmin):
    """Made and changed on the pages of alerts; here they are switched and deleted."""

    one, many = "alert rule", "alert rules"
    list_display = (
        client_text("name", "Name", limit=100),
        column("rule_type", "Kind", lambda row: row.get_rule_type_display()),
        related("project", "Project"),
        IS_ON,
        moment("created_ms", "Made", ago=True),
        moment("updated_ms", "Changed", ago=True),
    )
    sortable_by = ()
    list_filter = (choice_filter(name="rule_type", words="kind", options=RuleType.choices),)
    list_select_related = ("project",)
    search_fields = ("name",)
    ordering = ("-pk",)
    fields = (
        client_text("name", "Name"),
        SENTENCE,
        related("project", "Project", link=True),
        IS_ON,
        client_text("environment_filter", "Environment"),
        client_text("source_filter", "Source"),
        column(
            "cooldown_secs", "Quiet for", lambda row: EN_DASH if row.cooldown_secs is None else f"{row.cooldown_secs} s"
        ),
        client_text("description", "Note", limit=2_000),
        related("created_by", "Made by", link=True),
        moment("created_ms", "Made"),
        moment("updated_ms", "Changed"),
    )
    actions = ("switch_on", "switch_off", "delete_rules")
    empty_words = "Rules are made on the page Alerts, or through the API."

    def get_queryset(self, request: HttpRequest) -> QuerySet[AlertRule]:
        rows: QuerySet[AlertRule] = super().get_queryset(request).select_related("project", "created_by")
        return rows.exclude(project__removing_at__isnull=False)

    def view_on_site(self, obj: AlertRule) -> str:  # type: ignore[override]  # Django takes a method as well as a bool
        return reverse("alerts:rule", args=[obj.pk])

    def can(self, name: str, row: Any) -> bool:
        is_on = bool(row.is_enabled)
        return {"switch_on": not is_on, "switch_off": is_on}.get(name, True)

    def switch(self, request: Any, rows: QuerySet[AlertRule], *, is_on: bool) -> None:
        """Switch each on or off, as the signed-in person."""

        def one(row: AlertRule) -> None:
            try:
                change: RuleChange = {"is_enabled": is_on}
                update_rule(rule_id=row.pk, change=change, actor=actor_of(request), now_ms=now_ms())
            except RuleGone:
                raise Refused("is gone") from None

        self.do(request, rows, one, done="switched on" if is_on else "switched off")

    @act("Switch on", but={"is_enabled": True})
    def switch_on(self, request: HttpRequest, rows: QuerySet[AlertRule]) -> None:
        self.switch(request, rows, is_on=True)

    @act("Switch off", but={"is_enabled": False})
    def switch_off(self, request: HttpRequest, rows: QuerySet[AlertRule]) -> None:
        self.switch(request, rows, is_on=False)

    @act("Delete", ask="Their channels and their history go with them, for good.", at_once=100)
    def delete_rules(self, request: Any, rows: QuerySet[AlertRule]) -> None:
        def one(row: AlertRule) -> None:
            try:
                delete_rule(rule_id=row.pk, actor=actor_of(request), now_ms=now_ms())
            except RuleGone:
                raise Refused("is gone") from None

        self.do(request, rows, one, done="deleted")


@admin.register(Channel)
class ChannelAdmin(BloopAdmin):
    """Where alerts go, and whether they arrive there."""

    one, many = "alert channel", "alert channels"
    list_display = (
        KIND,
        TARGET,
        related("rule", "Rule"),
        column("failed_in_row", "Failed in a row", lambda row: str(row.failed_in_row)),
        moment("last_sent_ms", "Last arrived", ago=True),
        moment("last_failed_ms", "Last failed", ago=True),
    )
    sortable_by = ()
    list_filter = (choice_filter(name="channel_type", words="kind", options=ChannelType.choices),)
    list_select_related = ("rule",)
    ordering = ("-pk",)
    fields = (
        KIND,
        TARGET,
        related("rule", "Rule", link=True),
        column("secret", "Secret", lambda row: "kept, and shown to nobody" if row.secret else "signs nothing"),
        column("failed_in_row", "Failed in a row", lambda row: str(row.failed_in_row)),
        client_text("last_failure", "Last failure", limit=1_000),
        moment("last_failed_ms", "Last failed"),
        moment("last_sent_ms", "Last arrived"),
        moment("created_ms", "Made"),
    )
    actions = ("remove_channels",)
    empty_words = "Channels are added on the page of a rule, or through the API."

    def named(self, row: Channel) -> str:
        return f"{row.get_channel_type_display()} of {row.rule.name}"[:100]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Channel]:
        rows: QuerySet[Channel] = super().get_queryset(request).select_related("rule")
        return rows.exclude(rule__project__removing_at__isnull=False)

    @act("Remove", ask="Nothing is sent there any more. What was sent stays in the history.", at_once=100)
    def remove_channels(self, request: Any, rows: QuerySet[Channel]) -> None:
        def one(row: Channel) -> None:
            try:
                remove_channel(rule_id=row.rule_id, channel_id=row.pk, actor=actor_of(request), now_ms=now_ms())
            except (RuleGone, ChannelGone):
                raise Refused("is gone") from None

        self.do(request, rows, one, done="removed")


@admin.register(Delivery)
class DeliveryAdmin(BloopAdmin):
    """Messages: what became of each, and sending it again."""

    one, many = "alert message", "alert messages"
    list_display = (
        related("firing", "What fired"),
        KIND,
        column("state", "State", lambda row: row.get_state_display()),
        column("attempts", "Attempts", lambda row: str(row.attempts)),
        column("reply_status", "Reply", lambda row: EN_DASH if row.reply_status is None else str(row.reply_status)),
        moment("finished_ms", "Done", ago=True),
    )
    sortable_by = ()
    list_filter = (
        choice_filter(name="state", words="state", options=Delivery.State.choices),
        choice_filter(name="channel_type", words="kind", options=ChannelType.choices),
    )
    list_select_related = ("firing",)
    ordering = ("-pk",)
    fields = (
        related("firing", "What fired"),
        column("rule", "Rule", lambda row: visible(row.firing.rule.name)),
        KIND,
        column("hook", "Through", lambda row: "the server’s own hook" if row.hook else "a channel of the rule"),
        column("state", "State", lambda row: row.get_state_display()),
        column("attempts", "Attempts", lambda row: str(row.attempts)),
        column("reply_status", "Reply", lambda row: EN_DASH if row.reply_status is None else str(row.reply_status)),
        client_text("reply", "What was answered", limit=1_000),
        moment("due_ms", "Due"),
        moment("finished_ms", "Done"),
    )
    actions = ("send_again",)
    empty_words = "When a rule fires, its messages stand here."

    def named(self, row: Delivery) -> str:
        return f"{row.get_channel_type_display()}: {row.firing.title}"[:100]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Delivery]:
        rows: QuerySet[Delivery] = super().get_queryset(request).select_related("firing__rule")
        return rows.filter(firing__project__removing_at=None)

    def can(self, name: str, row: Any) -> bool:
        return bool(row.state != Delivery.State.PENDING)

    @act("Send again", ask="Whoever gets them gets them once more.", but={"state": Delivery.State.PENDING}, at_once=100)
    def send_again(self, request: HttpRequest, rows: QuerySet[Delivery]) -> None:
        def one(row: Delivery) -> None:
            if not resend(row.pk, now_ms=now_ms()):
                raise Refused("its channel is gone")

        self.do(request, rows, one, done="on their way again")
        tasks.queue_delivery()
