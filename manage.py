#!/usr/bin/env python
"""Bloop's command line: Django's, with `--config FILE` read before the settings are."""

import os
import sys


def take_config_option(argv: list[str]) -> list[str]:
    """Move `--config FILE`, `--config=FILE` or `-c FILE` from argv into BLOOP_CONFIG, wherever it stands.

    After `shell` or `dbshell` `-c` is theirs: the code to run.
    """
    names = ("--config",) if argv[1:2] in (["shell"], ["dbshell"]) else ("--config", "-c")
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        if word in names:
            os.environ["BLOOP_CONFIG"] = next(words, "")
        elif word.startswith("--config="):
            os.environ["BLOOP_CONFIG"] = word.removeprefix("--config=")
        else:
            rest.append(word)
    return rest


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bloop_site.settings")
    from django.core.management import execute_from_command_line  # noqa: PLC0415  after the environment is set

    execute_from_command_line(take_config_option(sys.argv))


if __name__ == "__main__":
    main()
