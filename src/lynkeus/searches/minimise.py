"""pyhf's own fit by Minuit, in double precision, which does not give up where its first try ends beside the minimum:
a second opinion on what is fitted elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from lynkeus.core import SettingsError
from lynkeus.core.extras import needing

CLOSE = 1e-2  # of minus two log likelihood, estimated: a minimum that is as near is one
CALLS = 100_000
TRIES = ((1, 0.01), (1, 0.1), (2, 0.1))  # strategy and tolerance, each from where the one before ended


def by_pyhf(model: Any, data: Any) -> tuple[dict[str, float], dict[str, float]]:
    """Return values and errors of all parameters of a model of pyhf, as its `mle.fit` finds them. Raises SettingsError
    where it finds no minimum."""
    names = list(model.config.par_names)
    with minuit(len(names)) as pyhf:
        found = pyhf.infer.mle.fit(data, model, return_uncertainties=len(names) > 1)
    both = [[*row] for row in found] if len(names) > 1 else [[float(found[0]), 0.0]]
    values, errors = (dict(zip(names, map(float, column), strict=True)) for column in zip(*both, strict=True))
    return values, errors


@contextmanager
def minuit(parameters: int = 2, errors: bool = True) -> Iterator[Any]:
    """Give pyhf with Minuit in double precision, and leave its backend as it was.

    `errors`: whether those of the parameters are wanted, which take as long as the minimum. Raises SettingsError where
    no minimum is found. pyhf's Minuit fails where no parameter is left, so a model of the signal strength alone is
    fitted by SciPy.
    """
    with needing("an inference", "search"):
        import pyhf
    before = pyhf.get_backend()
    patient = _patient(errors)(maxiter=CALLS) if parameters > 1 else pyhf.optimize.scipy_optimizer()
    pyhf.set_backend("numpy", patient)
    try:
        yield pyhf
    except pyhf.exceptions.FailedMinimization as error:
        raise SettingsError(f"the fit finds no minimum ({error}); look for empty bins or equal templates") from error
    finally:
        pyhf.set_backend(*before)


@cache
def _patient(errors: bool) -> Any:
    """Return the class: it can only be made where pyhf is installed."""
    import pyhf
    from scipy.optimize import OptimizeResult

    class Patient(pyhf.optimize.minuit_optimizer):
        """Goes on where a try ended: with another tolerance, then from a simplex; as pyhf's own without errors."""

        __slots__ = ()

        def _minimize(self, minimizer: Any, func: Any, x0: Any, **more: Any) -> Any:
            if errors:
                found = super()._minimize(minimizer, func, x0, **{**more, "options": {"tolerance": TRIES[0][1]}})
                if found.success:
                    return found
            for strategy, tolerance in TRIES:
                if strategy == 2:
                    minimizer.simplex(ncall=CALLS)
                minimizer.strategy, minimizer.tol = strategy, tolerance
                minimizer.migrad(ncall=CALLS)
                if minimizer.valid:
                    break
            # Numerical gradients end a little beside the minimum where bins are nearly empty.
            fine = minimizer.valid or minimizer.fmin.edm < CLOSE
            if errors and fine:
                minimizer.hesse()
            covariance = minimizer.covariance
            corr = covariance.correlation() if errors and covariance is not None else None
            unc = minimizer.errors if errors else None
            return OptimizeResult(
                x=minimizer.values, unc=unc, corr=corr, success=fine, fun=minimizer.fval, hess_inv=covariance,
                message="" if fine else "Estimated distance to minimum too large", nfev=minimizer.nfcn,
                njev=minimizer.ngrad, minuit=minimizer,
            )  # fmt: skip

    return Patient
