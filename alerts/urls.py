"""The pages of alerts."""

from django.urls import path

from alerts.dashboard import editor, history, rule, rules

app_name = "alerts"
urlpatterns = [
    path("alerts", rules.rule_list, name="list"),
    path("alerts/new", editor.new, name="new"),
    path("alerts/preview", editor.preview, name="preview"),
    path("alerts/history", history.history, name="history"),
    path("alerts/<int:rule_id>", rule.rule_page, name="rule"),
    path("alerts/<int:rule_id>/edit", editor.edit, name="edit"),
    path("alerts/<int:rule_id>/preview", editor.preview, name="preview-of"),
    path("alerts/<int:rule_id>/switch", rules.switch, name="switch"),
    path("alerts/<int:rule_id>/test", rule.test, name="test"),
    path("alerts/<int:rule_id>/delete", rule.delete, name="delete"),
    path("alerts/<int:rule_id>/channels", rule.add, name="add-channel"),
    path("alerts/<int:rule_id>/channels/<int:channel_id>/remove", rule.remove, name="remove-channel"),
    path("alerts/<int:rule_id>/channels/<int:channel_id>/secret", rule.rotate, name="rotate-secret"),
    path("alerts/deliveries/<int:delivery_id>/resend", rule.send_again, name="resend"),
]
