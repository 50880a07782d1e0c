"""Delimited text is read as its Table Dialect says, and nothing of it is lost, joined or made up without a word.

The rules: RFC 4180 and https://datapackage.org/standard/table-dialect/ . What is said of a table is the report of
`validate` without its last line; what is read is the CSV that a release publishes, empty where the table is refused.
"""

from pathlib import Path
from typing import Any

import pytest
from text_tables import PLAIN, SCHEMA, of, package, read, told

from api.package import open_source
from api.package.tables import delimited, dialects

MENDED = "; lantern format mends this"


# Several files

TWICE = "warning: b.csv:1: the header is written otherwise than in a.csv (expected: id,name)"
NOT_THE_HEADER = "b.csv:1: the header is not the one of a.csv (expected: id,name)"
PARTS: dict[str, tuple[list[str | bytes], dict[str, Any], tuple[str, ...]]] = {
    "a header in each": (["id,name\n1,a\n", "id,name\n2,b\n"], {}, (PLAIN,)),
    "a header in the first": (["id,name\n1,a\n", "2,b\n"], {}, (PLAIN,)),
    "no header": (["1,a\n", "1,a\n2,b\n"], of(header=False), ("id,name\n1,a\n1,a\n2,b\n",)),
    "a header that is quoted": (["id,name\n1,a\n", '"id","name"\n2,b\n'], {}, (PLAIN,)),
    "a header with spaces": (["id,name\n1,a\n", "id, name \n2,b\n"], {}, (PLAIN, TWICE)),
    "a header in capitals": (["id,name\n1,a\n", "ID,Name\n2,b\n"], {}, (PLAIN, TWICE)),
    "another order": (["id,name\n1,a\n", "name,id\nb,2\n"], {}, ("", NOT_THE_HEADER)),
    "another name": (["id,name\n1,a\n", "id,title\n2,b\n"], {}, ("", NOT_THE_HEADER)),
    "a column more": (["id,name\n1,a\n", "id,name,x\n2,b,c\n"], {}, ("", NOT_THE_HEADER)),
    "comments above the header": (["#c\nid,name\n1,a\n", "#d\nid,name\n2,b\n"], of(commentChar="#"), (PLAIN,)),
    "a title above the header": (["T\nid,name\n1,a\n", "T\nid,name\n2,b\n"], of(headerRows=[2]), (PLAIN,)),
    "a title above the first header": (["T\nid,name\n1,a\n", "2,b\n3,c\n"], of(headerRows=[2]),
        ("", "b.csv:2: the header is not the one of a.csv (expected: id,name)")),
    "a title above the first header that is a comment": (["T\nid,name\n1,a\n", "2,b\n3,c\n"], of(commentRows=[1]),
        ("", "b.csv:2: the header is not the one of a.csv (expected: id,name)")),
    "one row in place of a title": (["T\nid,name\n1,a\n", "2,b\n"], of(headerRows=[2]),
        ("", "b.csv:1: the header is not where the dialect says (expected: labels in the rows [2])")),
    "a byte order mark in each": ([b"\xef\xbb\xbfid,name\n1,a\n", b"\xef\xbb\xbfid,name\n2,b\n"], {}, (PLAIN,)),
    "CRLF in one": (["id,name\r\n1,a\r\n", "id,name\n2,b\n"], {}, (PLAIN,)),
    "no last line end": (["id,name\n1,a", "id,name\n2,b"], {}, (PLAIN,)),
    "an empty first file": (["", "id,name\n1,a\n2,b\n"], {}, (PLAIN,)),
    "an empty file between": (["id,name\n1,a\n", "", "2,b\n"], {}, (PLAIN,)),
    "a file of blank lines": (["id,name\n1,a\n", "\n\n", "2,b\n"], {}, (PLAIN,)),
    "an empty first file without header": (["", "1,a\n2,b\n"], of(header=False), (PLAIN,)),
    "a cell that is a name of a field": (["id,name,x\n1,a,\n", "2,name,\n"],
        {"schema": {"fields": [*SCHEMA["fields"], {"name": "x", "type": "string"}]}},
        ("id,name,x\n1,a,\n2,name,\n", "warning: b.csv:1: the first row is taken for data, although a cell of it "
         "stands in the header too (expected: id,name,x)")),
    "all empty": (["", "\n"], {}, ("", "a.csv: the file is empty (expected: a header, then rows)")),
}  # fmt: skip


