"""What a script on a page of another origin may ask and read: Chromium applies CORS as it does for everybody."""

import json
from typing import Any

import pytest
import truth
from programs import javascript, program

HEADERS = {
    "Authorization": "Bearer none",
    "Cache-Control": "no-cache",
    "Content-Type": "application/json",
    "X-Requested-With": "XMLHttpRequest",
}


def on_a_page(code: str, server: str) -> Any:
    """What an async function's body, run on an empty page of another origin, returns."""
    return javascript(
        f"""
        import {{ createServer }} from "node:http";
        import puppeteer from "puppeteer-core";
        const other = createServer((_, response) => response.setHeader("Content-Type", "text/html").end("<p>"));
        await new Promise((listening) => other.listen(0, "127.0.0.1", listening));
        const args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
        const browser = await puppeteer.launch({{ executablePath: {json.dumps(program("chromium"))}, args }});
        try {{
            const page = await browser.newPage();
            await page.goto(`http://127.0.0.1:${{other.address().port}}/`);
            say(await page.evaluate(async (RECORDS) => {{ {code} }}, RECORDS));
        }} finally {{
            await browser.close();
            other.close();
        }}
        """,
        server,
    )


def test_a_list_is_read(server: str) -> None:
    words = f"indicator__in: {json.dumps(truth.LISTED)}, sort: {json.dumps(truth.SORT)}"
    code = f"return await (await fetch(RECORDS + '?' + new URLSearchParams({{ {words} }}))).json()"
    assert truth.figures(on_a_page(code, server)["data"]) == truth.of_the_list()


def test_the_headers_that_wrappers_add_are_allowed(server: str) -> None:
    code = f"return await (await fetch(RECORDS + '?id=exp-001', {{ headers: {json.dumps(HEADERS)} }})).json()"
    assert [figure[0] for figure in truth.figures(on_a_page(code, server)["data"])] == ["exp-001"]


def test_the_headers_that_pages_and_caches_need_are_readable(server: str) -> None:
    code = """
        const answer = await fetch(RECORDS);
        return ["Link", "ETag", "X-Data-Version"].map((name) => answer.headers.get(name) !== null);
    """
    assert on_a_page(code, server) == [True] * 3


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("fetch(RECORDS + '?yaer=2007')", [400, "/problems/unknown-parameter"]),
        ("fetch(RECORDS, { method: 'POST', headers: HEADERS, body: '{}' })", [405, "/problems/method-not-allowed"]),
    ],
    ids=["parameter", "method"],
)
def test_an_error_is_readable(call: str, expected: list[Any], server: str) -> None:
    code = f"const HEADERS = {json.dumps(HEADERS)}; const answer = await {call};"
    assert on_a_page(code + "return [answer.status, (await answer.json()).type]", server) == expected
