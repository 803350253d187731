"""What Lambda's own runtime for Python does: ask for an event, call the handler, post its answer.

The handler's module is the first argument.
"""

import http.client
import importlib
import json
import os
import sys
import traceback
from types import SimpleNamespace

PATH = "/2018-06-01/runtime/"


def main() -> None:
    """Serves events until it is killed."""
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    handler = importlib.import_module(os.path.basename(sys.argv[1])).handler
    while True:
        api.request("GET", PATH + "invocation/next")
        answer = api.getresponse()
        event = json.loads(answer.read())
        request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
        context = SimpleNamespace(
            aws_request_id=request_id,
            function_name=os.environ["AWS_LAMBDA_FUNCTION_NAME"],
            function_version="1",
            memory_limit_in_mb=os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"],
            invoked_function_arn=answer.headers["Lambda-Runtime-Invoked-Function-Arn"],
            get_remaining_time_in_millis=lambda: 10_000,
        )
        try:
            path, body = "response", handler(event, context)
        except Exception as error:  # noqa: BLE001 - whatever it is, Lambda reports it and goes on
            path = "error"
            body = {"errorType": type(error).__name__, "errorMessage": str(error), "stackTrace": traceback.format_exc().splitlines()}
        api.request("POST", f"{PATH}invocation/{request_id}/{path}", json.dumps(body), {"content-type": "application/json"})
        api.getresponse().read()


main()
