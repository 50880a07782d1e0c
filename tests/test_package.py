"""A package is read as it is, wherever it comes from, and its tables are written as plain CSV."""

import gzip
import json
import lzma
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packages import table, write

from api.package import PackageError, open_source, places, validate, write_csv


def described(folder: Path, resources: list[dict[str, Any]], name: str = "datapackage.json", **words: Any) -> Path:
    """A descriptor without anything else."""
    (folder / name).write_text(json.dumps({"name": "small", "resources": resources, **words}), encoding="utf-8")
    return folder


def fields(*names: str) -> dict[str, Any]:
    """A schema of fields written "name" (text) or "name:type"."""
    return {"fields": [dict(zip(("name", "type"), (*n.split(":"), "string"), strict=False)) for n in names]}


def written(path: Path, name: str | None = None) -> str:
    """A table of a package as plain CSV; the package must be valid."""
    report = validate(path)
    assert report.valid, report.text()
    with open_source(path) as source:
        found = source.package.table(name) if name else source.package.tables[0]
        assert found is not None
        target = path.parent / "written.csv"
        write_csv(source, found, target)
        return target.read_bytes().decode("utf-8")


def test_a_plain_table_is_copied_byte_for_byte(tmp_path: Path) -> None:
    folder = write(tmp_path, table("t", ["id", "x"], [["a", "1"]]))
    content = b'id,x\r\n"a","1, or 2"\r\nb,\r\n'
    (folder / "data/t.csv").write_bytes(content)
    assert written(folder).encode() == content


def test_a_v1_package_is_lifted_to_v2(tmp_path: Path) -> None:
    schema = {
        "fields": [{"name": "id"}, {"name": "parent", "type": "string"}],
        "primaryKey": "id",
        "foreignKeys": [{"fields": "parent", "reference": {"resource": "", "fields": "id"}}],
    }
    resource = {"name": "t", "path": ["t.csv"], "profile": "tabular-data-resource", "schema": schema}
    (tmp_path / "t.csv").write_text("id,parent\na,\nb,a\n")
    described(tmp_path, [resource], profile="tabular-data-package", contributors=[{"title": "N", "role": "author"}])
    assert validate(tmp_path).valid
    with open_source(tmp_path) as source:
        package = source.package
    lifted = package.descriptor
    assert lifted["$schema"] == "https://datapackage.org/profiles/2.0/datapackage.json"
    assert "profile" not in lifted
    assert lifted["contributors"] == [{"title": "N", "roles": ["author"]}]
    assert (lifted["resources"][0]["path"], lifted["resources"][0]["type"]) == ("t.csv", "table")
    (found,) = package.tables
    assert found.schema["primaryKey"] == ["id"]
    assert found.schema["foreignKeys"] == [{"fields": ["parent"], "reference": {"resource": "t", "fields": ["id"]}}]
    assert found.field("id").type == "string"


