"""Matrices of many channels that are a diagonal and few modes: their products cost a few per cent of the full ones.

Where all channels see the same few motions and noise of their own, the covariance is that of a factor model, and so is
everything that follows from it: the precision matrix by the identity of Woodbury, the residuals, and their inverse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lynkeus.core import Array, Floats


@dataclass(frozen=True)
class Thin:
    """The matrix (c, c) `diag(scale) + left @ right` of few modes k: `scale` (c,), `left` (c, k), `right` (k, c).

    `rows @ thin` works as with an array.
    """

    scale: Floats
    left: Floats
    right: Floats
    __array_ufunc__: ClassVar[None] = None  # an array leaves its product with this to `__rmatmul__`

    def __rmatmul__(self, rows: Array) -> Array:
        found = np.asarray((rows @ self.left) @ self.right)
        found += rows * self.scale
        return found

    def __matmul__(self, columns: Floats) -> Floats:
        return np.asarray(self.scale[:, None] * columns + self.left @ (self.right @ columns))

    def dense(self) -> Floats:
        """Return it as an array (c, c)."""
        return np.asarray(np.diag(self.scale) + self.left @ self.right)

    def then(self, other: Thin) -> Thin:
        """Return the product with another one, of as many modes as both have."""
        inner = self.right * other.scale + (self.right @ other.left) @ other.right
        left = np.concatenate([self.scale[:, None] * other.left, self.left], axis=1)
        return Thin(self.scale * other.scale, left, np.concatenate([other.right, inner]))

    def inverse(self) -> Thin:
        """Return the inverse, of as many modes."""
        left, right = self.left / self.scale[:, None], self.right / self.scale
        core = np.linalg.inv(np.eye(left.shape[1]) + self.right @ left)
        return Thin(1.0 / self.scale, -left @ core, right)

    def times(self, columns: Floats) -> Thin:
        """Return the matrix with its columns multiplied by (c,)."""
        return Thin(self.scale * columns, self.left, self.right * columns)

    def single(self) -> Thin:
        """Return it in single precision."""
        return Thin(*(np.ascontiguousarray(part, np.float32) for part in (self.scale, self.left, self.right)))


@dataclass(frozen=True)
class Beside:
    """A matrix of few columns, `few` (c, k), and one of many, `many` (c, c), side by side: (c, k + c)."""

    few: Floats
    many: Thin
    __array_ufunc__: ClassVar[None] = None

    def __rmatmul__(self, rows: Array) -> Array:
        return np.concatenate([rows @ self.few, rows @ self.many], axis=-1)
