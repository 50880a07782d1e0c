"""The questions, each as every target is asked it: what is compared stands here, not in code."""

import itertools
import random

from bench.tables import CATEGORIES, COUNTRIES, YEARS

LEAN = "_nofacet=1&_nosuggest=1&_nocount=1&_shape=objects"
RECORDS = "/v1/datasets/figures/records"
AGGREGATE = "/v1/datasets/figures/aggregate"
FACETS = "/v1/datasets/figures/facets"

# One page of 100 rows, the same each time.
PAGE = {
    "lantern": f"{RECORDS}?limit=100",
    "datasette": f"/peers/figures.json?_size=100&{LEAN}",
    "fastapi": "/figures?limit=100",
    "roapi": "/api/tables/figures?limit=100",
}

# A page of 100 rows under two equality filters, sorted: {a}, {b} name the fields, {x}, {y} their values
# ({xq}, {yq} in quotes where they are texts).
FILTERED = {
    "lantern": f"{RECORDS}?{{a}}={{x}}&{{b}}={{y}}&sort={{minus}}{{sort}}&limit=100",
    "datasette": f"/peers/figures.json?{{a}}={{x}}&{{b}}={{y}}&_sort{{desc}}={{sort}}&_size=100&{LEAN}",
    "fastapi": "/figures?{a}={x}&{b}={y}&sort={minus}{sort}&limit=100",
    "roapi": "/api/tables/figures?filter[{a}]={xq}&filter[{b}]={yq}&sort={minus}{sort}&limit=100",
}

WHOLE_CSV = {"lantern": f"{RECORDS}.csv", "nginx": "/figures.csv"}
# Half of the years, so half of the rows.
HALF = YEARS.start + len(YEARS) // 2
HALF_CSV = {
    "lantern": f"{RECORDS}.csv?year__lt={HALF}&country__ne=AKX",
    "datasette": f"/peers/figures.csv?year__lt={HALF}&country__not=AKX&_stream=on&_size=max",
}
OTHER_HALF_CSV = {name: path.replace("year__lt", "year__gte") for name, path in HALF_CSV.items()}

VALUES = {"country": COUNTRIES, "category": CATEGORIES, "year": YEARS}
SORTS = ("id", "day", "value", "note", "standing")


def never_asked(target: str) -> list[str]:
    """Some 36,000 different filtered pages, in one shuffled order for all targets."""
    directions = ({"minus": "", "desc": ""}, {"minus": "-", "desc": "_desc"})
    found = [
        FILTERED[target].format(a=a, x=x, xq=_quoted(x), b=b, y=y, yq=_quoted(y), sort=sort, **direction)
        for a, b in itertools.combinations(VALUES, 2)
        for x in VALUES[a]
        for y in VALUES[b]
        for sort in SORTS
        for direction in directions
    ]
    random.Random(20090405).shuffle(found)
    return found


def _quoted(value: object) -> str:
    return str(value) if isinstance(value, int) else f"%27{value}%27"
