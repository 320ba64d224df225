"""``nebula-controller``: the command line.

Effects: reads the configuration and hands over; an error that a person can mend is one line and exit code 2.
What a sub-command needs is imported in it, so that ``--version`` and a wrong flag answer at once.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from nebula_runtime import config, log

from nebula.errors import NebulaError
from nebula_controller.settings import Settings

if TYPE_CHECKING:
    from nebula_controller.nodes.membership import Member
    from nebula_controller.tls.authorities import Authorities

EXIT_CONFIG = 2


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="nebula-sdn", prog_name="nebula-controller")
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="TOML file; flags beat it.  [default: $NEBULA_CONTROLLER_CONFIG, else /etc/nebula/controller.toml]",
)
@click.option("--state-dir", metavar="DIR", help="Database and keys.  [default: /var/lib/nebula-controller]")
@click.option("--listen", metavar="HOST:PORT", multiple=True, help="Repeatable.  [default: 127.0.0.1:9696]")
@click.option("--listen-fd", metavar="N", type=int, multiple=True, help="An inherited listening socket. Repeatable.")
@click.option(
    "--listen-tls",
    metavar="HOST:PORT",
    multiple=True,
    help="With TLS, where nodes join. Repeatable.  [default: nowhere]",
)
@click.option(
    "--tls-name", metavar="NAME", multiple=True, help="A further name or address that clients call by. Repeatable."
)
@click.option(
    "--certificate-lifetime-s", metavar="S", type=int, help="Of nodes and the controller.  [default: 7776000, 90 days]"
)
@click.option("--public-url", metavar="URL", help="What the catalogue says.  [default: the host the client used]")
@click.option("--node-secret-file", metavar="FILE", help="What nodes that never joined show.  [default: they join]")
@click.option("--admin-password-file", metavar="FILE", help="Bootstrap with this password if there is no admin yet.")
@click.option("--pid-file", metavar="FILE", help="Written when calls are answered.")
@click.option(
    "--policy-file", metavar="FILE", help="YAML that changes single rules of who may do what.  [default: none]"
)
@click.option("--metrics-listen", metavar="HOST:PORT", help="Where Prometheus finds /metrics.  [default: nowhere]")
@click.option("--log-format", metavar="json|text", help="[default: text]")
@click.option("--log-level", metavar="debug|info|warning|error", help="[default: info]")
@click.option("--token-lifetime-s", metavar="S", type=int, help="[default: 3600]")
@click.option("--token-provider", metavar="fernet|uuid", help="uuid keeps a row for each token.  [default: fernet]")
@click.option("--max-active-keys", metavar="N", type=int, help="Fernet keys kept by a rotation.  [default: 3]")
@click.option("--password-hash-rounds", metavar="N", type=int, help="bcrypt's cost, doubled by each.  [default: 10]")
@click.option("--lockout-failure-attempts", metavar="N", type=int, help="Wrong passwords that lock.  [default: off]")
@click.option("--lockout-duration-s", metavar="S", type=int, help="0: until an administrator.  [default: 1800]")
@click.option("--password-expires-days", metavar="N", type=int, help="[default: never]")
@click.option("--unique-last-password-count", metavar="N", type=int, help="Last ones not taken again.  [default: off]")
@click.option("--minimum-password-age-days", metavar="N", type=int, help="Before it is changed again.  [default: off]")
@click.option("--password-regex", metavar="REGEX", help="What a password has to match.  [default: anything]")
@click.option("--password-regex-description", metavar="TEXT", help="What people are told of it.")
@click.option(
    "--change-password-upon-first-use", is_flag=True, default=None, help="What an administrator sets expires."
)
@click.option("--vni-first", metavar="VNI", type=int, help="The first VNI given to networks.")
@click.option("--vni-last", metavar="VNI", type=int, help="The last one.  [default: 65535]")
@click.option("--underlay-mtu-bytes", metavar="N", type=int, help="MTU between the nodes.  [default: 1500]")
@click.pass_context
def cli(context: click.Context, /, config_file: Path | None, **flags: object) -> None:
    """The Nebula controller. Without a command it serves the OpenStack APIs until it is told to stop."""
    context.obj = config.load(Settings, config.chosen(config_file, "controller"), flags)
    if context.invoked_subcommand is None:
        log.configure(context.obj.log_format, context.obj.log_level)
        gc.disable()  # until it listens: nothing of what is imported is garbage, and looking costs a sixth of the start
        from nebula_controller.serve import run

        run(context.obj)


@cli.command()
@click.pass_obj
def bootstrap(settings: Settings) -> None:
    """Make the user admin, roles and the catalogue, once; print admin's password, once."""
    from nebula_controller.identity.bootstrap import bootstrap as make
    from nebula_controller.identity.passwords import hash_password, random_password
    from nebula_controller.state import DATABASE, open_folder
    from nebula_controller.store.database import Database

    password = random_password()
    if settings.admin_password_file:
        password = config.read_secret(Path(settings.admin_password_file))
    database = Database(open_folder(Path(settings.state_dir)) / DATABASE)
    try:
        made = make(database, hash_password(password, settings.password_hash_rounds))
    finally:
        database.close()
    if not made:
        click.echo("There is an administrator already; nothing was changed.", err=True)
    elif not settings.admin_password_file:
        click.echo(password)
        click.echo("This is the password of the user admin. It is not kept anywhere in clear.", err=True)


