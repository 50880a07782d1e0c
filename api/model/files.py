"""Names that the program gives: the files of a package, a release and a store, and the tables that it reads by name."""

DESCRIPTOR = "datapackage.json"
README, CHANGELOG, LICENSE, CITATION = TEXTS = ("README.md", "CHANGELOG.md", "LICENSE", "CITATION.cff")
HISTORY = "history"  # the folder of a package that holds its previous versions

MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
CHANGES = "changes.jsonl"
ARCHIVE, DATABASE, WORKBOOK = "package.zip", "package.sqlite", "package.xlsx"

RELEASES = "releases"
WITHDRAWN = "withdrawn"
RELEASE_INDEX = "releases.json"
INDEX_LIST = "index.json"  # what an index holds; see api.index.intact
MIRROR = "mirror.json"  # what a mirror keeps of where and when it copied; see api.mirror

CONFLICTS = "conflicts"
POSITIONS = "conflict_positions"
CORRECTIONS = "corrections"
TOTALS = "sums"
