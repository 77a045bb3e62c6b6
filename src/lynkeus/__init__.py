"""Lynkeus: learns what an instrument looks like when all is well, says when it does not, how rare, and where.

In Python `lynkeus.fit(data)` gives a Model, whose `score(data)` gives columns; `lynkeus.load(folder)` reads one. They
are imported when they are first asked for: `import lynkeus` alone takes no time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lynkeus.fitting.in_python import Model as Model
    from lynkeus.fitting.in_python import fit as fit

    load = Model.load

__version__ = "0.1.0"
__all__ = ["Model", "__version__", "fit", "load"]


def __getattr__(name: str) -> Any:
    """Import what is asked for."""
    if name not in ("Model", "fit", "load"):
        raise AttributeError(f"module 'lynkeus' has no attribute {name!r}")
    from lynkeus.fitting import in_python

    return in_python.Model.load if name == "load" else getattr(in_python, name)
