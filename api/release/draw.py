"""Draws Vega-Lite documents: a program of its own, so that time zone, locale, memory and time are its own too.

`draw.py SECONDS MEMORY` limits each chart; MEMORY is bytes that Vega's engine can write to: it reserves more addresses
than it uses. It reads {path: document} from its standard input, writes path.svg and path.png, and names each path
before it draws it on its standard output. A document comes from a stranger: it may hold neither pictures nor addresses
(`fault`), and what draws it has no network, where the system lets go of it, and limits of time, memory and size of
files. An SVG says what it shows, to screen readers and where it is opened alone.
"""

import contextlib
import ctypes
import json
import resource
import signal
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

JSON = Any
SCALE = 2
FILE = 64 * 2**20  # bytes of one drawing
ADDRESSES = ("url", "href", "xlink:href")
# What an SVG of Vega has where a chart is made of shapes and words alone.
SHAPES = {
    *("svg", "g", "defs", "clipPath", "rect", "path", "line", "circle", "text", "tspan", "title", "desc"),
    *("linearGradient", "radialGradient", "stop", "pattern"),
}
_NAMESPACES = 0x10000000 | 0x40000000  # of users, without which a user may not leave the other, and of networks


def fault(document: JSON) -> str:
    """What a Vega-Lite or Vega document must not hold, with its place; '' where there is nothing of it.

    Image marks read files and addresses, whatever `allowed_base_urls` says; `url` and `href` name them. The rows of
    `data` may hold anything.
    """
    return next(_faults(document, ""), "")


def _faults(part: JSON, place: str) -> Iterator[str]:
    if isinstance(part, list):
        for position, each in enumerate(part):
            yield from _faults(each, f"{place}[{position}]")
    if not isinstance(part, dict):
        return
    if "image" in (part.get("mark"), part.get("type")):
        yield f"{place.lstrip('.') or 'it'} is an image mark, which reads pictures from elsewhere"
    for key, each in part.items():
        if key in ADDRESSES:
            yield f"{place}.{key}".lstrip(".") + " leads out of the package: charts hold no addresses"
        rows = key == "values" and place.rpartition(".")[2].partition("[")[0] == "data"
        if not rows:
            yield from _faults(each, f"{place}.{key}")


def _outward(drawing: str) -> str:
    """What in an SVG leads out of it: a value of the data can be taken for a colour, `url(…)` among them."""
    for element in ElementTree.fromstring(drawing).iter():  # nosec B314 # expat limits entities
        name = element.tag.rpartition("}")[2]
        if name not in SHAPES:
            return f"a <{name}>"
        for attribute, value in element.attrib.items():
            words = attribute.startswith("aria-")
            if attribute.rpartition("}")[2] == "href" or not words and "url(" in value.replace("url(#", "").lower():
                return f"{attribute}={value!r} of a <{name}>"
    return ""


def _confined(memory: int) -> None:
    """Gives up the network, and sets the limits; libraries come after this, and inherit it."""
    with contextlib.suppress(OSError, AttributeError):  # not every system has this, or allows it
        ctypes.CDLL(None).unshare(_NAMESPACES)
    for kind, most in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_FSIZE, FILE), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


def _write(path: str, drawing: bytes) -> None:
    if len(drawing) > FILE:
        sys.exit(f"its drawing has {len(drawing):,} bytes (expected: at most {FILE:,})")
    Path(path).write_bytes(drawing)


def main() -> None:
    """Draws each document of the standard input. Ends with a message, or by the signal of a limit."""
    drawings, (seconds, memory) = json.load(sys.stdin), map(int, sys.argv[1:])
    _confined(memory)
    import vl_convert

    for path, document in drawings.items():
        print(path, flush=True)
        signal.alarm(seconds)  # nobody handles it: it ends the program, whatever it is doing
        try:
            if found := fault(vl_convert.vegalite_to_vega(document)):
                sys.exit(found)
            drawing = vl_convert.vegalite_to_svg(document, allowed_base_urls=[])
        except ValueError as error:  # the lines after these are Vega's own
            sys.exit(" ".join(str(error).splitlines()[:2]))
        if found := _outward(drawing):
            sys.exit(f"the drawing has {found}, which leads out of it")
        tag, end, rest = drawing.partition(">")
        title = " ".join(" ".join(document["title"]["text"]).split())
        words = f"<title>{escape(title)}</title><desc>{escape(document['description'])}</desc>"
        _write(f"{path}.svg", f'{tag} role="img"{end}{words}{rest}\n'.encode())
        _write(f"{path}.png", vl_convert.vegalite_to_png(document, scale=SCALE, allowed_base_urls=[]))


if __name__ == "__main__":
    main()
