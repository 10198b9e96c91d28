"""Runs several commands in one process, which imports their libraries once.

Reads a JSON list of commands from the standard input, each a list of a module and its arguments, and prints a JSON list
with the exit code and the standard error of each.
"""

from __future__ import annotations

import contextlib
import io
import json
import runpy
import sys
import traceback


def run(module: str, *arguments: str) -> tuple[int, str]:
    """Run a module as a script; return its exit code and what it wrote to the standard error."""
    sys.argv = [module, *arguments]
    error = io.StringIO()
    with contextlib.redirect_stderr(error), contextlib.redirect_stdout(io.StringIO()):
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=False)
            code: object = 0
        except SystemExit as ended:
            code = ended.code
        except Exception:
            traceback.print_exc()
            code = 1
    return code if isinstance(code, int) else 1, error.getvalue()


if __name__ == "__main__":
    done = [run(*command) for command in json.load(sys.stdin)]
    print(json.dumps(done))
