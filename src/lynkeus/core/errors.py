"""Errors that name what is wrong, where, and what to do; the command line turns them into one line and exit code 2."""

LONGEST = 4000  # letters of a line


class LynkeusError(Exception):
    """Any error that a user can mend: bad input, bad settings, a damaged model folder, a locked store.

    What it says is one line that can be printed: names out of damaged files may hold halves of characters and signs
    that steer a terminal, which are escaped, and ends of lines, which become spaces. What is too long is cut within.
    """

    def __str__(self) -> str:
        said = super().__str__().encode("utf-8", "backslashreplace").decode()
        if not said.isprintable():
            said = "".join(sign if sign.isprintable() else " " if sign.isspace() else _escaped(sign) for sign in said)
        # The end says what to do.
        return said if len(said) <= LONGEST else f"{said[: LONGEST // 2]} ... {said[-LONGEST // 4 :]}"


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape").decode()


class SchemaError(LynkeusError):
    """Samples are not of the kind, names, units or shape that was expected."""


class SourceError(LynkeusError):
    """A file, folder or stream cannot be read as asked."""


class ModelError(LynkeusError):
    """A model folder is incomplete, damaged or of another version."""


class CalibrationError(LynkeusError):
    """A reference is too short for the budget asked of it, or holds no usable scores."""


class StoreError(LynkeusError):
    """The store cannot be opened, written, or belongs to another monitor."""


class SettingsError(LynkeusError):
    """A setting or an option has a value that makes no sense."""
