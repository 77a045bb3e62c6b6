"""Files of settings as people write them: text, and TOML in it, or one line that says what to do."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from lynkeus.core import SettingsError
from lynkeus.files.damaged import in_short


def read_text(path: Path, what: str) -> str:
    """Return the text of a file, which is `what` ("the layout"). Raises SettingsError where it cannot be read, or is
    no text."""
    try:
        return path.expanduser().read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SettingsError(f"{path}: {what} cannot be read ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"{path}: {what} cannot be read: no UTF-8 text (byte {error.object[error.start]:#04x} at {error.start}); "
            "check the path, or save it as UTF-8 in an editor"
        ) from error


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """Return the content of a TOML file, which is `what`. Raises SettingsError as `read_text` and `parse_toml` do."""
    return parse_toml(read_text(path, what), str(path))


def parse_toml(text: str, name: str) -> dict[str, Any]:
    """Return what a text says, of a file called `name`. Raises SettingsError where it is no TOML."""
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # not TOML; numbers of thousands of digits; tables nested too deeply
        raise SettingsError(f"{name}: is not valid TOML ({in_short(error)}); mend that line") from error