@pytest.mark.parametrize("name", ["datapackage.yaml", "datapackage.yml"])
def test_a_yaml_descriptor_is_read_and_its_dates_stay_text(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(
        "name: small\ncreated: 2026-11-24T00:00:00Z\nversion: 1.0.0\nresources:\n"
        "- name: t\n  path: t.csv\n  schema:\n    fields:\n    - {name: id, type: string}\n"
    )
    (tmp_path / "t.csv").write_text("id\na\n")
    assert written(tmp_path) == "id\na\n"
    with open_source(tmp_path / name) as source:
        assert source.package.created == "2026-11-24T00:00:00Z"
        assert source.descriptor_path == tmp_path / name


def test_schemas_and_dialects_are_read_from_their_files(tmp_path: Path) -> None:
    (tmp_path / "schema.yaml").write_text("fields: [{name: id, type: integer}]\n")
    (tmp_path / "dialect.json").write_text('{"header": false}')
    (tmp_path / "t.csv").write_text("1\n2\n")
    described(tmp_path, [{"name": "t", "path": "t.csv", "schema": "schema.yaml", "dialect": "dialect.json"}])
    assert written(tmp_path) == "id\n1\n2\n"


def test_inline_data_becomes_text_that_can_be_read_again(tmp_path: Path) -> None:
    row = {
        "id": 1,
        "share": 0.0000001,
        "whole": 3.0,
        "is": True,
        "list": ["a", "b"],
        "object": {"ñ": [1, None]},
        "point": [-99.5, 19],
        "no": None,
    }
    schema = fields("id:integer", "share:number", "whole:integer", "is:boolean", "list:array", "object:object",
                    "point:geopoint", "no:string")  # fmt: skip
    described(tmp_path, [{"name": "t", "data": [row], "schema": schema}])
    assert written(tmp_path) == (
        'id,share,whole,is,list,object,point,no\n1,0.0000001,3,true,"[""a"", ""b""]","{""ñ"": [1, null]}","-99.5,19",\n'
    )


def test_inline_rows_may_be_lists_and_may_be_none(tmp_path: Path) -> None:
    schema = fields("id:integer")
    tables = {"t": [["id"], [1]], "u": []}
    described(tmp_path, [{"name": name, "data": data, "schema": schema} for name, data in tables.items()])
    assert (written(tmp_path, "t"), written(tmp_path, "u")) == ("id\n1\n", "id\n")


@pytest.mark.parametrize(
    ("name", "pack", "words"),
    [
        ("t.csv.gz", gzip.compress, {}),
        ("t.csv.xz", lzma.compress, {}),
        ("t.gz", gzip.compress, {"format": "csv", "compression": "gz"}),
    ],
)
def test_a_packed_file_is_unpacked(tmp_path: Path, name: str, pack: Any, words: dict[str, str]) -> None:
    (tmp_path / name).write_bytes(pack(b"id\na\n"))
    described(tmp_path, [{"name": "t", "path": name, "schema": fields("id"), **words}])
    assert written(tmp_path) == "id\na\n"


def test_a_zipped_table_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.csv.zip", "w") as archive:
        archive.writestr("other.csv", "id\nb\n")
        archive.writestr("inner.csv", "id\na\n")
    described(tmp_path, [{"name": "t", "path": "t.csv.zip", "innerpath": "inner.csv", "schema": fields("id")}])
    assert written(tmp_path) == "id\na\n"


def test_a_table_in_several_files_is_joined(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_bytes(b"\xef\xbb\xbfid,x\na,1")
    (tmp_path / "2.csv").write_bytes(b"\xef\xbb\xbfid,x\r\nb,2\r\n")
    (tmp_path / "3.csv").write_bytes(b"c,3\n")
    described(tmp_path, [{"name": "t", "path": ["1.csv", "2.csv", "3.csv"], "schema": fields("id", "x:integer")}])
    assert written(tmp_path) == "id,x\na,1\nb,2\nc,3\n"


def test_an_error_in_one_of_several_files_names_that_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("id,x\na,1\n")
    (tmp_path / "2.csv").write_text("id,x\nb,2\nc,no\n")
    (tmp_path / "3.csv").write_text("d,4\ne,no\n")
    described(tmp_path, [{"name": "t", "path": ["1.csv", "2.csv", "3.csv"], "schema": fields("id", "x:integer")}])
    assert [(e.file, e.row, e.value) for e in validate(tmp_path).errors] == [("2.csv", 3, "no"), ("3.csv", 2, "no")]


@pytest.mark.parametrize(
    ("content", "dialect"),
    [
        ("id;x\na;1,5\n", {"delimiter": ";"}),
        ("id;x\na;1,5\n", None),
        ("id\tx\na\t1,5\n", None),
        ("id|x\na|'1,5'\n", {"delimiter": "|", "quoteChar": "'"}),
        ('# a remark\nid, x\na, "1,5"\n', {"skipInitialSpace": True, "commentChar": "#", "headerRows": [2]}),
        ("ID;X\na;1,5\n", {"delimiter": ";", "caseSensitiveHeader": False}),
    ],
)
def test_another_dialect_becomes_plain_csv(tmp_path: Path, content: str, dialect: dict[str, Any] | None) -> None:
    (tmp_path / "t.csv").write_text(content)
    schema = {"fields": [{"name": "id"}, {"name": "x", "type": "number", "decimalChar": ","}]}
    resource = {"name": "t", "path": "t.csv", "schema": schema, **({"dialect": dialect} if dialect else {})}
    described(tmp_path, [resource])
    assert written(tmp_path) == 'id,x\na,"1,5"\n'


def test_a_comma_is_never_taken_for_something_else(tmp_path: Path) -> None:
    content = "id,x\n" + "".join(f"{n},one; two; three | {n}\n" for n in range(9))
    (tmp_path / "t.csv").write_text(content)
    described(tmp_path, [{"name": "t", "path": "t.csv", "schema": fields("id", "x"), "encoding": "ascii"}])
    assert written(tmp_path) == content


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-8-sig"])
def test_another_encoding_becomes_utf_8(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "t.csv").write_bytes("id,x\na,peñón\n".encode(encoding))
    described(tmp_path, [{"name": "t", "path": "t.csv", "encoding": encoding, "schema": fields("id", "x")}])
    assert written(tmp_path) == "id,x\na,peñón\n"


def test_the_text_of_cells_survives_rewriting(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('id;x;y\n007;1.50;" two\nlines "\n')
    described(tmp_path, [{"name": "t", "path": "t.csv", "schema": fields("id", "x:number", "y")}])
    assert written(tmp_path) == 'id,x,y\n007,1.50," two\nlines "\n'


def test_fields_may_be_matched_by_name(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("extra,x,id\n9,1,a\n")
    schema = {**fields("id", "x:integer"), "fieldsMatch": ["subset"]}
    v2 = "https://datapackage.org/profiles/2.0/datapackage.json"
    described(tmp_path, [{"name": "t", "path": "t.csv", "schema": schema}], **{"$schema": v2})
    assert written(tmp_path) == "id,x\na,1\n"


@pytest.mark.parametrize(
    "name", ["año y día.csv", "数据 #1.csv", "100%.csv", "a?b [1].csv", "$x.csv", "{a}.csv", "a:b.csv", "*.csv"]
)
def test_names_may_hold_spaces_and_other_letters(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("id;día ñ\n1;x\n", encoding="utf-8")
    resource = {"name": "数据 Ñ", "path": name, "schema": fields("id:integer", "día ñ")}
    described(tmp_path, [resource, {"name": "u", "path": name, "schema": fields("id", "día ñ")}])
    assert written(tmp_path, "数据 Ñ") == "id,día ñ\n1,x\n"


def test_a_schema_is_inferred_that_fits_every_row(tmp_path: Path) -> None:
    rows = "".join(f"{n},{n},{n:03},2001-01-{n % 28 + 1:02}\n" for n in range(300))
    (tmp_path / "t.csv").write_text(f"id,mixed,code,day\n{rows}300,n/a,300,2001-01-01\n")
    described(tmp_path, [{"name": "t", "path": "t.csv"}])
    assert validate(tmp_path).valid
    with open_source(tmp_path) as source:
        (found,) = source.package.tables
    assert [(f.name, f.type) for f in found.fields] == [
        ("id", "integer"),
        ("mixed", "string"),
        ("code", "string"),
        ("day", "date"),
    ]


def test_what_is_no_table_is_offered_as_a_file(tmp_path: Path) -> None:
    write(tmp_path, table("t", ["id"], [["a"]]))
    (tmp_path / "data/paper.pdf").write_bytes(b"%PDF")
    descriptor = json.loads((tmp_path / "datapackage.json").read_text())
    descriptor["resources"].append({"name": "paper", "path": "data/paper.pdf", "mediatype": "application/pdf"})
    (tmp_path / "datapackage.json").write_text(json.dumps(descriptor))
    report = validate(tmp_path)
    assert (report.valid, report.warnings) == (True, ())
    with open_source(tmp_path) as source:
        assert list(places(source)) == ["data/paper.pdf"]
        assert [t.name for t in source.package.tables] == ["t"]
        assert source.package.descriptor["resources"][1]["mediatype"] == "application/pdf"


@pytest.mark.parametrize("top", ["", "small-1.0/"])
def test_a_zip_holds_its_package_at_its_root_or_in_one_folder(tmp_path: Path, top: str) -> None:
    folder = write(tmp_path / "package", table("t", ["id"], [["a"]]))
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, top + file.relative_to(folder).as_posix())
    assert written(tmp_path / "p.zip") == "id\na\n"


@pytest.mark.parametrize("entry", ["../out.csv", "/out.csv", "a/../../out.csv", "..\\out.csv"])
def test_a_zip_that_leads_out_of_itself_is_refused(tmp_path: Path, entry: str) -> None:
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.writestr("datapackage.json", "{}")
        archive.writestr(entry, "id\n")
    with pytest.raises(PackageError, match="escapes the archive"), open_source(tmp_path / "p.zip"):
        pass


def test_open_source_tells_everything_that_cannot_be_read(tmp_path: Path) -> None:
    described(tmp_path, [{"name": "t", "path": "gone.csv"}, {"name": "u", "path": "../u.csv"}])
    with pytest.raises(PackageError) as caught, open_source(tmp_path):
        pass
    assert [(p.resource, p.type) for p in caught.value.findings] == [("t", "missing-file"), ("u", "unsafe-path")]
    assert str(caught.value).splitlines() == [
        'datapackage.json: the file "gone.csv" does not exist (expected: an existing file)',
        'datapackage.json: the file "../u.csv" leads out of the package (expected: a path inside its folder)',
    ]
