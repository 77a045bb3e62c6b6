"""Loops of `orbit` over windows and channels, compiled: what NumPy does in passes over memory, they do in one.

Each does what NumPy does beside its caller. A sum is added up in another order, so results differ by rounding.
"""

from lynkeus.scorers.orbit.compiled.blocks import habit as habit
from lynkeus.scorers.orbit.compiled.blocks import quiet_blocks as quiet_blocks
from lynkeus.scorers.orbit.compiled.evidence import best_suspects as best_suspects
from lynkeus.scorers.orbit.compiled.evidence import mean_evidence as mean_evidence
from lynkeus.scorers.orbit.compiled.evidence import others_misshapen as others_misshapen
from lynkeus.scorers.orbit.compiled.evidence import remembered as remembered
from lynkeus.scorers.orbit.compiled.evidence import run_lengths as run_lengths
from lynkeus.scorers.orbit.compiled.evidence import shape_evidence as shape_evidence
from lynkeus.scorers.orbit.compiled.rows import centred as centred
from lynkeus.scorers.orbit.compiled.rows import spread_of as spread_of
