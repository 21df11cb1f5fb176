"""`/v1/alerts`: rules (contract 6.1)."""

from dataclasses import asdict

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alerts.api import bodies, schema, serializers
from alerts.api.base import AlertView
from alerts.limits import take_test
from alerts.queries.rules import rules_within
from alerts.services.deliver import send_test
from alerts.services.rules import create_rule, delete_rule, update_rule
from bloop_site.lib.clock import now_ms


class RulesView(AlertView):
    @extend_schema(**schema.reading("list_alerts", serializers.AlertRuleSerializer(many=True), schema.PROJECT))
    def get(self, request: Request) -> Response:
        return Response([serializers.rule_json(rule) for rule in rules_within(self.reach(request))])

    @extend_schema(
        **schema.writing("create_alert", serializers.AlertRuleSerializer, request=serializers.RuleBodySerializer)
    )
    def post(self, request: Request) -> Response:
        new, project_id = bodies.new_rule_of(request)
        rule = create_rule(
            project=self.project(request, project_id),
            new=new,
            actor=self.actor(request),
            now_ms=now_ms(),
            token=self.token_name(request),
        )
        return Response(serializers.rule_json(rule))


class RuleView(AlertView):
    @extend_schema(
        **schema.writing("update_alert", serializers.AlertRuleSerializer, request=serializers.RuleBodySerializer)
    )
    def put(self, request: Request, rule_id: int) -> Response:
        rule = self.changeable(request, rule_id)
        changed = update_rule(
            rule_id=rule.pk,
            change=bodies.change_of(request),
            actor=self.actor(request),
            now_ms=now_ms(),
            token=self.token_name(request),
        )
        return Response(serializers.rule_json(changed))

    @extend_schema(**schema.writing("delete_alert", serializers.DeletedIdSerializer))
    def delete(self, request: Request, rule_id: int) -> Response:
        rule = self.changeable(request, rule_id)
        delete_rule(rule_id=rule.pk, actor=self.actor(request), now_ms=now_ms(), token=self.token_name(request))
        return Response({"deleted": rule_id})


class TestView(AlertView):
    @extend_schema(**schema.writing("test_alert", serializers.TestedSerializer, limited=True))
    def post(self, request: Request, rule_id: int) -> Response:
        rule = self.changeable(request, rule_id)
        take_test(rule)
        results = send_test(rule, now_ms=now_ms())
        return Response({"sent": True, "results": [asdict(result) for result in results]})
