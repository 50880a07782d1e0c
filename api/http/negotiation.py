"""What a client likes best: Accept and Accept-Encoding (RFC 9110, 12.5)."""

import re
from collections.abc import Iterable
from functools import lru_cache

from werkzeug.http import parse_list_header, parse_options_header

from api.http.compression import ENCODINGS

_WEIGHT = re.compile(r"[0-9]+\.?[0-9]*|\.[0-9]+").fullmatch


def weights(header: str) -> dict[str, float]:
    """The weight of each name in an Accept or Accept-Encoding header; 1 where it cannot be read.

    Parameters tell no two formats apart here: a charset, which some clients always send, changes nothing. That is why
    werkzeug's own best_match, which compares parameters, does not do.
    """
    weight_of: dict[str, float] = {}
    for entry in parse_list_header(header):
        name, options = parse_options_header(entry)
        weight = min(1.0, float(options["q"])) if _WEIGHT(options.get("q", "")) else 1.0
        weight_of[name.lower()] = max(weight_of.get(name.lower(), 0.0), weight)
    return weight_of


@lru_cache(maxsize=128)
def best_encoding(accepted: str) -> str:
    """The best encoding that an Accept-Encoding header allows, '' for none.

    A star means gzip: who sends it knows gzip, and few of them the others (RFC 9110, 12.5.3 leaves the choice to us).
    """
    weight_of = weights(accepted) if accepted else {}
    if "*" in weight_of:
        weight_of.setdefault("gzip", weight_of["*"])
    best = max(ENCODINGS, key=lambda name: weight_of.get(name, 0.0))
    weight = weight_of.get(best, 0.0)
    return best if weight > 0 and weight >= weight_of.get("identity", 0.0) else ""


def best_type(accepted: str, offered: Iterable[str]) -> str:
    """The media type that an Accept header likes best, '' for none; the first offered wins a tie."""
    weight_of = weights(accepted) or {"*": 1.0}  # a header without a single range is as good as none

    def quality(media_type: str) -> float:
        ranges = (media_type, media_type.partition("/")[0] + "/*", "*/*", "*")
        return next((weight_of[one] for one in ranges if one in weight_of), 0.0)

    best = max(offered, key=quality)
    return best if quality(best) > 0 else ""
