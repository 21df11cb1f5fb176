"""Reads stack traces of many languages into sections and frames, losing nothing. Pure; one module a dialect."""

from errors.stacktrace.model import Frame, Section, Stack
from errors.stacktrace.parse import parse_stack

__all__ = ["Frame", "Section", "Stack", "parse_stack"]
