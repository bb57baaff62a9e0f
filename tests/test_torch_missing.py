"""Without PyTorch its part of the package says what installs it; the rest does not ask for it."""

import subprocess
import sys


def test_missing_pytorch_is_named():
    code = (
        "import sys; sys.modules['torch'] = None; from varconvex import MissingExtraError, torch as t\n"
        "assert t.__all__ == ['ConvexityLoss', 'ConvexProjection']\n"
        "try:\n    t.ConvexityLoss\nexcept MissingExtraError as error:\n    print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip().endswith('not installed: pip install "varconvex[torch]"')
