"""Routes of the alert endpoints."""

from django.urls import path

from alerts.api import channels, rules

urlpatterns = [
    path("v1/alerts", rules.RulesView.as_view(), name="api-alerts"),
    path("v1/alerts/<int:rule_id>", rules.RuleView.as_view(), name="api-alert"),
    path("v1/alerts/<int:rule_id>/channels", channels.ChannelsView.as_view(), name="api-alert-channels"),
    path("v1/alerts/<int:rule_id>/channels/<int:channel_id>", channels.ChannelView.as_view(), name="api-alert-channel"),
    path("v1/alerts/<int:rule_id>/test", rules.TestView.as_view(), name="api-alert-test"),
]
