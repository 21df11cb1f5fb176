"""The Traces page and the page of a trace, as people see them."""

from django.test import Client

from projects.services.projects import NewProject
from tests.llmtraces.tracing import make_trace, span_json


def test_smoke(admin_client: Client, shop: NewProject):
    make_trace(
        shop.project, "a/b c", spans=[span_json("s1"), span_json("s2", "s1", status="error", error_message="No")]
    )
    for url in (
        "/llm/traces",
        "/llm/trace/shop?id=a/b+c",
        "/llm/trace/shop?id=a%2Fb%20c&span=s2",
        "/llm/trace/shop/rows?id=a/b+c",
        "/llm/trace/shop/tree?id=a/b+c",
        "/llm/trace/shop/span?id=a/b+c&span=s2",
    ):
        answer = admin_client.get(url, headers={"HX-Request": "true"} if url.count("/") > 3 else {})
        assert answer.status_code == 200, (url, answer.status_code)
