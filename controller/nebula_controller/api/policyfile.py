"""A policy file: a YAML (or JSON) mapping from rules to expressions, as oslo.policy's. Effects: reads the file."""

from __future__ import annotations

from pathlib import Path

from nebula.errors import ConfigError

LIMIT_BYTES = 1024 * 1024


def read(path: Path) -> dict[str, str]:
    """The rules in the file. ConfigError, with the line where there is one, for what is no such mapping."""
    import yaml  # half of what it costs to start without a file

    try:
        text = path.read_bytes()[: LIMIT_BYTES + 1].decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"policy_file {path} cannot be read: {error}") from None
    if len(text) > LIMIT_BYTES:
        raise ConfigError(f"policy_file {path} is larger than {LIMIT_BYTES} bytes")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"policy_file {path} is not YAML: {reason}") from None
    if node is None:
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f'policy_file {path}: it shall hold lines like "create_network": "role:admin"')
    found: dict[str, str] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise ConfigError(f"policy_file {path}, line {line}: the name of a rule is text")
        if not isinstance(value, yaml.ScalarNode):
            raise ConfigError(f"policy_file {path}, line {line}: {key.value}: a rule is text, as in role:admin")
        if key.value in found:
            raise ConfigError(f"policy_file {path}, line {line}: {key.value} stands there twice")
        found[key.value] = value.value
    return found
