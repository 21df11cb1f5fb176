"""Sign-in pages."""

from django.urls import path

from accounts.dashboard import views

app_name = "accounts"
urlpatterns = [
    path("auth/login", views.login, name="login"),
    path("auth/link/<str:token>", views.link, name="link"),
    path("auth/invite/<str:token>", views.invite, name="invite"),
    path("auth/sign-out", views.sign_out, name="sign-out"),
]
