"""The scopes of API tokens and which of them open what (contract 5.2)."""

SCOPES = (
    "errors:read",
    "errors:write",
    "alerts:read",
    "alerts:write",
    "sourcemaps:read",
    "sourcemaps:write",
    "sourcemaps:upload",
    "analytics:read",
    "llm:read",
    "llm:write",
)
