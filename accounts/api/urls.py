"""Routes of the accounts API."""

from django.urls import path

from accounts.api import admin, auth, own

app_name = "auth-api"
urlpatterns = [
    path("auth/status", auth.StatusView.as_view(), name="status"),
    path("auth/register/start", auth.RegisterStartView.as_view(), name="register-start"),
    path("auth/register/finish", auth.RegisterFinishView.as_view(), name="register-finish"),
    path("auth/login/start", auth.LoginStartView.as_view(), name="login-start"),
    path("auth/login/finish", auth.LoginFinishView.as_view(), name="login-finish"),
    path("auth/invite/register/start", auth.InviteStartView.as_view(), name="invite-start"),
    path("auth/invite/register/finish", auth.InviteFinishView.as_view(), name="invite-finish"),
    path("auth/logout", auth.LogoutView.as_view(), name="logout"),
    path("auth/passkeys/start", own.PasskeyStartView.as_view(), name="passkey-start"),
    path("auth/passkeys/finish", own.PasskeyFinishView.as_view(), name="passkey-finish"),
    path("auth/verify/start", own.VerifyStartView.as_view(), name="verify-start"),
    path("auth/verify/finish", own.VerifyFinishView.as_view(), name="verify-finish"),
    path("v1/admin/users", admin.UsersView.as_view(), name="users"),
    path("v1/admin/users/<str:user_id>", admin.UserView.as_view(), name="user"),
    path("v1/admin/users/<str:user_id>/role", admin.RoleView.as_view(), name="user-role"),
    path("v1/admin/reset", admin.ResetView.as_view(), name="reset"),
]