@pytest.mark.parametrize("kind", PARTS)
def test_the_files_of_a_table_are_joined_row_by_row(tmp_path: Path, kind: str) -> None:
    parts, words, expected = PARTS[kind]
    assert read(tmp_path, dict(zip(("a.csv", "b.csv", "c.csv"), parts, strict=False)), words) == expected


# Quotes, comments and blank lines

AFTER = "text stands after a closing quote (expected: quotes around the whole cell)"
ROWS: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "a quote that never closes": ('id,name\n1,"5 inch\n2,b\n3,c\n', {},
        ("", "t.csv:2: a quote is opened here and still open at the end of the file (expected: a closing quote)")),
    "a quote that another one closes": ('id,name\n1,"5 inch\n2,b\n3,"c"\n', {},
        ("", "t.csv:2: a quote is opened here and closed on line 4, before more text of the same cell "
         "(expected: a closing quote at the end of the cell)")),
    "text after a closing quote": ('id,name\n1,"a"b\n2,"c" \n', {},
        ("id,name\n1,ab\n2,c \n", f"warning: t.csv:2: {AFTER}", f"warning: t.csv:3: {AFTER}")),
    "a quote in a cell without quotes": ('id,name\n1,5" disk\n', {}, ('id,name\n1,"5"" disk"\n',)),
    "lines in quotes": ('id,name\n1,"a\n\n#b\n"\n2,"b"\n', of(commentChar="#"), ('id,name\n1,"a\n\n#b\n"\n2,b\n',)),
    "a quoted sign of comments": ('id,name\n"1",a\n2,"#b"\n', of(commentChar="#"), ('id,name\n1,a\n2,#b\n',)),
    "a row that begins with a quoted sign": ('name,id\n"#b",2\n', {**of(commentChar="#"),
        "schema": {"fields": [*reversed(SCHEMA["fields"])]}}, ("name,id\n#b,2\n",)),
    "comments between rows": ("id,name\n#\n1,a\n# 9,x\n2,b\n#", of(commentChar="#"), (PLAIN,)),
    "comments of two characters": ("//x\nid,name\n1,a\n2,/b\n", of(commentChar="//"), ("id,name\n1,a\n2,/b\n",)),
    "commentRows": ("x\nid,name\n1,a\nno,2\n2,b\n", of(commentRows=[1, 4]), (PLAIN,)),
    "a line for Excel": ("sep=;\nid;name\n1;a\n2;b\n", {},
        (PLAIN, "warning: t.csv:1: the cells are taken to be separated by semicolons, which no dialect says"
         f"{MENDED} (expected: commas, or the delimiter in the dialect)",
         'warning: t.csv:1: the line "sep=;", which only Excel knows, is left out (expected: the header)')),
    "a line for Excel, and commas": ("sep=,\r\nid,name\r\n1,a\r\n2,b\r\n", {},
        (PLAIN,
         'warning: t.csv:1: the line "sep=,", which only Excel knows, is left out (expected: the header)')),
    "a line for Excel, without a schema": ("sep=|\na\n1;2\n", {"schema": None},
        ("a\n1;2\n", "warning: t.csv:1: the cells are taken to be separated by bars, which no dialect says"
         f"{MENDED} (expected: commas, or the delimiter in the dialect)",
         'warning: t.csv:1: the line "sep=|", which only Excel knows, is left out (expected: the header)')),
    "blank lines at the end": ("id,name\n1,a\n\n\n", {}, ("id,name\n1,a\n",)),
    "blank lines between": ("id,name\n\n\n1,a\n\n2,b\n", {},
        (PLAIN, f"warning: t.csv:4: 2 blank lines are left out before this one{MENDED} (expected: a row, or no line)",
         f"warning: t.csv:6: a blank line is left out before this one{MENDED} (expected: a row, or no line)")),
    "a row of empty cells": ("id,name\n1,a\n,\n", {}, ("id,name\n1,a\n,\n",
        "warning: t.csv:3: all cells of the row are empty; lantern format mends this (expected: a row with a value)")),
    "a row of empty cells and one too many": ("id,name\n,,x\n", {},
        ("", "t.csv:2: the row has 3 cells, the header has 2 (expected: 2 cells)")),
    "a null character": ("id,name\n1,a\0\n", {},
        ("", "t.csv:2: the line holds null characters (expected: text without null characters)")),
    "lines that end in CR": ("id,name\r1,a\r2,b\r", {}, (PLAIN,)),
    "an empty file": ("", {}, ("", "t.csv: the file is empty (expected: a header, then rows)")),
    "only a header": ("id,name\n", {}, ("id,name\n",)),
}  # fmt: skip


