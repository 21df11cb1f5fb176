"""The house rules that ruff, mypy and import-linter cannot say, each as a test over the syntax tree.

Every rule is a function from one file's text to offences, so the tests below it can try it on a bad snippet.
"""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APPS = ("bloop_site", "accounts", "projects", "ingest", "errors", "llmtraces", "analytics", "alerts")
MAX_FUNCTION_LINES = 60
MAX_FILE_LINES = 450

type_of_function = ast.FunctionDef | ast.AsyncFunctionDef
Rule = Callable[[str], Iterator[str]]


# --- Rules on Python ----------------------------------------------------------------------------------------


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, type_of_function))


def origins(tree: ast.AST) -> dict[str, str]:
    """What each imported name stands for: {"dt": "datetime.datetime"}."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    """The full dotted name an expression refers to, or an empty string."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        start = dotted(node.value, names)
        return f"{start}.{node.attr}" if start else ""
    return ""


def undocumented_module(text: str) -> Iterator[str]:
    tree = ast.parse(text)
    if tree.body and not ast.get_docstring(tree):
        yield "1: open with one sentence: what does this module own?"


def loose_task(text: str) -> Iterator[str]:
    tree = ast.parse(text)
    names = origins(tree)
    for function in functions(tree):
        for decorator in function.decorator_list:
            call = decorator if isinstance(decorator, ast.Call) else None
            name = dotted(call.func if call else decorator, names)
            if name != "celery.shared_task" and not re.fullmatch(r"(.*\.)?(app|celery)\.task", name):
                continue
            options = {keyword.arg: keyword.value for keyword in call.keywords} if call else {}
            own = 1 if "bind" in options else 0
            where = f"{function.lineno}: task {function.name}"
            if len(function.args.posonlyargs + function.args.args) > own or function.args.vararg:
                yield f"{where}: arguments are keyword-only"
            if function.args.kwarg is None or function.args.kwarg.arg != "_later":
                yield f"{where}: takes **_later, so an old worker survives a new argument"
            if "queue" not in options:
                yield f"{where}: names its queue"


def long_function(text: str) -> Iterator[str]:
    lines = text.splitlines()
    for function in functions(ast.parse(text)):
        end = function.end_lineno or function.lineno
        length = end - function.lineno + 1
        with_line_above = "\n".join(lines[max(function.lineno - 2, 0) : end])
        if length > MAX_FUNCTION_LINES and not re.search(r"# long: \S", with_line_above):
            yield f"{function.lineno}: {function.name} has {length} lines; name a part, or say `# long: why`"


def long_file(text: str) -> Iterator[str]:
    length = len(text.splitlines())
    if length > MAX_FILE_LINES:
        yield f"1: {length} lines; what is its second reason to change?"


