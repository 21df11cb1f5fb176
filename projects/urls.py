"""Settings: projects, tokens, members, invites, retention; the account and the audit log of the app below."""

from django.urls import path

from accounts.dashboard import account, audit
from projects.dashboard import people, project, projects, retention, tokens

app_name = "settings"
urlpatterns = [
    path("projects", projects.project_list, name="projects"),
    path("removals", projects.removals, name="removals"),
    path("projects/<slug:slug>", project.project_page, name="project"),
    path("projects/<slug:slug>/name", project.rename, name="rename-project"),
    path("projects/<slug:slug>/grouping", project.choose_grouping, name="choose-grouping"),
    path("projects/<slug:slug>/key", project.rotate, name="rotate-key"),
    path("projects/<slug:slug>/key/<int:key_id>/end", project.end_key, name="end-key"),
    path("projects/<slug:slug>/members", project.add_member, name="add-member"),
    path("projects/<slug:slug>/members/<uuid:user_id>/remove", project.remove_member, name="remove-member"),
    path("projects/<slug:slug>/delete", project.delete, name="delete-project"),
    path("tokens", tokens.token_list, name="tokens"),
    path("tokens/<uuid:token_id>/revoke", tokens.revoke, name="revoke-token"),
    path("members", people.members, name="members"),
    path("members/<uuid:user_id>/role", people.role, name="change-role"),
    path("members/<uuid:user_id>/remove", people.remove, name="remove-user"),
    path("invites", people.invites, name="invites"),
    path("invites/revoke", people.revoke, name="revoke-invite"),
    path("retention", retention.retention_page, name="retention"),
    path("retention/state", retention.state, name="retention-state"),
    path("retention/purge", retention.purge, name="purge"),
    path("audit", audit.audit_log, name="audit"),
    path("account", account.account, name="account"),
    path("account/passkeys/<int:passkey_id>/name", account.rename, name="rename-passkey"),
    path("account/passkeys/<int:passkey_id>/remove", account.remove, name="remove-passkey"),
    path("account/recovery-codes", account.make_codes, name="make-recovery-codes"),
    path("account/sessions/end", account.end_session, name="end-session"),
    path("account/sessions/end-others", account.end_other_sessions, name="end-other-sessions"),
]
