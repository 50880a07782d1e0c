"""Draws Vega-Lite documents: a program of its own, so that time zone, locale and memory are its own too.

It reads a list of {spec, svg, png} from its standard input. No data and no fonts are fetched.
"""

import json
import sys
from pathlib import Path

SCALE = 2


def main() -> None:
    import vl_convert

    for job in json.load(sys.stdin):
        drawing = vl_convert.vegalite_to_svg(job["spec"], allowed_base_urls=[])
        Path(job["svg"]).write_text(drawing, encoding="utf-8", newline="\n")
        Path(job["png"]).write_bytes(vl_convert.vegalite_to_png(job["spec"], scale=SCALE, allowed_base_urls=[]))


if __name__ == "__main__":
    main()
