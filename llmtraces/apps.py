"""LLM tracing; it registers itself as the owner of buffered traces, and how traces go with their project."""

from django.apps import AppConfig


class LLMTracesConfig(AppConfig):
    name = "llmtraces"
    verbose_name = "LLM traces"

    def ready(self) -> None:
        from ingest import registry  # noqa: PLC0415  models are ready only now
        from llmtraces import retention  # noqa: PLC0415
        from llmtraces.queries.crosslinks import known_urls  # noqa: PLC0415
        from llmtraces.removal import TracesRemover  # noqa: PLC0415
        from llmtraces.services.fold import TracesHandler  # noqa: PLC0415
        from projects import crosslinks, removal  # noqa: PLC0415

        registry.register("traces", TracesHandler(), in_order=True)
        removal.register("traces", TracesRemover())
        crosslinks.register_traces(known_urls)
        retention.register()
