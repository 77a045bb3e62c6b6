"""One-class SVM: how far outside of a smooth surface around the good samples (Schoelkopf et al. 2001).

The kernel is approximated by a few landmarks (Nystroem: Williams & Seeger 2000) and the machine is linear in them, so
that time and memory grow linearly. scikit-learn fits both; what it learned is kept and scored as plain arrays.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import SGDOneClassSVM

from lynkeus.core import About, Floats, SettingsError, Source
from lynkeus.files.arrays import read_scorer, write_folder
from lynkeus.scorers.statistics.by_features import ByFeatures
from lynkeus.scorers.statistics.features import Features
from lynkeus.transforms.reservoir import copies_by_weight


@dataclass
class OneClassSvm(ByFeatures):
    """`anomaly` of a row, or a window, of a table: above 0 outside of the surface; `nu` of the reference is there.

    The kernel is exp(-gamma d^2) with `gamma` = 1 / features in sigmas. Learned from at most `sample` reference points:
    `features_`, `landmarks_` (k, features), `weight_` (k,) of each landmark's kernel, `offset_`.
    """

    name: ClassVar[str] = "one_class_svm"
    about: ClassVar[About] = About(("table", "waveform"), False, "occlusion", "seconds", weights=True)
    nu: float = 0.05
    landmarks: int = 300
    sample: int = 10_000
    seed: int = 0

    def fit(self, source: Source) -> Self:
        """Learn in three passes over a stream. Raises SchemaError where nothing can be learned, SettingsError for a
        share `nu` that is none."""
        if not 0.0 < self.nu <= 1.0:
            raise SettingsError(
                f"nu of one_class_svm is a share of the reference, above 0 and at most 1, not {self.nu}"
            )
        self.schema_ = source.schema
        self.features_, reference, weight = Features.weighted(source, self.sample, self.seed)
        if weight is not None:  # its steps do not add up as their weights do: copies, as many as they weigh
            reference = copies_by_weight(reference, weight, self.seed)
        count = min(self.landmarks, len(reference))
        kernel = Nystroem(gamma=1.0 / reference.shape[1], n_components=count, random_state=self.seed)
        svm = SGDOneClassSVM(nu=self.nu, average=True, random_state=self.seed).fit(kernel.fit_transform(reference))
        self.landmarks_ = kernel.components_
        self.weight_ = kernel.normalization_.T @ svm.coef_.ravel()
        self.offset_ = float(svm.offset_[0])
        return self

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        surface = {"landmarks": self.landmarks_, "weight": self.weight_, "offset": np.array([self.offset_])}
        write_folder(folder, self.schema_, asdict(self), self.features_.to_arrays() | surface)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(cls, folder)
        scorer.features_, scorer.landmarks_ = Features.from_arrays(arrays), arrays["landmarks"]
        scorer.weight_, scorer.offset_ = arrays["weight"], float(arrays["offset"][0])
        return scorer

    def _of_shots(self, residuals: Floats) -> Floats:
        points = self.features_.points(residuals)
        kernel = np.exp(-cdist(points, self.landmarks_, "sqeuclidean") / points.shape[1])
        return self.offset_ - kernel @ self.weight_
