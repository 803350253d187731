"""The whole system on this machine: the local AWS with the real template deployed to it.

`up` leaves it running in the background, `run` stays in the foreground and plays a meeting, `down` ends it. What
clients need to know is in <state>/outputs.json.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import boto3

import build
import secret
from local_aws import REGION, LocalAws
from tools import ROOT, say, script

NAME = "rollcall"
PORTS = 3
"""How many ports in a row a stack takes: the local AWS, the providers' APIs, presigned URLs."""

ARTIFACTS = "rollcall-artifacts"


@dataclass(frozen=True)
class Stack:
    """One deployed stack; `parameters` are template parameters that differ from those of every local stack, and `targets` what
    cargo builds beside the programs."""

    aws: LocalAws
    parameters: dict[str, str] = field(default_factory=dict)
    targets: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """State: log, pid, outputs."""
        return self.aws.folder

    @property
    def outputs_file(self) -> Path:
        """What clients read."""
        return self.folder / "outputs.json"

    @property
    def api_port(self) -> int:
        """Where the functions look for the providers' APIs: `rollcall simulate` serves them there, and presigned URLs on
        the port after it."""
        return self.aws.port + 1

    def all_parameters(self) -> dict[str, str]:
        """The template parameters of a local stack that differ from their defaults."""
        apis = f"http://127.0.0.1:{self.api_port}"
        local = {
            "AwsEndpointUrl": self.aws.function_endpoint,  # with it the functions take downloads from this machine
            "MeetStreamApiUrl": f"{apis}/api/v1",
            "MeetingBaasApiUrl": apis,
            "KeepRecordings": "1",
            # Production waits for minutes and hours where nobody here would.
            "ArtifactPatienceMinutes": "1",
            "RetryBaseSeconds": "1",
            "RetryMaxSeconds": "5",
        }
        return local | self.parameters

    def client(self, service: str) -> Any:
        """A boto3 client of the local AWS."""
        return boto3.client(
            service,
            endpoint_url=self.aws.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def up(self) -> dict[str, Any]:
        """Builds, starts what is not running, deploys what has changed, and returns the outputs."""
        built = build.for_this_machine(*self.targets)
        if not self.aws.identity():
            say(f"starting the local AWS on port {self.aws.port}")
        self.aws.start()

        version, value = secret.ensure(self.client("secretsmanager"), NAME, filled=tuple(secret.RANDOM))
        parameters = self.all_parameters() | {"SecretVersionId": version, "Architecture": build.HOST}
        deployed = self.folder / "deployed"
        fingerprint = self._fingerprint(built, parameters)
        if not deployed.exists() or deployed.read_text() != fingerprint or not self.outputs_file.exists():
            say("deploying template.yaml to it (10 seconds)")
            self._deploy(built, parameters)
            self._repair_mappings()
            outputs = self._outputs(value)
            self.outputs_file.write_text(json.dumps(outputs, indent=2) + "\n")
            deployed.write_text(fingerprint)
        return json.loads(self.outputs_file.read_text())

    def down(self) -> bool:
        """Ends everything. Says whether there was anything to end."""
        was_running = self.aws.stop()
        for left in (self.outputs_file, self.folder / "deployed"):
            left.unlink(missing_ok=True)
        return was_running

    def _fingerprint(self, built: Path, parameters: dict[str, str]) -> str:
        """Changes with anything that a deploy would change, the running process included."""
        digest = sha256(json.dumps([self.aws.identity(), parameters], sort_keys=True).encode())
        for file in (built / "template.yaml", *sorted(built.glob("*/bootstrap"))):
            digest.update(file.read_bytes())
        return digest.hexdigest()

    def _deploy(self, built: Path, parameters: dict[str, str]) -> None:
        self.client("s3").create_bucket(Bucket=ARTIFACTS)
        command = ["sam", "deploy", "--config-file", str(ROOT / "samconfig.toml"), "--config-env", "local"]
        command += ["--template-file", str(built / "template.yaml")]
        command += ["--stack-name", NAME, "--s3-bucket", ARTIFACTS]
        command += ["--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items())]
        settings = self.aws.client_environment() | {"SAM_CLI_POLL_DELAY": "1"}
        settings["PATH"] = build.environment()["PATH"]
        settings["SAM_CLI_TELEMETRY"] = "0"
        made = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True)
        (self.folder / "deploy.log").write_text(made.stdout + made.stderr)
        if made.returncode:
            sys.exit(f"{made.stdout}{made.stderr}\nerror: sam deploy failed")

    def _repair_mappings(self) -> None:
        """Sets the mappings' concurrency once more, as a number.

        The local AWS keeps a number that came through a template parameter as text, and its poller then stops at the
        comparison.
        """
        functions = self.client("lambda")
        for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
            if scaling := mapping.get("ScalingConfig"):
                limit = {"MaximumConcurrency": int(scaling["MaximumConcurrency"])}
                functions.update_event_source_mapping(UUID=mapping["UUID"], ScalingConfig=limit)

    def _outputs(self, secrets: dict[str, str]) -> dict[str, Any]:
        stack = self.client("cloudformation").describe_stacks(StackName=NAME)["Stacks"][0]
        of = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        # The form of the URL that needs no DNS: the identifier in the path, not in the host name.
        identifier = of["FunctionUrl"].removeprefix("https://").split(".")[0]
        function_url = f"{self.aws.endpoint}/_aws/lambda-url/{identifier}"
        webhook_url = f"{function_url}/webhooks/meetstream"
        meetingbaas_url = f"{function_url}/webhooks/meetingbaas"
        first = {key: value.split(",")[0] for key, value in secrets.items()}
        return {
            "stack_name": NAME,
            "endpoint_url": self.aws.endpoint,
            "api_port": self.api_port,
            "region": REGION,
            "function_url": function_url,
            "webhook_url": webhook_url,
            "callback_url": f"{webhook_url}/{first[secret.CALLBACK_TOKENS]}",
            "meetstream_secret": first[secret.WEBHOOK_SECRETS],
            "meetingbaas_v1_url": f"{meetingbaas_url}/v1",
            "meetingbaas_v2_url": f"{meetingbaas_url}/v2",
            "meetingbaas_callback_url": f"{meetingbaas_url}/callback",
            "meetingbaas_legacy_url": f"{meetingbaas_url}/legacy",
            "meetstream_api_key": first[secret.MEETSTREAM_API_KEYS],
            "meetingbaas_api_key": first[secret.API_KEYS],
            "meetingbaas_svix_secret": first[secret.SVIX_SECRETS],
            "meetingbaas_callback_secret": first[secret.CALLBACK_SECRETS],
            "meetingbaas_legacy_secret": first[secret.LEGACY_SECRETS],
            "table": of["TableName"],
            "bucket": of["BucketName"],
            "event_bus": of["EventBusName"],
            "queue_url": of["EventsQueueUrl"],
            "dlq_url": of["EventsDeadLetterQueueUrl"],
            "commands_url": of["CommandsQueueUrl"],
            "commands_dlq_url": of["CommandsDeadLetterQueueUrl"],
            "ingest_function": of["IngestFunctionName"],
            "process_function": of["ProcessFunctionName"],
            "log_file": str(self.aws.log),
        }


def here(port: int | None) -> Stack:
    """This checkout's stack: the running one, or a new one on `port`, or else on the port of the last one."""
    folder = ROOT / ".local"
    remembered = folder / "port"
    known = int(remembered.read_text()) if remembered.exists() else None
    if known and LocalAws(folder, known).identity():
        if port not in (None, known):
            sys.exit(f"error: this checkout's stack runs on port {known}; `make down` ends it")
        port = known
    return Stack(LocalAws(folder, port or known or 4566))


def up(stack: Stack) -> dict[str, Any]:
    """Brings the stack up and remembers its port."""
    stack.folder.mkdir(exist_ok=True)
    if stack.outputs_file.exists() and not stack.aws.identity():
        say("the local AWS ended without `make down`; it keeps everything in memory, so the bots and deliveries of before are gone")
    outputs = stack.up()
    (stack.folder / "port").write_text(str(stack.aws.port))
    return outputs


def command() -> Path:
    """Builds the operator's command, if that was not done with the functions, and says where it is."""
    say("building the rollcall command (the first time about 3 minutes)")
    # The whole workspace's features, so that no dependency is compiled twice.
    subprocess.run(["cargo", "build", "--quiet", "--locked", "--workspace", "--bin", "rollcall"], cwd=ROOT, check=True)
    return build.DEBUG / "rollcall"


def run(stack: Stack) -> None:
    """Brings the stack up, shows one meeting going through it, and serves until Ctrl-C. A stack that runs already stays up."""
    was_up = stack.aws.identity() is not None
    try:
        outputs, rollcall = up(stack), build.DEBUG / "rollcall"
        say("playing a meeting: signed webhooks to the function URL, and MeetStream's API to fetch from")
        bot = "demo-" + os.urandom(4).hex()
        subprocess.run([rollcall, "send", "meeting", "--bot-id", bot, "--serve-api"], cwd=ROOT, check=True)
        say("what became of it")
        subprocess.run([rollcall, "timeline", "meetstream", bot], cwd=ROOT, check=True)
        say("what was said")
        subprocess.run([rollcall, "transcript", "meetstream", bot], cwd=ROOT, check=True)

        say("serving until Ctrl-C")
        print(f"\nwebhook URL   {outputs['webhook_url']}\nrollcall      {rollcall.relative_to(ROOT)}", flush=True)
        print("\nsend one by hand:\n", flush=True)
        subprocess.run([rollcall, "send", "event", "bot.joining", "--curl"], cwd=ROOT, check=True)
        signal.pause()
    except KeyboardInterrupt:
        print()
    finally:
        if was_up:
            say("the stack was up before, and stays up; `make down` ends it")
        else:
            say("stopping")
            stack.down()


def main() -> None:
    """Carries out one command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["up", "run", "down"])
    parser.add_argument("--port", type=int, help="port of the local AWS, which takes the next two as well (default: 4566)")
    arguments = parser.parse_args()

    stack = here(None if arguments.command == "down" else arguments.port)
    if arguments.command == "run":
        run(stack)
    elif arguments.command == "up":
        outputs, rollcall = up(stack), (build.DEBUG / "rollcall").relative_to(ROOT)
        print(f"\nup: {outputs['webhook_url']}\n    more in .local/outputs.json; look with {rollcall}; `make down` ends it")
    else:
        print("down" if stack.down() else "nothing was running")


if __name__ == "__main__":
    script(main)