@pytest.mark.parametrize("kind", ROWS)
def test_rows_are_where_quotes_comments_and_blank_lines_leave_them(tmp_path: Path, kind: str) -> None:
    content, words, expected = ROWS[kind]
    assert read(tmp_path, {"t.csv": content}, words) == expected


def test_a_null_in_a_table_of_one_column_is_a_quoted_empty_cell(tmp_path: Path) -> None:
    schema = {"fields": [{"name": "v", "type": "string"}]}
    assert read(tmp_path, {"t.csv": 'v\na\n""\nb\n'}, {"schema": schema}) == ('v\na\n""\nb\n',)


def test_an_empty_row_of_a_table_with_a_key_or_a_required_field_is_one_error(tmp_path: Path) -> None:
    required = {
        "fields": [*SCHEMA["fields"][:1], {"name": "name", "type": "string", "constraints": {"required": True}}]
    }
    blank = "t.csv:2: all cells of the row are empty; lantern format mends this (expected: a row with a value)"
    for schema in ({**SCHEMA, "primaryKey": ["id"]}, required):
        assert told(tmp_path, {"t.csv": "id,name\n,\n"}, {"schema": schema}) == [blank]


@pytest.mark.parametrize("content", ["id,name\n\n1,a\n", "id,name\n,\n", 'id,name\n1,"a"b\n', "id;name\n1;a\n"])
def test_what_loses_nothing_and_is_no_good_form_is_an_error_in_a_strict_package(tmp_path: Path, content: str) -> None:
    (line,) = told(tmp_path, {"t.csv": content}, {}, **{"lantern:strict": True})
    assert not line.startswith("warning")
    assert told(tmp_path, {"t.csv": content}, {}) == [f"warning: {line}"]


def test_of_many_places_the_first_are_told_and_the_rest_counted(tmp_path: Path) -> None:
    (line,) = told(tmp_path, {"t.csv": "id,name\n" + '1,"a"b\n' * 105}, {})
    assert line == f"warning: t.csv:2: {AFTER}; and 104 more like it, on lines 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 …"


def test_a_quote_that_takes_too_many_lines_is_not_read_to_the_end(tmp_path: Path) -> None:
    content = 'id,name\n1,"a\n' + "2,b\n" * (delimited.MOST_LINES + 1) + '3,"c"\n'
    (line,) = told(tmp_path, {"t.csv": content}, {})
    still = "a quote is opened here and still open after 100000 lines of 400005 characters"
    assert line == f"t.csv:2: {still} (expected: a closing quote)"


def test_a_line_without_end_is_not_read_to_the_end(tmp_path: Path) -> None:
    (line,) = told(tmp_path, {"t.csv": b"id,name\n1," + b"x" * 70_000_000}, {})
    assert line == "t.csv:2: the line has 67,108,864 characters or more (expected: fewer)"


@pytest.mark.parametrize("end", ["", '"'])
def test_a_row_of_very_many_cells_is_one_error(tmp_path: Path, end: str) -> None:
    (line,) = told(tmp_path, {"t.csv": "id,name\n1,a\n2" + "," * 900_000 + f"{end}b{end}\n"}, {})
    assert line == "t.csv:3: the row has 900,001 cells (expected: at most 102)"


# Dialects