@cli.group(invoke_without_command=True)
@click.pass_context
def authority(context: click.Context) -> None:
    """The controller's certificate authority. Without a command: print what clients trust over https (OS_CACERT).

    \b
    Another one takes over without a pause:
      nebula-controller authority rotate    # nodes trust both, and get certificates of the new one
      nebula-controller authority status    # until no node needs the old one; clients get the new OS_CACERT meanwhile
      nebula-controller authority retire    # the old one is trusted no more
    """
    if context.invoked_subcommand is None:
        found = _authorities(context.obj)
        click.echo(found.bundle, nl=False)
        for one in found.all():
            click.echo(f"SHA-256: {one.pin}", err=True)


@authority.command("status")
@click.pass_obj
def authority_status(settings: Settings) -> None:
    """Each authority: the start of its SHA-256, its end, what it does, and which nodes show certificates of it."""
    from nebula_controller.tls.rotation import status

    for line in status(_authorities(settings), _members(settings)):
        click.echo(line)


@authority.command("rotate")
@click.pass_obj
def rotate_authority(settings: Settings) -> None:
    """Make another authority beside the old one: nodes trust both, and get certificates of the new one, in seconds."""
    made = _authorities(settings).rotate()
    click.echo(f"Authority {made.pin[:16]} takes over. Give clients what 'nebula-controller authority' prints now.")
    click.echo("Once 'nebula-controller authority status' shows no node with the old one, retire that.")


@authority.command("retire")
@click.option("--force", is_flag=True, help="Even if nodes are left that have to join again then.")
@click.pass_obj
def retire_authority(settings: Settings, force: bool) -> None:
    """End the old authority: nothing that it signed counts any more. Refused while a node needs it."""
    from nebula_controller.tls.rotation import check_unneeded

    authorities = _authorities(settings)
    if not force:
        check_unneeded(authorities, _members(settings))
    click.echo(f"Authority {authorities.retire().pin[:16]} is the only one now.")


def _authorities(settings: Settings) -> Authorities:
    from nebula_controller.state import TLS, open_folder
    from nebula_controller.tls.authorities import Authorities

    return Authorities(open_folder(Path(settings.state_dir)) / TLS, lifetime_s=settings.certificate_lifetime_s)


def _members(settings: Settings) -> list[Member]:
    """The nodes that have joined and are not revoked."""
    from nebula_controller.nodes import membership
    from nebula_controller.state import DATABASE, open_folder
    from nebula_controller.store.database import Database

    database = Database(open_folder(Path(settings.state_dir)) / DATABASE)
    try:
        with database.read() as tx:
            return [member for member in membership.members(tx).values() if member.revoked_at is None]
    finally:
        database.close()


@cli.group()
def keys() -> None:
    """The keys that tokens are encrypted with."""


@keys.command()
@click.pass_obj
def rotate(settings: Settings) -> None:
    """Make the staged key primary, stage a new one, drop the oldest. Tokens of dropped keys are void."""
    from nebula_controller.identity.keys import KeyRepository
    from nebula_controller.state import KEYS, open_folder

    folder = open_folder(Path(settings.state_dir)) / KEYS
    primary = KeyRepository(folder, settings.max_active_keys).rotate()
    click.echo(f"The primary key is now {folder}/{primary}.")


@cli.command("measure-tokens")
@click.option("--tokens", "count", type=click.IntRange(10, 10_000), default=500, show_default=True)
def measure_tokens(count: int) -> None:
    """Validations per second and database look-ups of both token providers, as JSON. Touches no state folder."""
    import msgspec

    from nebula_controller.identity.measure import measure

    click.echo(msgspec.json.encode(measure(count)).decode())


def main() -> None:
    """Run; errors of ours are one line on standard error and exit code 2."""
    try:
        cli(prog_name="nebula-controller")
    except NebulaError as error:
        click.echo(f"nebula-controller: {error.message}", err=True)
        sys.exit(EXIT_CONFIG)


if __name__ == "__main__":
    main()
