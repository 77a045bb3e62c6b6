"""Weights of weaver-core: to networks of ours and back, recognised by their names and shapes."""

from lynkeus.networks.taggers.weaver.convert import WRAPPER, from_weaver, to_weaver
from lynkeus.networks.taggers.weaver.files import read_weights, write_weights

__all__ = ["WRAPPER", "from_weaver", "read_weights", "to_weaver", "write_weights"]
