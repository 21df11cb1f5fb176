"""`/v1/alerts/{id}/channels`: where a rule's alerts go (contract 6.2)."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alerts.api import bodies, schema, serializers
from alerts.api.base import AlertView
from alerts.queries.rules import channels_of
from alerts.services.channels import add_channel, remove_channel
from bloop_site.lib.clock import now_ms


class ChannelsView(AlertView):
    @extend_schema(**schema.reading("list_alert_channels", serializers.ChannelSerializer(many=True), found=True))
    def get(self, request: Request, rule_id: int) -> Response:
        rule = self.seen(request, rule_id)
        tells = self.tells_secrets(request, rule)
        return Response([serializers.channel_json(channel, tells_secrets=tells) for channel in channels_of(rule)])

    @extend_schema(
        **schema.writing("add_alert_channel", serializers.NewChannelSerializer, request=serializers.ChannelBody)
    )
    def post(self, request: Request, rule_id: int) -> Response:
        rule = self.changeable(request, rule_id)
        new = add_channel(
            rule_id=rule.pk,
            raw=bodies.channel_of(request),
            actor=self.actor(request),
            now_ms=now_ms(),
            token=self.token_name(request),
        )
        told = {"secret": new.secret} if new.secret else {}
        return Response({**serializers.channel_json(new.channel, tells_secrets=True), **told})


class ChannelView(AlertView):
    @extend_schema(**schema.writing("remove_alert_channel", serializers.DeletedIdSerializer))
    def delete(self, request: Request, rule_id: int, channel_id: int) -> Response:
        rule = self.changeable(request, rule_id)
        remove_channel(
            rule_id=rule.pk,
            channel_id=channel_id,
            actor=self.actor(request),
            now_ms=now_ms(),
            token=self.token_name(request),
        )
        return Response({"deleted": channel_id})
