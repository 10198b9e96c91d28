"""Serve a Hub on loopback until interrupted; its address is the first line that it prints.

python -m loopback_hub --port 8900 --user you
"""

import argparse
import signal
import threading
from pathlib import Path

from loopback_hub.server import HubServer


def main() -> None:
    """Serve a Hub until interrupted."""
    parser = argparse.ArgumentParser(prog="loopback_hub", description=(__doc__ or "").replace("\n\n", " Example: "))
    parser.add_argument("--port", type=int, default=0, help="TCP port; 0, the default, takes a free one")
    parser.add_argument("--root", type=Path, help="folder for uploaded bytes; a temporary one by default")
    parser.add_argument("--token", default="hf_tester", help="the access token that may write (%(default)s)")
    parser.add_argument("--user", default="tester", help="the user it belongs to (%(default)s)")
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with HubServer(options.root, options.port, {options.token: options.user}) as hub:
        print(hub.url, flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