def app_code_in_migration(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        from_module = node.module if isinstance(node, ast.ImportFrom) else None
        for module in [from_module] if from_module else [alias.name for alias in node.names]:
            if module.partition(".")[0] in APPS:
                yield f"{node.lineno}: imports {module}, which will change under the migration"


CLOCKS = {
    "bloop_site.lib.clock.now_ms",
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    "django.utils.timezone.localdate",
    "django.utils.timezone.localtime",
    "django.utils.timezone.now",
    "time.time",
    "time.time_ns",
}


def reads_clock(text: str) -> Iterator[str]:
    tree = ast.parse(text)
    names = origins(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and dotted(node.func, names) in CLOCKS:
            yield f"{node.lineno}: reads the clock; take now_ms= from the caller"


LOG_METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log", "msg"}


def changing_log_event(text: str) -> Iterator[str]:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        receiver = ast.unparse(node.func.value).rpartition(".")[2]
        if node.func.attr not in LOG_METHODS or not re.match(r"_?(log|logger)\b", receiver, re.IGNORECASE):
            continue
        event = node.args[1] if node.func.attr == "log" and len(node.args) > 1 else node.args[0]
        if not (isinstance(event, ast.Constant) and isinstance(event.value, str)):
            yield f"{node.lineno}: an event name is a constant; what varies goes into fields"


def undocumented_public_function(text: str) -> Iterator[str]:
    for node in ast.parse(text).body:
        if isinstance(node, type_of_function) and not node.name.startswith("_") and not ast.get_docstring(node):
            yield f"{node.lineno}: {node.name} has no docstring: units, shapes, what is raised or written"


# --- Rules on templates, styles and scripts -----------------------------------------------------------------


def keep_lines(match: re.Match[str]) -> str:
    return " " + "\n" * match.group().count("\n")


def tags(text: str) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Line, name and attributes of each start tag of a template, comments and template code left out."""
    text = re.sub(r"{#.*?#}|<!--.*?-->|{% comment.*?endcomment %}", keep_lines, text, flags=re.DOTALL)
    text = re.sub(r"{%.*?%}", keep_lines, text, flags=re.DOTALL)
    text = re.sub(r"{{.*?}}", lambda match: "x" + "\n" * match.group().count("\n"), text, flags=re.DOTALL)
    for tag in re.finditer(r"<([a-z][\w-]*)((?:\"[^\"]*\"|'[^']*'|[^>\"'])*)>", text, re.IGNORECASE):
        pairs = re.finditer(r"([^\s=\"'/>]+)(?:\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s\"'>]+))?", tag.group(2))
        attributes = {pair.group(1).lower(): (pair.group(2) or "").strip("\"'") for pair in pairs}
        yield text.count("\n", 0, tag.start()) + 1, tag.group(1).lower(), attributes


def inline_code(text: str) -> Iterator[str]:
    for line, name, attributes in tags(text):
        for attribute, value in attributes.items():
            if attribute == "style":
                yield f"{line}: style= on <{name}>: the policy blocks it; give it a class"
            elif re.fullmatch(r"on[a-z]+|hx-on.*", attribute):
                yield f"{line}: {attribute}= on <{name}>: the policy blocks it; attach by a data- attribute"
            elif value.strip().lower().startswith("javascript:"):
                yield f"{line}: {attribute}= on <{name}> holds a script"
        if name == "style":
            yield f"{line}: <style>: the policy blocks it; put it into static/css"
        if name == "script" and "src" not in attributes and attributes.get("type") != "application/json":
            yield f"{line}: <script> without src: the policy blocks it; put it into static/js"


RAW_COLOUR = (
    r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})\b"
    r"|\b(?:rgba?|hsla?|hwb|lab|lch|oklab|oklch|color)\((?!\s*from\b)"
    r"|(?<![\w-])(?:black|white|gr[ae]y|silver|red|green|blue|yellow|orange|purple|pink|brown|cyan|magenta|teal|navy"
    r"|olive|maroon|lime|aqua|fuchsia|gold|coral|salmon|tomato|crimson|indigo|violet|beige|ivory|khaki|orchid"
    r"|rebeccapurple|(?:light|dark|medium|deep|dim|hot)[a-z]*(?:gr[ae]y|red|green|blue|pink|orange|violet))(?![\w-])"
)
COLOUR_PROPERTY = r"--.*|.*(?:color|background|border|outline|fill|stroke|shadow|gradient|decoration|image|mask).*"


def raw_colour_in_css(text: str) -> Iterator[str]:
    text = re.sub(r"/\*.*?\*/", keep_lines, text, flags=re.DOTALL)
    text = re.sub(r"url\([^)]*\)|\"[^\"\n]*\"|'[^'\n]*'", keep_lines, text)
    for declaration in re.finditer(r"(?<=[{;\s])([a-z-]+)\s*:([^;{}]*)(?=[;}])", text, re.IGNORECASE):
        colour = re.search(RAW_COLOUR, declaration.group(2), re.IGNORECASE)
        if colour and re.fullmatch(COLOUR_PROPERTY, declaration.group(1), re.IGNORECASE):
            line = text.count("\n", 0, declaration.start()) + 1
            yield f"{line}: {declaration.group(1)} holds {colour.group()}; name it in tokens.css"


def raw_colour_in_template(text: str) -> Iterator[str]:
    for line, name, attributes in tags(text):
        for attribute in ("fill", "stroke", "color", "bgcolor", "stop-color"):
            if re.search(RAW_COLOUR, attributes.get(attribute, ""), re.IGNORECASE):
                yield f"{line}: {attribute}= on <{name}> is a raw colour; use a class and a token"


def raw_colour_in_script(text: str) -> Iterator[str]:
    for colour in re.finditer(r"[\"'`](?:#(?:[0-9a-f]{6}){1,2}\b|(?:rgb|hsl|ok?lch)a?\()", text, re.IGNORECASE):
        line = text.count("\n", 0, colour.start()) + 1
        yield f"{line}: a raw colour; read the token with getComputedStyle"


# --- The rules, applied -------------------------------------------------------------------------------------


def app_files(*, migrations: bool = False) -> list[Path]:
    files = (path for app in APPS for path in (ROOT / app).rglob("*.py"))
    return sorted(path for path in files if ("migrations" in path.parts) == migrations)


def files_below(folder: str, pattern: str) -> list[Path]:
    return sorted(path for path in (ROOT / folder).rglob(pattern) if "vendor" not in path.parts)


def offences(rule: Rule, files: list[Path]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{offence}" for path in files for offence in rule(path.read_text(encoding="utf-8"))
    ]


def assert_none(rule: Rule, files: list[Path]) -> None:
    found = offences(rule, files)
    assert not found, "against the house rules:\n  " + "\n  ".join(found)


def is_edge(path: Path) -> bool:
    """Where the outside comes in, and so where the clock may be read."""
    # flush runs for as long as a backlog lasts, so no caller can tell it the time
    edges = {
        "admin",
        "apps",
        "authentication",
        "checks",
        "context",
        "courier",
        "flush",
        "health",
        "middleware",
        "receivers",
        "sessions",
    }
    return (
        bool({"api", "dashboard", "management", "templatetags"} & set(path.parts))
        or path.stem in edges | {"tasks", "views"}
        or path == ROOT / "bloop_site/lib/clock.py"
    )


def is_service_or_query(path: Path) -> bool:
    names = {"services", "queries", "buffer", "retention"}
    return bool({"services", "queries"} & set(path.parts)) or path.stem in names


def test_every_module_says_in_one_sentence_what_it_owns():
    assert_none(undocumented_module, app_files())


def test_every_task_is_keyword_only_names_its_queue_and_takes_later_arguments():
    assert_none(loose_task, app_files())


def test_every_function_over_sixty_lines_says_why():
    assert_none(long_function, app_files())


def test_no_file_is_over_450_lines():
    assert_none(long_file, app_files())


def test_no_migration_imports_code_of_an_app():
    assert_none(app_code_in_migration, app_files(migrations=True))


def test_only_edges_read_the_clock():
    assert_none(reads_clock, [path for path in app_files() if not is_edge(path)])


def test_log_events_are_constants():
    assert_none(changing_log_event, app_files())


def test_every_public_service_and_query_has_a_docstring():
    assert_none(undocumented_public_function, [path for path in app_files() if is_service_or_query(path)])


def test_templates_hold_no_inline_style_or_script():
    pages = [path for path in files_below("templates", "*.html") if "emails" not in path.parts]
    assert_none(inline_code, pages)


def test_raw_colours_stand_in_the_tokens_only():
    assert_none(raw_colour_in_css, [path for path in files_below("static", "*.css") if path.name != "tokens.css"])
    assert_none(raw_colour_in_script, files_below("static", "*.js"))
    assert_none(
        raw_colour_in_template,
        [path for path in files_below("templates", "*.html") if "emails" not in path.parts],
    )


def test_the_rules_look_at_files_of_every_app():
    seen = {path.relative_to(ROOT).parts[0] for path in app_files()}
    assert seen == set(APPS)


def test_contributing_names_only_places_that_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    places = re.findall(r"`([\w./<>-]+(?:\.py|\.css|\.md|\.in|\.toml|/))`", text)
    assert len(places) > 20
    missing = [place for place in places if not any(ROOT.glob(re.sub(r"<\w+>", "*", place)))]
    assert not missing, f"CONTRIBUTING.md sends newcomers to {', '.join(missing)}"


def test_decisions_are_numbered_without_gaps_and_listed():
    folder = ROOT / "docs/decisions"
    files = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert [name[:4] for name in files] == [f"{number:04}" for number in range(1, len(files) + 1)]
    listed = re.findall(r"\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text(encoding="utf-8"))
    assert sorted(listed) == files


# --- The rules themselves -----------------------------------------------------------------------------------

TASK = "from celery import shared_task\n@shared_task({options})\ndef flush({arguments}): ...\n"
LONG = "def f():\n" + "    x = 1\n" * MAX_FUNCTION_LINES

BAD = [
    (undocumented_module, "x = 1\n"),
    (loose_task, TASK.format(options="queue='ingest'", arguments="kind, **_later")),
    (loose_task, TASK.format(options="queue='ingest'", arguments="*, kind")),
    (loose_task, TASK.format(options="queue='ingest'", arguments="*, kind, **kwargs")),
    (loose_task, TASK.format(options="", arguments="*, kind, **_later")),
    (loose_task, "from celery import shared_task\n@shared_task\ndef flush(**_later): ...\n"),
    (long_function, LONG),
    (long_function, f"class A:\n    async {LONG.replace(chr(10), chr(10) + '    ')}"),
    (long_file, "x = 1\n" * (MAX_FILE_LINES + 1)),
    (app_code_in_migration, "from errors.models import Issue\n"),
    (app_code_in_migration, "def forwards(apps, editor):\n    import bloop_site.lib.clock\n"),
    (reads_clock, "from datetime import datetime as dt\nat = dt.now()\n"),
    (reads_clock, "import datetime\nat = datetime.datetime.now(tz=datetime.UTC)\n"),
    (reads_clock, "from time import time\nat = time()\n"),
    (reads_clock, "from django.utils import timezone\nat = timezone.now()\n"),
    (reads_clock, "from bloop_site.lib import clock\nat = clock.now_ms()\n"),
    (changing_log_event, "log.info(f'stored {n}')\n"),
    (changing_log_event, "self.logger.warning('stored %s' % n)\n"),
    (changing_log_event, "log.bind(a=1)\nlog.error(name)\n"),
    (undocumented_public_function, "def resolve(*, issue_id): ...\n"),
    (inline_code, "<p\n  style='color: red'>x</p>"),
    (inline_code, '<button {% if a > b %}disabled{% endif %} onclick="go()">x</button>'),
    (inline_code, '<div hx-on:click="go()"></div>'),
    (inline_code, "<script>go()</script>"),
    (inline_code, "<style>p {}</style>"),
    (inline_code, '<a href="javascript:go()">x</a>'),
    (raw_colour_in_css, "a { color: #fff; }"),
    (raw_colour_in_css, "a { &:hover { border: 1px solid rgb(0 0 0 / 10%) } }"),
    (raw_colour_in_css, ":root { --mine: oklch(0.66 0.19 25); }"),
    (raw_colour_in_css, "a { background: linear-gradient(white, var(--b)); }"),
    (raw_colour_in_template, '<path fill="#ff0000"/>'),
    (raw_colour_in_script, 'line.stroke = "#ff8800";'),
]

GOOD = [
    (undocumented_module, ""),
    (loose_task, TASK.format(options="queue='ingest'", arguments="*, kind, **_later")),
    (loose_task, TASK.format(options="bind=True, queue='ingest'", arguments="self, *, kind, **_later")),
    (loose_task, "@other\ndef f(a): ...\n"),
    (long_function, LONG.replace("x = 1", "# long: one table, read from top to bottom", 1)),
    (long_function, "def f():\n" + "    x = 1\n" * (MAX_FUNCTION_LINES - 1)),
    (app_code_in_migration, "from django.db import migrations, models\n"),
    (reads_clock, "import time\nbegun = time.monotonic()\nat = model.now()\n"),
    (changing_log_event, "log.info('stored', count=n)\nmath.log(n)\nlog.log(10, 'stored')\n"),
    (undocumented_public_function, 'def _part(): ...\ndef whole():\n    """All of it."""\n'),
    (inline_code, '{# <p style="x"> #}<script src="{% static "a.js" %}" type="module"></script>'),
    (inline_code, '<p data-style="x" class="{% if on %}one{% endif %}">style=1 onclick=2</p>'),
    (inline_code, '<script type="application/json">{}</script>'),
    (raw_colour_in_css, "#add { color: var(--red); background: color-mix(in oklch, var(--a), transparent) }"),
    (raw_colour_in_css, "a:hover .fff { mask-image: url(#abc); content: '#fff'; grid-area: red } /* #fff */"),
    (raw_colour_in_css, "a { color: oklch(from var(--accent) l c h / 20%); white-space: nowrap }"),
    (raw_colour_in_template, '<path fill="currentColor" stroke="none"/><a href="#fff">x</a>'),
    (raw_colour_in_script, 'document.querySelector("#feedback");'),
]


@pytest.mark.parametrize(("rule", "text"), BAD)
def test_the_rule_sees_a_bad_snippet(rule, text):
    assert list(rule(text))


@pytest.mark.parametrize(("rule", "text"), GOOD)
def test_the_rule_leaves_a_good_snippet_alone(rule, text):
    assert list(rule(text)) == []


def test_an_offence_names_its_line():
    assert next(inline_code("<p>\n{# a\nb #}\n<p style=''>")).startswith("4:")
