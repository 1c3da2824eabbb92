"""The reference of the command line says what the code does."""

from __future__ import annotations

import re

from acuse.entrypoints import options
from acuse.entrypoints.parquet import SCHEMA
from acuse.entrypoints.sheets import COLUMNS
from tests.docs.commands import REFERENCE, commands, filled

TEXT = REFERENCE.read_text("utf-8")


def test_the_commands_and_their_options_are_those_of_the_code() -> None:
    assert filled(TEXT) == TEXT, "python -m tests.docs.commands writes them"


def test_every_option_of_a_command_says_what_it_does() -> None:
    silent = [
        (name, parameter.name) for name, command in commands() for parameter in command.params if not parameter.help
    ]

    assert silent == []


def test_every_exit_code_is_in_the_reference_and_no_other() -> None:
    told = set(map(int, re.findall(r"^\| (\d+) \|", TEXT, re.MULTILINE)))
    codes = (options.REFUSED, options.MISCONFIGURED, options.UNAVAILABLE, options.INTERRUPTED, options.UNREAD)

    assert told == {0, *codes}


def test_the_columns_of_an_export_are_those_of_the_code() -> None:
    table = TEXT.partition("| column | in Parquet | |")[2].partition("\n\n")[0]
    told = re.findall(r"^\| `(\w+)` \| (\w+)", table, re.MULTILINE)

    assert tuple(name for name, _ in told) == COLUMNS
    assert [name for name, _ in told] == SCHEMA.names
    assert all(str(field.type).startswith(kind) for field, (_, kind) in zip(SCHEMA, told, strict=True))
