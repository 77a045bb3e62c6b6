"""What no method can come nearer than: images of which all is known but fine roughness and the noise of the camera.

Roughness is Gaussian, so that the best guess of what of it is between coarse pixels is the linear one, of roughness
seen alone and without noise; grains, boundaries, seam, marks and light are taken as they are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lynkeus.core import Array, Floats
from lynkeus.simulate.surface.camera import Camera
from lynkeus.simulate.surface.source import SurfaceSource, take
from lynkeus.transforms.resolution import LinearFilter, coarser

QUIET = Camera(noise=0.0)


def all_known(learned: SurfaceSource, test: SurfaceSource, factor: int) -> Floats:
    """Return of niobium the images (n, c, row, column) of `test`; what roughness is like comes from `learned`."""
    _, taught, treatments = _parts(learned)
    smooth, rough, theirs = _parts(test)
    found = smooth.copy()
    for treatment in np.unique(theirs):
        own, like = theirs == treatment, treatments == treatment
        if like.any():
            best = LinearFilter.fit(coarser(taught[like], factor), taught[like], factor)
            found[own] += best.of(coarser(rough[own], factor), factor)
    return found


def _parts(source: SurfaceSource) -> tuple[Floats, Floats, Array]:
    """Return images without roughness and noise, what roughness adds, and the treatment of each."""
    shots = [source.shot(index) for index in range(len(source))]
    smooth = [take(replace(shot, camera=QUIET, scene=replace(shot.scene, roughness=0.0))).pixels for shot in shots]
    clean = [take(replace(shot, camera=QUIET)).pixels for shot in shots]
    even = np.stack(smooth).astype(float)
    return even, np.stack(clean) - even, np.array([shot.scene.treatment for shot in shots])
