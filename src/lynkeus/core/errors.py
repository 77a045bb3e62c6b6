"""Errors that name what is wrong, where, and what to do; the command line turns them into one line and exit code 2."""


class LynkeusError(Exception):
    """Any error that a user can mend: bad input, bad settings, a damaged model folder, a locked store.

    What it says can be printed: names out of damaged files may hold halves of characters, which are escaped.
    """

    def __str__(self) -> str:
        return super().__str__().encode("utf-8", "backslashreplace").decode()


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
