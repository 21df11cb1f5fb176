"""The pages on which people get in."""

from django.urls import path

from accounts.api.auth import RecoverView
from accounts.dashboard import links, sign_in, verify
from bloop_site.lib.either import json_or_page

app_name = "accounts"
urlpatterns = [
    path("auth/login", sign_in.login, name="login"),
    path("auth/recover", json_or_page(RecoverView.as_view(), sign_in.recover), name="recover"),
    path("auth/link/<str:token>", links.link, name="link"),
    path("auth/invite/<str:token>", links.invite, name="invite"),
    path("auth/verify", verify.verify, name="verify"),
    path("auth/sign-out", sign_in.sign_out, name="sign-out"),
]
