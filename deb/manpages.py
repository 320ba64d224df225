"""Manual pages from the programs' own help. Pure, but for imports of the programs: text in, roff(7) out.

One page for each daemon, one for ``nebulactl`` and one for each of its nouns (``nebulactl-network(1)``).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import click


def pages(version: str) -> Iterator[tuple[str, str]]:
    """(file name, text) of every page."""
    from nebula_agent.main import _parser
    from nebula_controller.main import cli as controller
    from nebulactl.main import COMMANDS, cli

    yield "nebula-agent.8", _agent(_parser(), version)
    yield "nebula-controller.8", _head("nebula-controller", 8, version, controller) + "".join(_commands(controller))
    also = "".join(f".BR nebulactl-{name} (1),\n" for name in COMMANDS)
    yield "nebulactl.1", _head("nebulactl", 1, version, cli) + f".SH SEE ALSO\n{also}.BR openstack (1)\n"
    with click.Context(cli, info_name="nebulactl") as ctx:
        for name in COMMANDS:
            command = cli.get_command(ctx, name)
            assert command is not None
            text = _head(f"nebulactl {name}", 1, version, command) + "".join(_commands(command, f"nebulactl {name}"))
            yield f"nebulactl-{name}.1", text + ".SH SEE ALSO\n.BR nebulactl (1)\n"


def _head(name: str, section: int, version: str, command: click.Command) -> str:
    title, help_text = name.replace(" ", "-"), (command.help or "").strip()
    first = help_text.split("\n")[0]
    return (
        f'.TH {title.upper()} {section} "" "Nebula {version}"\n.SH NAME\n{_roff(title)} \\- {_roff(first)}\n'
        f".SH SYNOPSIS\n{_synopsis(command, name)}.SH DESCRIPTION\n{_prose(help_text)}{_options(command)}"
    )


def _commands(command: click.Command, above: str = "", *, first: bool = True) -> Iterator[str]:
    """The commands of a group, nested ones too."""
    if not isinstance(command, click.Group):
        return
    with click.Context(command, info_name=above or command.name) as ctx:
        found = [(name, command.get_command(ctx, name)) for name in command.list_commands(ctx)]
    if first and found:
        yield ".SH COMMANDS\n"
    for name, inner in found:
        if inner is None:
            continue
        whole = f"{above} {name}".strip()
        if isinstance(inner, click.Group):
            yield from _commands(inner, whole, first=False)
        else:
            yield f".SS {_roff(whole)}\n{_synopsis(inner, whole)}.PP\n{_prose(inner.help or '')}{_options(inner, '')}"


def _synopsis(command: click.Command, name: str) -> str:
    with click.Context(command, info_name=name) as ctx:
        return f".B {_roff(name)}\n{_roff(' '.join(command.collect_usage_pieces(ctx)))}\n"


def _options(command: click.Command, heading: str = ".SH OPTIONS\n") -> str:
    with click.Context(command) as ctx:
        records = [record for item in command.get_params(ctx) if (record := item.get_help_record(ctx)) is not None]
    return (heading if records else "") + "".join(f".TP\n.B {_roff(flag)}\n{_roff(text)}\n" for flag, text in records)


def _agent(parser: argparse.ArgumentParser, version: str) -> str:
    text = (
        f'.TH NEBULA-AGENT 8 "" "Nebula {version}"\n.SH NAME\nnebula-agent \\- {_roff(parser.description or "")}\n'
        ".SH SYNOPSIS\n.B nebula-agent\n[OPTIONS] [COMMAND]\n.SH DESCRIPTION\n"
        f"{_prose(parser.description or '')}{_prose(chr(8) + chr(10) + (parser.epilog or ''))}.SH OPTIONS\n"
    )
    for action in parser._actions:
        flags = ", ".join(action.option_strings) or str(action.metavar)
        value = f" {action.metavar}" if action.option_strings and action.metavar else ""
        text += f".TP\n.B {_roff(flags + value)}\n{_roff(action.help or '')}\n"
    return text + ".SH FILES\n.TP\n.B /etc/nebula/agent.toml\nThe configuration.\n"


def _prose(text: str) -> str:
    """Paragraphs; those that begin with a line of ``\\b``, click's mark, keep their lines."""
    parts = []
    for paragraph in "\n".join(line.strip("\r") for line in text.split("\n")).split("\n\n"):
        lines = paragraph.strip("\n").split("\n")
        if lines[0].strip() == "\b":
            parts.append(".PP\n.nf\n" + "".join(f"{_roff(line)}\n" for line in lines[1:]) + ".fi\n")
        else:
            parts.append(".PP\n" + "".join(f"{_roff(line.strip())}\n" for line in lines if line.strip()))
    return "".join(parts)


def _roff(text: str) -> str:
    """Text as roff prints it: no escapes, no requests at the beginning of a line."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text
