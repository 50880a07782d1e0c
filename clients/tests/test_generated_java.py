"""The Java client (native) that openapi-generator makes of the document: it compiles and asks."""

import re
from pathlib import Path

import pytest
import truth
from generators import BIN, generate
from programs import program, run

# javac refuses more; a long and a double take two.
MOST_PARAMETERS = 255


@pytest.fixture(scope="module")
def jar() -> Path:
    """The generator's own, which holds the libraries that its client needs (Jackson)."""
    [found] = BIN.parent.glob("lib/python*/site-packages/openapi_generator_cli/*.jar")
    return found


@pytest.fixture(scope="module")
def sources(server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without two libraries that are not in the jar: marks of what was generated; null and nothing told apart."""
    folder = tmp_path_factory.mktemp("java")
    templates = folder / "templates"
    templates.mkdir()
    (templates / "generatedAnnotation.mustache").touch()
    options = ["--library", "native", "--template-dir", templates, "--additional-properties", "openApiNullable=false"]
    return generate("java", server, folder, *options) / "src" / "main" / "java" / "org" / "openapitools" / "client"


@pytest.fixture(scope="module")
def classes(sources: Path, jar: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classes")
    run(program("javac"), "-nowarn", "-proc:none", "-cp", jar, "-d", folder, *sources.rglob("*.java"))
    return folder


def signature(sources: Path, method: str) -> list[str]:
    """The names of a method's parameters, in its shortest form."""
    [api] = [path for path in (sources / "api").glob("*.java") if f" {method}(" in path.read_text("utf-8")]
    [first, *_] = re.findall(rf"public \w+ {method}\((.*?)\) throws", api.read_text("utf-8"))
    return re.findall(r"(\w+)(?:,|$)", re.sub(r"<[^>]*>", "", first))


def asked(sources: Path, method: str, **given: str) -> str:
    """A call with what is given, and null for all else, as Java has no parameters by name."""
    names = signature(sources, method)
    assert set(given) <= set(names)
    return f"{method}({', '.join(given.get(name, 'null') for name in names)})"


def said(code: str, classes: Path, jar: Path, server: str) -> str:
    """What the body of a main method prints."""
    text = f"""
        import java.util.*;
        import org.openapitools.client.*;
        import org.openapitools.client.api.*;
        public class Program {{
            public static void main(String[] arguments) throws Exception {{
                ApiClient client = new ApiClient();
                client.updateBaseUri("{server}");
                {code}
            }}
        }}
    """
    path = classes / "Program.java"
    path.write_text(text)
    return run(program("java"), "-cp", f"{jar}:{classes}", path)


def test_no_method_has_more_parameters_than_java_takes(sources: Path) -> None:
    texts = [path.read_text("utf-8") for path in (sources / "api").glob("*Api.java")]
    widest = [
        parameters.count("@javax") for text in texts for parameters in re.findall(r"public .*?\((.*?)\) throws", text)
    ]
    assert 20 < max(widest) < MOST_PARAMETERS / 2


def test_a_list_in_a_condition_and_a_list_of_fields(sources: Path, classes: Path, jar: Path, server: str) -> None:
    sort = ", ".join(f'"{name}"' for name in truth.SORT)
    where = f'List.of("indicator__in={",".join(truth.LISTED)}")'
    call = asked(sources, "exportsRecords", where=where, sort=f"List.of({sort})")
    code = f"new ExportsApi(client).{call}.getData().forEach(row -> System.out.println(row.getId()));"
    assert said(code, classes, jar, server).split() == [figure[0] for figure in truth.of_the_list()]


def test_a_row_by_its_compound_key(sources: Path, classes: Path, jar: Path, server: str) -> None:
    call = asked(sources, "conflictPositionsRecord", key=f'"{",".join(truth.POSITION)}"')
    code = f"System.out.println(new ConflictPositionsApi(client).{call}.getData().getSays());"
    assert said(code, classes, jar, server).strip() == truth.position()["says"]


def test_an_error_is_an_exception_with_the_problem(sources: Path, classes: Path, jar: Path, server: str) -> None:
    call = asked(sources, "exportsRecords", where='List.of("yaer__gte=2007")')
    code = f"""
        try {{ new ExportsApi(client).{call}; }}
        catch (ApiException error) {{
            var problem = client.getObjectMapper().readValue(
                error.getResponseBody(), org.openapitools.client.model.Problem.class);
            System.out.println(error.getCode() + " " + problem.getErrors().get(0).getDidYouMean());
        }}
    """
    assert said(code, classes, jar, server).strip() == "400 year__gte"
