"""Who may see and change alert rules.

Members see the rules of their projects, and those that hold for all. A project's rules are changed, tested and sent
again by who manages the project (`projects.access.may_manage`: its creator, and admins), rules for all projects by
admins alone. A token sees the same of its own project, and changes that project's rules only. The secrets of channels
(addresses that let anybody post) are shown to who may change the rule.
"""

from accounts.models import User
from alerts.models import AlertRule
from projects.access import may_manage
from projects.models import ApiToken, Project


def may_change(user: User, rule: AlertRule) -> bool:
    """Whether the user may change, test and delete the rule, whose project is loaded."""
    return may_change_of(user, rule.project)


def may_change_of(user: User, project: Project | None) -> bool:
    """Whether the user may make and change rules of the project; None: of all projects."""
    return user.is_admin if project is None else may_manage(user, project)


def may_see_answers(user: User, rule: AlertRule) -> bool:
    """Whether the user may see what the rule's channels answered, which may quote any alert that was sent there."""
    return rule.project_id is not None or may_change(user, rule)


def token_may_change(token: ApiToken, rule: AlertRule) -> bool:
    """Whether the rule is one of the token's project; scopes are checked elsewhere."""
    return rule.project_id == token.project_id
