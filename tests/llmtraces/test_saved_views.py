"""Saved views: a name for a page with its filters, for everybody in the project and nobody else."""

import pytest
from django.test import Client

from llmtraces.models import SavedView
from llmtraces.services.views import MOST_VIEWS
from projects.services.projects import NewProject
from tests.factories import make_project, make_user

FORM = {"project": "shop", "page": "usage", "query": "?project=shop&hours=168&model=gpt-4o&page=3", "name": "Weekly"}
HTMX = {"HX-Request": "true"}
pytestmark = pytest.mark.django_db


def test_a_saved_view_leads_to_its_page_with_its_filters(admin_client: Client, shop: NewProject):
    saved = admin_client.post("/llm/views", FORM)

    assert saved["Location"] == "/llm/usage?project=shop&hours=168&model=gpt-4o"
    (view,) = admin_client.get("/llm/latency?project=shop").context["views"]
    assert (view.name, view.url) == ("Weekly", "/llm/usage?project=shop&hours=168&model=gpt-4o")
    opened = admin_client.get(view.url)
    assert (opened.context["shell"].window.hours, opened.context["shell"].window.model) == (168, "gpt-4o")


def test_views_are_offered_where_one_project_is_chosen(admin_client: Client, shop: NewProject):
    admin_client.post("/llm/views", FORM)
    blog = make_project().project

    assert admin_client.get("/llm").context["views"] is None
    assert admin_client.get(f"/llm?project={blog.slug}").context["views"] == []


def test_a_name_that_is_taken_is_told_in_place(admin_client: Client, shop: NewProject):
    admin_client.post("/llm/views", FORM)

    refused = admin_client.post("/llm/views", {**FORM, "name": " Weekly "}, headers=HTMX)

    assert refused.status_code == 422
    assert "The project has a view called “Weekly” already." in refused.content.decode()
    assert "<html" not in refused.content.decode()
    assert "<html" in admin_client.post("/llm/views", FORM).content.decode()
    assert SavedView.objects.count() == 1


def test_another_project_may_use_the_name(admin_client: Client, shop: NewProject):
    blog = make_project().project
    admin_client.post("/llm/views", FORM)

    assert admin_client.post("/llm/views", {**FORM, "project": blog.slug}, headers=HTMX).status_code == 200
    assert SavedView.objects.count() == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "x" * 81},
        {"name": "a\x00b"},
        {"page": "save-view"},
        {"page": ""},
        {"query": "q=" + "x" * 3000},
    ],
)
def test_what_makes_no_view_is_refused(wrong, admin_client: Client, shop: NewProject):
    assert admin_client.post("/llm/views", {**FORM, **wrong}, headers=HTMX).status_code == 422
    assert not SavedView.objects.exists()


def test_a_project_has_a_bounded_number_of_views(admin_client: Client, shop: NewProject):
    SavedView.objects.bulk_create(
        SavedView(project=shop.project, name=f"v{number}", page="usage", created_ms=0) for number in range(MOST_VIEWS)
    )

    assert admin_client.post("/llm/views", FORM, headers=HTMX).status_code == 422


def test_a_view_is_deleted_once_and_only_in_its_own_project(admin_client: Client, shop: NewProject):
    blog = make_project().project
    admin_client.post("/llm/views", FORM)
    view = SavedView.objects.get()

    assert admin_client.post("/llm/views/delete", {"project": blog.slug, "id": view.pk}).status_code == 404
    assert admin_client.post("/llm/views/delete", {"project": "shop", "id": "1e9"}).status_code == 404
    gone = admin_client.post("/llm/views/delete", {"project": "shop", "id": view.pk}, headers=HTMX)

    assert "Deleted the view." in gone.content.decode()
    assert not SavedView.objects.exists()
    assert admin_client.post("/llm/views/delete", {"project": "shop", "id": view.pk}).status_code == 404


def test_a_stranger_neither_sees_nor_saves_nor_deletes(admin_client: Client, shop: NewProject, client: Client):
    admin_client.post("/llm/views", FORM)
    client.force_login(make_user())

    assert client.post("/llm/views", {**FORM, "name": "Mine"}).status_code == 404
    assert client.post("/llm/views/delete", {"project": "shop", "id": SavedView.objects.get().pk}).status_code == 404
    assert SavedView.objects.count() == 1


def test_a_hostile_name_is_text(admin_client: Client, shop: NewProject):
    admin_client.post("/llm/views", {**FORM, "name": "<script>alert(1)</script>"})

    page = admin_client.get("/llm?project=shop").content.decode()

    assert "<script>alert" not in page
