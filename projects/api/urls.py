"""Routes of projects, members, tokens and invites."""

from django.urls import path

from projects.api import invites, projects, retention, tokens

app_name = "projects-api"
urlpatterns = [
    path("v1/projects", projects.ProjectsView.as_view(), name="projects"),
    path("v1/projects/<str:slug>", projects.ProjectView.as_view(), name="project"),
    path("v1/projects/<str:slug>/rotate-key", projects.RotateKeyView.as_view(), name="rotate-key"),
    path("v1/projects/<str:slug>/members", projects.MembersView.as_view(), name="members"),
    path("v1/projects/<str:slug>/members/<str:user_id>", projects.MemberView.as_view(), name="member"),
    path("v1/tokens", tokens.TokensView.as_view(), name="tokens"),
    path("v1/tokens/<str:token_id>", tokens.TokenView.as_view(), name="token"),
    path("v1/admin/invites", invites.InvitesView.as_view(), name="invites"),
    path("v1/admin/invites/<str:invite_id>", invites.InviteView.as_view(), name="invite"),
    path("v1/admin/retention", retention.RetentionView.as_view(), name="retention"),
    path("v1/admin/retention/purge", retention.PurgeView.as_view(), name="purge"),
]
