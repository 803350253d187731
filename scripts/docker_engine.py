"""A Docker engine for `sam local invoke`: the one that runs, or, for root and on request, one of our own.

Where no registry can be reached, the image that SAM wants is replaced by a plain Debian: our functions are single
programs that need nothing but a C library.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import build
from tools import ROOT, say, script

IMAGE = f"public.ecr.aws/lambda/provided:al2023-{build.HOST}"
STAND_IN = "rollcall.stand-in"
"""Label of the replacement, so that it is never taken for the real one."""


class NoDocker(Exception):
    """There is no engine to be had; the message says why."""


def docker(*arguments: str, check: bool = True, **options) -> subprocess.CompletedProcess[str]:
    """Runs the docker client and keeps what it says."""
    return subprocess.run(["docker", *arguments], check=check, capture_output=True, text=True, **options)


@contextmanager
def engine() -> Iterator[None]:
    """Within it `docker` and `sam local` have an engine with the image in it."""
    required = os.environ.get("ROLLCALL_REQUIRE_DOCKER") == "1"
    if answers():
        ensure_image(stand_in=required)
        yield
        return
    if not required or os.geteuid() != 0:
        raise NoDocker("no Docker engine answers")

    install("dockerd", "docker.io")
    install("docker", "docker-cli")
    with own_engine(ROOT / ".local" / "docker"):
        ensure_image(stand_in=True)
        yield


def answers() -> bool:
    """Whether an engine is there."""
    return shutil.which("docker") is not None and docker("info", check=False).returncode == 0


def install(program: str, package: str) -> None:
    """Installs a Debian package unless its program is there."""
    if shutil.which(program):
        return
    say(f"installing {package} (a minute)")
    settings = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", package]):
        made = subprocess.run(command, env=settings, capture_output=True, text=True)
        if made.returncode:
            raise NoDocker(f"{' '.join(command)} failed: {made.stderr.strip()}")


@contextmanager
def own_engine(folder: Path) -> Iterator[None]:
    """An engine with its own socket and data, ended afterwards."""
    say("starting a Docker engine")
    folder.mkdir(parents=True, exist_ok=True)
    before = os.environ.get("DOCKER_HOST")
    # Its own files stay out of the project: overlay file systems do not nest, and a socket's path has to be short.
    run = Path("/run/rollcall-docker") / str(os.getpid())
    run.mkdir(parents=True)
    os.environ["DOCKER_HOST"] = f"unix://{run}/docker.sock"
    command = ["dockerd", "--host", os.environ["DOCKER_HOST"], "--data-root", folder / "data"]
    command += ["--exec-root", run / "exec", "--pidfile", run / "pid"]
    with (folder / "dockerd.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        for _ in range(60):
            if answers():
                break
            if process.poll() is not None:
                raise NoDocker(f"dockerd ended:\n{(folder / 'dockerd.log').read_text()[-2000:]}")
            time.sleep(1)
        else:
            raise NoDocker("dockerd did not answer within a minute")
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
        shutil.rmtree(run, ignore_errors=True)
        os.environ.pop("DOCKER_HOST")
        if before is not None:
            os.environ["DOCKER_HOST"] = before


def ensure_image(*, stand_in: bool) -> None:
    """Makes sure that the image is there, from its registry or as a stand-in."""
    if docker("image", "inspect", IMAGE, check=False).returncode == 0:
        return
    say(f"pulling {IMAGE}")
    pulled = docker("pull", IMAGE, check=False)
    if pulled.returncode == 0:
        return
    if not stand_in or os.geteuid() != 0:
        raise NoDocker(f"cannot pull {IMAGE}: {pulled.stderr.strip()}")

    install("debootstrap", "debootstrap")
    say("no registry: making a stand-in from Debian packages (a minute)")
    folder = ROOT / ".local" / "docker" / "debian"
    shutil.rmtree(folder, ignore_errors=True)
    made = subprocess.run(
        ["debootstrap", "--variant=minbase", "--include=ca-certificates", "stable", folder],
        capture_output=True,
        text=True,
    )
    if made.returncode:
        raise NoDocker(f"debootstrap failed: {made.stdout[-1000:]}{made.stderr}")
    packed = subprocess.Popen(["tar", "-C", folder, "-c", "."], stdout=subprocess.PIPE)
    docker("import", "--change", f"LABEL {STAND_IN}=1", "-", IMAGE, stdin=packed.stdout)
    if packed.wait():
        raise NoDocker("tar failed")
    shutil.rmtree(folder, ignore_errors=True)


def bridge_address() -> str:
    """This machine's address on the bridge that containers are on."""
    form = "{{(index .IPAM.Config 0).Subnet}} {{(index .IPAM.Config 0).Gateway}}"
    subnet, _, gateway = docker("network", "inspect", "bridge", "--format", form).stdout.strip().partition(" ")
    # An engine that runs for the first time may not name its gateway yet: it is the first address of the network.
    return gateway or str(next(ipaddress.ip_network(subnet).hosts()))


def main() -> None:
    """Shows that there is an engine, and what is in it."""
    with engine():
        print(docker("images").stdout)


if __name__ == "__main__":
    script(main, NoDocker)
