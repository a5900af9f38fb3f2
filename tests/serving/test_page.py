"""The page at `/`: who gets it, and what it may do in a browser. What it does there: test_page_in_a_browser.py."""

import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from serving.page import FILES, KINDS
from tests.serving.world import World, package

CHROMIUM = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    world = World()
    world.deploy("diabetes", package("diabetes"))
    watch = world.watch()
    watch.look()
    with world.client(watch) as client:
        yield client


@pytest.mark.parametrize(
    "accept",
    [
        CHROMIUM,
        "text/html",
        "TEXT/HTML",
        "application/json;q=0.5, text/html",
        "application/xhtml+xml",
        "text/html;q=0.1, */*",
    ],
)
def test_a_browser_gets_the_page(client: TestClient, accept: str) -> None:
    answer = client.get("/", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith("text/html")
    assert "Try a prediction" in answer.text


@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "*/*",
        "",
        "application/json, text/html",
        "text/html;q=0",
        "text/html;q=much",
        "text/html;q=0.2, application/json;q=0.3",
    ],
)
def test_every_other_client_gets_a_message(client: TestClient, accept: str) -> None:
    answer = client.get("/", headers={"Accept": accept})
    assert answer.headers["content-type"] == "application/json"
    assert [*answer.json()] == ["message"]
    assert "diabetes" in answer.json()["message"]


def test_a_cache_in_between_keeps_both_answers(client: TestClient) -> None:
    for accept in ("text/html", "application/json"):
        assert client.get("/", headers={"Accept": accept}).headers["vary"] == "Accept"


@pytest.mark.parametrize("path", ["/", *(f"/page/{name}" for name in KINDS)])
def test_each_file_forbids_what_it_does_not_need(client: TestClient, path: str) -> None:
    headers = client.get(path, headers={"Accept": "text/html"}).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_all_that_the_page_names_is_served_here_and_nothing_stands_in_line(client: TestClient) -> None:
    html = client.get("/", headers={"Accept": "text/html"}).text
    named = set(re.findall(r'(?:href|src)="([^"#]+)"', html))
    assert named == {*(f"page/{name}" for name in KINDS), "docs"}
    for name in named:
        assert client.get(f"/{name}").status_code == 200, name
    assert re.findall(r"<script(?! src=)|<style|style=| on\w+=", html) == []
    for name in ("page.html", *KINDS):
        text = (FILES / name).read_text(encoding="utf-8").replace("http://www.w3.org/", "")
        assert re.findall(r"https?://|//\w+\.\w+", text) == [], name


def test_an_unchanged_file_is_not_sent_again(client: TestClient) -> None:
    first = client.get("/page/page.js")
    again = client.get("/page/page.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get("/page/page.css", headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200


def test_the_page_is_no_part_of_the_api(client: TestClient) -> None:
    assert {"/", "/page/page.js"} & client.get("/openapi.json").json()["paths"].keys() == set()
