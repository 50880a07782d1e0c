"""Names that the program gives: the files of a package, a release and a store, and the tables that it reads by name."""

DESCRIPTOR = "datapackage.json"
README, CHANGELOG, LICENSE, CITATION = TEXTS = ("README.md", "CHANGELOG.md", "LICENSE", "CITATION.cff")
DRAFT = "lantern:draft"  # property of the descriptor of what was never published (lantern preview)
HISTORY = "history"  # the folder of a package that holds its previous versions

MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
CHANGES = "changes.jsonl"
ARCHIVE, DATABASE, WORKBOOK = "package.zip", "package.sqlite", "package.xlsx"
CODEBOOKS = ("codebook.md", "codebook.html")
CITATIONS = ("citation.txt", "citation.bib")
CATALOGUES = ("croissant.json", "dcat.jsonld", "schema-org.jsonld")
REPORTS = ("validation.json", "validation.html")
# All files of a release that do not follow its tables and charts. {} stands for the name of a table or chart.
OWN = (
    *(DESCRIPTOR, *TEXTS, MANIFEST, SUMS, CHANGES, ARCHIVE, DATABASE, WORKBOOK),
    *(*CODEBOOKS, *CITATIONS, *CATALOGUES, *REPORTS),
)
TABLE_FILES = {"csv": "data/{}.csv", "jsonl": "jsonl/{}.jsonl", "parquet": "parquet/{}.parquet"}  # by their format
CHART_FILES = ("charts/{}.vl.json", "charts/{}.svg", "charts/{}.png")

SCRATCH = "lantern-run-"  # how the folders begin that hold the temporary files of a command (api.cli.scratch)
RELEASES = "releases"
WITHDRAWN = "withdrawn"
UNSIGNED = "unsigned"  # of a mirror: what its publisher did not sign, put aside
RELEASE_INDEX = "releases.json"
INDEX_LIST = "index.json"  # what an index holds; see api.index.intact
UPSTREAM = "upstream"  # where a mirror keeps its upstream's metadata, which may be newer than what it has copied
MIRROR = "mirror.json"  # what a mirror keeps of where and when it copied; see api.mirror

CONFLICTS = "conflicts"
POSITIONS = "conflict_positions"
CORRECTIONS = "corrections"
TOTALS = "sums"
