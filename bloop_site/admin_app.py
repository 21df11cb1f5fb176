"""The Django admin as an app, on a site of ours."""

from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig


class AdminConfig(DjangoAdminConfig):
    """Passkeys open it (design.md 4)."""

    default = False
    default_site = "bloop_site.admin_site.BloopAdminSite"
