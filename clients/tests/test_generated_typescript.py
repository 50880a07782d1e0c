"""The TypeScript client (typescript-fetch) that openapi-generator makes of the document, as it comes."""

import json
from pathlib import Path
from typing import Any

import pytest
import truth
from generators import generate
from programs import CLIENTS, NODE_MODULES, program, run

CONFIGURED = {
    "compilerOptions": {
        "strict": True,
        "target": "es2022",
        "module": "commonjs",
        "lib": ["es2022", "dom"],
        "types": ["node"],
        "typeRoots": [str(CLIENTS / "node_modules" / "@types")],
        "outDir": "made",
    },
    "include": ["**/*.ts"],
}
PROGRAM = """
import { Configuration, ConflictPositionsApi, DatasetsApi, ExportsApi, ResponseError } from "./index";
import { ProblemFromJSON, type ExportsRow } from "./index";

const configuration = new Configuration({ basePath: process.argv[2] });
const api = new ExportsApi(configuration);

async function everything() {
    const lists = await api.exportsRecords({ where: [LISTED], sort: SORT });
    const conditions = await api.exportsRecords({ where: CONDITIONS, limit: 1000 });
    const pages: ExportsRow[] = [];
    for (let cursor: string | undefined, more = true; more; ) {
        const page = await api.exportsRecords({ limit: 200, cursor });
        pages.push(...page.data);
        const next: string | null | undefined = page.links["next"];
        more = Boolean(next);
        cursor = new URLSearchParams(next?.split("?")[1]).get("cursor") ?? undefined;
    }
    const csv = await new DatasetsApi(configuration).recordsCsv({ dataset: "exports" });
    const problem = await api.exportsRecords({ where: ["yaer__gte=2007"] }).then(
        () => undefined,
        async (error: ResponseError) => ProblemFromJSON(await error.response.json()),
    );
    return { lists: lists.data, conditions: conditions.data, pages, csv, hint: problem?.errors?.[0]?.didYouMean };
}

const row = () => new ConflictPositionsApi(configuration).conflictPositionsRecord({ key: KEY });

(process.argv[3] === "row" ? row().then((found) => found.data.says) : everything()).then((found) =>
    console.log(JSON.stringify(found)),
);
"""


@pytest.fixture(scope="module")
def made(server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client and a program that uses it, compiled."""
    folder = generate("typescript-fetch", server, tmp_path_factory.mktemp("typescript"))
    words = {"LISTED": f"indicator__in={','.join(truth.LISTED)}", "SORT": truth.SORT}
    words |= {"CONDITIONS": truth.CONDITIONS, "KEY": ",".join(truth.POSITION)}
    constants = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in words.items())
    (folder / "program.ts").write_text(constants + PROGRAM)
    (folder / "tsconfig.json").write_text(json.dumps(CONFIGURED))
    run(NODE_MODULES / "tsc", "--project", ".", cwd=folder)
    return folder


def said(made: Path, server: str, *words: str) -> Any:
    return json.loads(run(program("node"), "made/program.js", server, *words, cwd=made))


def test_lists_conditions_pages_files_and_errors(made: Path, server: str) -> None:
    found = said(made, server)
    assert truth.figures(found["lists"]) == truth.of_the_list()
    assert truth.figures(found["conditions"]) == truth.of_the_conditions()
    assert truth.figures(found["pages"]) == truth.all_exports()
    assert found["csv"].encode() == (truth.release() / "data" / "exports.csv").read_bytes()
    assert found["hint"] == "year__gte"


def test_a_row_by_its_compound_key(made: Path, server: str) -> None:
    assert said(made, server, "row") == truth.position()["says"]
