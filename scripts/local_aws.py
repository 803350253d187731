"""The local AWS (ministack) as one background process, remembered by pid in a state folder."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tools import bin_of, need

REGION = "us-east-1"


def free_port(run: int = 1) -> int:
    """The first of so many ports in a row that nobody listens on at the moment.

    They are below those that the kernel gives to outgoing connections, so nobody gets one by chance later on.
    """
    for first in random.sample(range(20_000, 30_000), 1000):
        if all(_is_free(first + after) for after in range(run)):
            return first
    sys.exit("error: no port is free")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@dataclass(frozen=True)
class LocalAws:
    """A local AWS on a port of the loopback interface; `folder` keeps its log, its pid and its files."""

    folder: Path
    port: int

    @property
    def endpoint(self) -> str:
        """What clients on this machine use as AWS_ENDPOINT_URL."""
        return f"http://localhost:{self.port}"

    @property
    def function_endpoint(self) -> str:
        """What the functions use. An address, not a name: S3 clients then put the bucket into the path, and bucket
        names need no DNS."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """Its output, with the functions' log lines in it."""
        return self.folder / "aws.log"

    def client_environment(self) -> dict[str, str]:
        """Environment in which AWS clients talk to it, whatever profile or proxy the user has."""
        return without_aws(os.environ) | {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "localhost,127.0.0.1",
            "no_proxy": "localhost,127.0.0.1",
        }

    def identity(self) -> str | None:
        """Which process is serving, or None when it is not running."""
        try:
            recorded = (self.folder / "aws.pid").read_text().strip()
            pid = int(recorded.split()[0])
        except (OSError, ValueError, IndexError):
            return None
        return recorded if f"{pid} {started_at(pid)}" == recorded else None

    def start(self) -> None:
        """Starts it and waits until it answers. Does nothing when it runs already."""
        if self.identity():
            return
        if not sys.platform.startswith("linux"):
            need("the local AWS runs the functions as Linux processes", "use Linux, or Windows with WSL.")
        (self.folder / "tmp").mkdir(parents=True, exist_ok=True)
        if self._answers():
            sys.exit(f"error: port {self.port} is taken by another program; choose one, as in `make up PORT=4600`")

        settings = self.client_environment() | {
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": "127.0.0.1",  # its own default is every interface
            "AWS_ENDPOINT_URL": self.function_endpoint,  # it hands this to the functions
            "MINISTACK_REGION": REGION,
            "TMPDIR": str(self.folder / "tmp"),
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            # It would end containers that it finds labelled as its own. None of ours are.
            "DOCKER_HOST": f"unix://{self.folder}/no-docker.sock",
        }
        with self.log.open("w") as log:
            process = subprocess.Popen(
                [bin_of("aws") / "ministack"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=settings,
                start_new_session=True,  # a group of its own: Ctrl-C is ours to handle, and `stop` ends the functions too
            )
        (self.folder / "aws.pid").write_text(f"{process.pid} {started_at(process.pid)}")

        for _ in range(300):
            if self._answers():
                return
            if process.poll() is not None:
                break
            time.sleep(0.1)
        self.stop()
        sys.exit(f"error: the local AWS did not start; its log:\n{self.log.read_text()[-2000:]}")

    def stop(self) -> bool:
        """Ends it and the function processes it started. Says whether it was running."""
        running = self.identity()
        if running:
            group = int(running.split()[0])
            for sign in (signal.SIGTERM, signal.SIGKILL):
                signal_group(group, sign)
                if wait_for_end(group, seconds=10):
                    break
        (self.folder / "aws.pid").unlink(missing_ok=True)
        shutil.rmtree(self.folder / "tmp", ignore_errors=True)
        return running is not None

    def _answers(self) -> bool:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"http://127.0.0.1:{self.port}/_ministack/ready", timeout=2) as answer:
                return answer.status == 200
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False


def without_aws(variables: dict[str, str] | os._Environ[str]) -> dict[str, str]:
    """The variables without those that point AWS clients at a real account."""
    keep = {"AWS_CA_BUNDLE"}
    return {name: value for name, value in variables.items() if not name.startswith("AWS_") or name in keep}


def started_at(pid: int) -> str:
    """When a process began, in the kernel's ticks: with the pid it names a process beyond doubt."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "gone"


def signal_group(group: int, sign: signal.Signals) -> None:
    """Signals every process of a group that still has one."""
    try:
        os.killpg(group, sign)
    except ProcessLookupError:
        pass


def wait_for_end(group: int, seconds: float) -> bool:
    """Waits until a process group is empty."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.waitpid(-group, os.WNOHANG)  # if it is our child, it stays a zombie until somebody asks
        except ChildProcessError:
            pass
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