FRUIT = {"fields": [{"name": "fruit id", "type": "integer"}, {"name": "fruit name", "type": "string"}]}
DIALECTS: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "headerRows, the first of them short": ("fruit\nid,name\n1,apple\n", {**of(headerRows=[1, 2]), "schema": FRUIT},
        ("fruit id,fruit name\n1,apple\n",)),
    "headerJoin": ("fruit,fruit\nid,name\n1,apple\n", {**of(headerRows=[1, 2], headerJoin="_"), "schema":
        {"fields": [{"name": "fruit_id"}, {"name": "fruit_name"}]}}, ("fruit_id,fruit_name\n1,apple\n",)),
    "headerRows with other lines between": ("x\nfruit\ny\nid,name\n1,apple\n",
        {**of(headerRows=[2, 4]), "schema": FRUIT}, ("fruit id,fruit name\n1,apple\n",)),
    "headerRows that are comments": ("fruit\n#\n1,apple\n", {**of(headerRows=[2], commentChar="#")},
        ("", "t.csv:3: the header is not where the dialect says (expected: labels in the rows [2])")),
    "headerRows beyond a blank line": ("x\n\nid,name\n1,a\n2,b\n", of(headerRows=[3]), (PLAIN,)),
    "headerCase false": ("ID,Name\n1,a\n2,b\n", of(headerCase=False), (PLAIN,)),
    "caseSensitiveHeader of v1": ("ID,Name\n1,a\n2,b\n", of(caseSensitiveHeader=False), (PLAIN,)),
    "names of before v1": ("id|name\n1|'a|b'\n", of(delimiter="|", quotechar="'", doublequote=True),
        ("id,name\n1,a|b\n",)),
    "nullSequence": ("id,name\n1,apple\n2,NA\n", of(nullSequence="NA"), ("id,name\n1,apple\n2,\n",)),
    "nullSequence where empty text is no null": ("id,name\n1,\n2,\\N\n", {**of(nullSequence="\\N"), "schema":
        {**SCHEMA, "missingValues": ["-"]}}, ("id,name\n1,\n2,-\n",)),
    "quoteChar null": ('id;name\n1;"a\n2;b"\n', of(delimiter=";", quoteChar=None), ('id,name\n1,"""a"\n2,"b"""\n',)),
    "quoteChar of its own": ("id,name\n1,'a, it''s'\n", of(quoteChar="'"), ("id,name\n1,\"a, it's\"\n",)),
    "escapeChar": ('id,name\n1,a\\,b\n2,"c\\"d"\n', of(escapeChar="\\"), ('id,name\n1,"a,b"\n2,"c""d"\n',)),
    "escapeChar without doubleQuote": ('id,name\n1,"a\\"b"\n', of(escapeChar="\\", doubleQuote=False),
        ('id,name\n1,"a""b"\n',)),
    "escapeChar that is the quote": ('id,name\n1,"a""b"\n2,"c"\n', of(escapeChar='"'), ('id,name\n1,"a""b"\n2,c\n',)),
    "one sign for two things": (PLAIN, of(delimiter='"'),
        ("", "datapackage.json: '\"' cannot be both delimiter and quoteChar of the dialect "
         "(expected: two characters)")),
    "skipInitialSpace": ('id, name\n1, "a, b"\n', of(skipInitialSpace=True), ('id,name\n1,"a, b"\n',)),
    "lineTerminator CRLF": ("id,name\r\n1,a\r\n2,b\r\n", of(lineTerminator="\r\n"), (PLAIN.replace("\n", "\r\n"),)),
    "lineTerminator that is none": ("id,name;1,a;2,b", of(lineTerminator=";"),
        ("", "datapackage.json: \"lineTerminator\" of the dialect cannot be ';' "
         "(expected: a line end: LF, CRLF or CR)")),
    "delimiter of two characters": ("id||name\n1||a\n", of(delimiter="||"),
        ("", "datapackage.json: \"delimiter\" of the dialect cannot be '||' (expected: one character)")),
    "delimiter that is no text": ("id,name\n", of(delimiter=5),
        ("", 'datapackage.json: "delimiter" of the dialect cannot be 5 (expected: one character)')),
    "headerRows from 0": ("id,name\n", of(headerRows=[0]),
        ("", 'datapackage.json: "headerRows" of the dialect cannot be [0] (expected: a list of line numbers)')),
    "header that is no flag": ("id,name\n", of(header="yes"),
        ("", "datapackage.json: \"header\" of the dialect cannot be 'yes' (expected: true or false)")),
    "nulls, which say nothing": (PLAIN, of(escapeChar=None, nullSequence=None, commentChar=None), (PLAIN,)),
    "what older programs write": (PLAIN, of(csvddfVersion="1.2", csv={"delimiter": ","}), (PLAIN,)),
}  # fmt: skip


@pytest.mark.parametrize("kind", DIALECTS)
def test_a_dialect_is_obeyed_or_refused(tmp_path: Path, kind: str) -> None:
    content, words, expected = DIALECTS[kind]
    assert read(tmp_path, {"t.csv": content}, words) == expected


def test_a_property_that_delimited_text_does_not_have_is_told(tmp_path: Path) -> None:
    csv, line = read(tmp_path, {"t.csv": PLAIN}, of(skipRows=3))
    assert csv == PLAIN
    assert line.startswith('warning: datapackage.json: "skipRows" of the dialect is unknown and has no effect')


@pytest.mark.parametrize("value", [None, True, 0, -1, 1.5, "", "ab", "\0", "\n", [], ["a"], [True], {}, {"a": 1}])
def test_no_value_in_a_dialect_is_too_much(tmp_path: Path, value: Any) -> None:
    for name in (*dialects.PROPERTIES, *dialects.OF_OTHERS, *dialects.WORDS):
        told(tmp_path, {"t.csv": PLAIN}, of(**{name: value}))


