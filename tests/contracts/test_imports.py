"""What stays light: a page server starts without any scorer, network or torch; evaluate and monitor see protocols only.

The contracts in pyproject.toml read the import statements; here the packages are imported for real, one by one.
"""

import subprocess
import sys
from pathlib import Path

import pytest

import lynkeus

HEAVY = ("torch", "lightning_fabric", "onnx", "onnxruntime", "lynkeus.scorers", "lynkeus.networks", "lynkeus.training")


@pytest.mark.parametrize("package", ["web", "monitor", "evaluate", "scans", "commission", "fitting"])
def test_it_imports_without_scorers_and_torch(package: str) -> None:
    root = Path(lynkeus.__file__).parent
    files = sorted((root / package).rglob("*.py"))
    modules = [".".join(("lynkeus", *file.relative_to(root).with_suffix("").parts)) for file in files]
    modules = [module.removesuffix(".__init__") for module in modules]
    assert modules
    code = f"import sys, {', '.join(modules)}; print(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
