"""`new_issue`: an issue is seen for the first time, or comes back after it was resolved (contract 6.3). Pure."""

from dataclasses import dataclass

from alerts.configs import NewIssue
from alerts.rules.base import Alert, Rule

MAX_TITLE = 200
NEW, NEW_IN_ENVIRONMENT, REGRESSION = "new", "new_env", "regression"


@dataclass(frozen=True, kw_only=True)
class Happening:
    """What happened to an issue, as the event that caused it says. kind: NEW, NEW_IN_ENVIRONMENT or REGRESSION."""

    kind: str
    issue_id: int
    transition_id: int | None
    fingerprint: str
    error_type: str
    message: str
    environment: str
    source: str
    release: str


def wants(rule: Rule, config: NewIssue, happening: Happening) -> bool:
    """Whether the rule is about this: with an environment named, the first time there instead of the first at all."""
    if not rule.lets_through(happening.environment, happening.source):
        return False
    if config.environment is None:
        return happening.kind != NEW_IN_ENVIRONMENT
    return happening.kind != NEW and happening.environment == config.environment


def alert_of(happening: Happening) -> Alert:
    """What is said of it."""
    is_regression = happening.kind == REGRESSION
    begin = "Regression: resolved error came back" if is_regression else "New error"
    where = f"{happening.release} ({happening.environment})"
    what = f"[{happening.error_type}] {happening.message}"
    return Alert(
        key=happening.fingerprint,
        cause=cause_of(happening),
        title=f"{begin}: {what}"[:MAX_TITLE],
        message=f"{begin} in {where}: {what} - {happening.fingerprint}",
        page="issue",
        fingerprint=happening.fingerprint,
        environment=happening.environment,
        release=happening.release,
    )


def cause_of(happening: Happening) -> str:
    """Once for each new issue, for each environment it comes to, and for each time it comes back."""
    if happening.kind == REGRESSION:
        return f"regression:{happening.transition_id}"
    if happening.kind == NEW_IN_ENVIRONMENT:
        return f"new_env:{happening.issue_id}:{happening.environment}"
    return f"new:{happening.issue_id}"
