"""The questions, each as every target is asked it: what is compared stands here, not in code."""

import itertools
import random

from bench.tables import CATEGORIES, COUNTRIES, YEARS

LEAN = "_nofacet=1&_nosuggest=1&_nocount=1&_shape=objects"
RECORDS = "/v1/datasets/figures/records"
AGGREGATE = "/v1/datasets/figures/aggregate"

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

# Sum and count by year under one filter.
SQL = "select+year,+sum(value),+count(*)+from+figures+where+{a}+=+:x+group+by+year"
BY_YEAR = {
    "lantern": f"{AGGREGATE}?group_by=year&measure=sum:value,count&{{a}}={{x}}",
    "datasette": f"/peers.json?sql={SQL}&x={{x}}&_shape=objects",
    "fastapi": "/years?{a}={x}",
}

# The whole table grouped, asked once of a server that has just started.
WHOLE_GROUPS = {
    "by year": f"{AGGREGATE}?group_by=year&measure=sum:value,count",
    "by country": f"{AGGREGATE}?group_by=country&measure=sum:value,count",
    "by category and year": f"{AGGREGATE}?group_by=category,year&measure=sum:value,count&limit=1000",
    "average, least and most by standing": f"{AGGREGATE}?group_by=standing&measure=avg:value,min:value,max:value",
    "facets of country and standing": "/v1/datasets/figures/facets?facet=country,standing",
}

WHOLE_CSV = {"lantern": f"{RECORDS}.csv", "nginx": "/figures.csv"}
# Half of the years, so half of the rows.
HALF = YEARS.start + len(YEARS) // 2
HALF_CSV = {
    "lantern": f"{RECORDS}.csv?year__lt={HALF}&country__ne=AKX",
    "datasette": f"/peers/figures.csv?year__lt={HALF}&country__not=AKX&_stream=on&_size=max",
}

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


def by_year(target: str) -> list[str]:
    """Seventy different sums by year."""
    return [BY_YEAR[target].format(a=a, x=x) for a in ("country", "category") for x in VALUES[a]]
