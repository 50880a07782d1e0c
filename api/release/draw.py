"""Draws Vega-Lite documents: a program of its own, so that time zone, locale and memory are its own too.

It reads {path: document} from its standard input and writes path.svg and path.png. No data and no fonts are fetched. An
SVG says what it shows, to screen readers and where it is opened alone.
"""

import json
import sys
from pathlib import Path
from xml.sax.saxutils import escape

SCALE = 2


def main() -> None:
    import vl_convert

    for path, document in json.load(sys.stdin).items():
        tag, end, drawing = vl_convert.vegalite_to_svg(document, allowed_base_urls=[]).partition(">")
        title = " ".join(" ".join(document["title"]["text"]).split())
        words = f"<title>{escape(title)}</title><desc>{escape(document['description'])}</desc>"
        Path(f"{path}.svg").write_text(f'{tag} role="img"{end}{words}{drawing}\n', encoding="utf-8", newline="\n")
        Path(f"{path}.png").write_bytes(vl_convert.vegalite_to_png(document, scale=SCALE, allowed_base_urls=[]))


if __name__ == "__main__":
    main()
