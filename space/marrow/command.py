"""The one way in which the project's commands read their arguments and end."""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from marrow.errors import MarrowError

Work = Callable[[argparse.Namespace], int | None]


class Command(argparse.ArgumentParser):
    """A command line; arguments that it cannot take end in one line on standard error and exit code 2.

    Args:
        prog: what the command is called in its errors and its help, as ``"marrow"``.
        doc: docstring of its module: the first paragraph is what ``--help`` says first, the rest, with an example of
            the call, what it says last. A subcommand takes it too: ``add_parser("analyze", help=…, doc=…)``.
    """

    def __init__(self, prog: str, doc: str | None = None) -> None:
        description, _, more = (doc or "").strip().partition("\n\n")
        layout = argparse.RawDescriptionHelpFormatter
        super().__init__(prog, description=description, epilog=more, formatter_class=layout)

    def error(self, message: str) -> NoReturn:
        """End with what is wrong with the arguments."""
        self.exit(2, f"{self.prog.split()[0]}: {message} (see {self.prog} --help)\n")

    def run(self, work: Work, arguments: Sequence[str] | None = None) -> int:
        """Parse the arguments and do the work.

        Args:
            work: takes the parsed arguments and returns the exit code, or ``None`` for 0.
            arguments: the command line without the program's name; ``sys.argv`` when ``None``.

        Returns:
            The exit code: that of the work, 2 after a :class:`MarrowError`, which is printed in one line, or 130 after
            Ctrl-C.
        """
        options = self.parse_args(arguments)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # for file names that are not UTF-8
        try:
            code = work(options) or 0
            if sys.stdout:
                sys.stdout.flush()
            return code
        except MarrowError as error:
            print(f"{self.prog}: {error}", file=sys.stderr, flush=True)
            return 2
        except KeyboardInterrupt:
            return 130
        except OSError as error:
            if error.filename is not None or error.errno not in (errno.EPIPE, errno.ENOSPC, errno.EBADF):
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still to be written would fail once more
            if error.errno == errno.EPIPE:  # whoever read it has seen enough
                return 141
            print(f"{self.prog}: the output cannot be written ({error.strerror}).", file=sys.stderr, flush=True)
            return 2