# Where no dialect names the delimiter

NAMES = {";": "semicolons", "\t": "tabs", "|": "bars"}


@pytest.mark.parametrize("sign", NAMES)
def test_another_delimiter_is_found_and_told(tmp_path: Path, sign: str) -> None:
    words = f"the cells are taken to be separated by {NAMES[sign]}, which no dialect says{MENDED}"
    line = f"warning: t.csv:1: {words} (expected: commas, or the delimiter in the dialect)"
    content = f"id{sign}name\n1{sign}a, b\n"
    assert read(tmp_path, {"t.csv": content}, {}) == ('id,name\n1,"a, b"\n', line)
    assert read(tmp_path, {"t.csv": content}, of(delimiter=sign)) == ('id,name\n1,"a, b"\n',)


FOUND = {
    "a name with a comma": ("Population, total;id\n5;1\n", ["Population, total", "id"]),
    "a quoted name with a comma": ('"Population, total";id\n5;1\n', ["Population, total", "id"]),
    "decimal commas in each cell": ("a;b\n1,5;2,5\n1,6;2,6\n", ["a", "b"]),
    "semicolons in text": ("a,b\n1,x;y\n2,z;w\n", ["a", "b"]),
    "one column": ("a b\nx\ny\n", ["a b"]),
    "one column of texts with signs": ("text\na; b; c\nd|e\n", ["text"]),
}


@pytest.mark.parametrize("kind", FOUND)
def test_the_delimiter_is_the_one_that_makes_columns_of_all_rows(tmp_path: Path, kind: str) -> None:
    content, names = FOUND[kind]
    package(tmp_path, {"t.csv": content}, {"schema": None})
    with open_source(tmp_path) as source:
        assert [field.name for field in source.package.tables[0].fields] == names


def test_a_schema_says_which_delimiter_it_is(tmp_path: Path) -> None:
    schema = {"fields": [{"name": "a;b"}, {"name": "c"}]}
    assert read(tmp_path, {"t.csv": "a;b,c\n1;2,3\n"}, {"schema": schema}) == ("a;b,c\n1;2,3\n",)
    assert read(tmp_path, {"t.csv": "1;a\n2;1,5\n"}, of(header=False))[0] == 'id,name\n1,a\n2,"1,5"\n'


def test_a_tsv_has_tabs_and_nothing_is_said(tmp_path: Path) -> None:
    assert read(tmp_path, {"t.tsv": "id\tname\n1\ta,b\n"}, {}) == ('id,name\n1,"a,b"\n',)


# In the descriptor, and by other addresses


@pytest.mark.parametrize("words", [{"format": "csv"}, {"mediatype": "text/csv; charset=utf-8"}])
def test_data_in_the_descriptor_may_be_csv_text(tmp_path: Path, words: dict[str, str]) -> None:
    assert read(tmp_path, {}, {"data": 'id,name\n1,"a\nb"\n', **words}) == ('id,name\n1,"a\nb"\n',)


def test_data_in_the_descriptor_may_be_tsv_text_and_of_a_dialect(tmp_path: Path) -> None:
    words = {"data": "1\ta\n2\tb", "format": "tsv", **of(header=False)}
    assert read(tmp_path, {}, words) == (PLAIN,)


def test_an_error_in_csv_text_names_its_row(tmp_path: Path) -> None:
    lines = told(tmp_path, {}, {"data": "id,name\n1,a\nx,b", "format": "csv"})
    assert lines == ['datapackage.json row 3 field "id": "x" is not a whole number (expected: a whole number)']


def test_url_in_place_of_path_is_the_path(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(PLAIN)
    assert read(tmp_path, {}, {"url": "t.csv", "type": None}) == (PLAIN,)


def test_a_file_without_an_extension_is_what_its_media_type_says(tmp_path: Path) -> None:
    assert read(tmp_path, {"t": PLAIN}, {"mediatype": "text/csv"}) == (PLAIN,)


def test_a_table_without_a_schema_that_cannot_be_read_is_offered_as_a_file_with_a_word(tmp_path: Path) -> None:
    lines = told(tmp_path, {"t.csv": 'a,b\n1,"x\n'}, {"schema": None, "type": None})
    assert lines == [
        "warning: t.csv:2: a quote is opened here and still open at the end of the file (expected: a closing quote)"
    ]
