"""What the bare applications send: 5 KB, and as many bytes as Lantern's page has."""

import os
from pathlib import Path

BODIES = {"/small": b'{"data":"' + b"x" * (5 * 1024 - 12) + b'"}\n'}
if "BENCH_PAGE" in os.environ:
    BODIES["/page"] = Path(os.environ["BENCH_PAGE"]).read_bytes()
