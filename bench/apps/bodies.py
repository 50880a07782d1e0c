"""What the bare applications send: 5 KB, and as many bytes as Lantern's page has, with its headers if asked for."""

import json
import os
from pathlib import Path

BODIES = {"/small": b'{"data":"' + b"x" * (5 * 1024 - 12) + b'"}\n'}
if "BENCH_PAGE" in os.environ:
    BODIES["/page"] = Path(os.environ["BENCH_PAGE"]).read_bytes()
HEADERS = json.loads(Path(os.environ["BENCH_HEADERS"]).read_text()) if "BENCH_HEADERS" in os.environ else {}
