"""The page in a real browser, at a real replica, with the keyboard alone."""

from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver import Chrome, Keys

from millrace.domain.api_keys import written
from serving.champion import Watch
from tests.serving import a_key
from tests.serving.browser import Person, chromium, replica
from tests.serving.world import World, package

ANSWERED = "document.querySelector('.probability') !== null"
REFUSED = "document.querySelector('#trouble strong') !== null"
FORM = "document.querySelector('#fields input') !== null"
KEY = written(a_key.KEY.id, a_key.SECRET)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("profile")) as session:
        yield session


@pytest.fixture(scope="module")
def watch() -> Watch:
    world = World()
    world.deploy("diabetes", package("diabetes"), version=7)
    world.deploy("loan", package("loan"), version=3)
    watch = world.watch()
    watch.look()
    return watch


@pytest.fixture(scope="module")
def url(watch: Watch) -> Iterator[str]:
    with replica(World().app(watch)) as url:
        yield url


@pytest.fixture
def person(session: Chrome, url: str) -> Person:
    person = come_in(session, url, "/#diabetes")
    person.until(FORM)
    return person


def come_in(session: Chrome, url: str, place: str = "/") -> Person:
    """Open the page in a tab that knows the key."""
    session.get(f"{url}/healthz")
    session.execute_script("sessionStorage.setItem('millrace-api-key', arguments[0])", KEY)
    session.get(f"{url}{place}")
    return Person(session)


def row_of(person: Person) -> dict[str, Any]:
    """What the fields hold."""
    names = person.see("[...document.querySelectorAll('#fields input')].map((one) => [one.name, one.value])")
    assert isinstance(names, list)
    return {name: float(value) if value else None for name, value in names if not name.endswith("_id")}


def test_a_row_is_filled_in_and_answered(person: Person, watch: Watch) -> None:
    person.write("Glucose", "155")
    person.write("Age", "47")
    person.press(Keys.ENTER)
    person.until(ANSWERED)
    score = watch.in_force["diabetes"].scorer.score(row_of(person))
    assert row_of(person)["Glucose"] == 155
    assert row_of(person)["Age"] == 47
    assert person.text(".probability") == f"{round(100 * score.probability, 1):g} %"
    assert score.risk in person.text(".category")
    assert "threshold of 40 %" in person.text(".category")
    shown = person.text(".factors b").split("\n")
    assert shown == [factor.column for factor in score.factors]
    for factor, told in zip(score.factors, person.text(".factors .share").split("\n"), strict=True):
        assert told.startswith("+" if factor.contribution > 0 else "−")
    lengths = person.see(
        "[...document.querySelectorAll('.factors rect')].map((one) => one.getBoundingClientRect().width)"
    )
    assert isinstance(lengths, list)
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > 20
    assert person.see("document.activeElement.id") == "field-Age"
    assert "diabetes version 7" in person.text("dl")
    assert person.console() == []


def test_a_fault_stands_at_its_field_until_it_is_mended(person: Person) -> None:
    person.write("Age", "12")
    person.write("Glucose", "much")
    person.write("Pregnancies", "")
    person.press(Keys.ENTER)
    person.until(REFUSED)
    assert "found 12, expected 18 to 120" in person.text("#field-Age-fault")
    assert 'found "much"' in person.text("#field-Glucose-fault")
    assert "found nothing" in person.text("#field-Pregnancies-fault")
    assert person.see("[...document.querySelectorAll('[aria-invalid]')].map((one) => one.name)") == [
        "Age",
        "Glucose",
        "Pregnancies",
    ]
    assert person.see("document.activeElement.id") == "field-Age"
    assert person.see("document.querySelectorAll('#trouble li').length") == 3
    assert not person.see(ANSWERED)
    person.write("Age", "50")
    assert person.text("#field-Age-fault") == ""
    person.write("Glucose", "")
    person.write("Pregnancies", "2")
    person.press(Keys.ENTER)
    person.until(ANSWERED)
    assert person.text("#trouble") == ""
    # The browser itself may note an answer that is no success; nothing else is noted.
    assert [one for one in person.console() if " 422 " not in one] == []


def test_a_mistake_is_hinted_at_before_it_is_sent(person: Person) -> None:
    person.write("Age", "12")
    assert person.text("#field-Age-note").startswith("outside the range")
    person.write("Age", "1.5")
    assert person.text("#field-Age-note").startswith("not a whole number")
    person.write("Age", "20")
    assert person.text("#field-Age-note") == "whole number 18 to 120"


def test_an_empty_form_is_filled_again_with_the_example(person: Person) -> None:
    before = row_of(person)
    person.go_to("#empty")
    person.press(Keys.SPACE)
    assert set(row_of(person).values()) == {None}
    person.go_to("#example")
    person.press(Keys.SPACE)
    assert row_of(person) == before


def test_every_field_has_a_label_and_everything_a_focus_that_is_seen(person: Person) -> None:
    assert person.see("[...document.querySelectorAll('input, select')].filter((one) => !one.labels.length).length") == 0
    reached = set()
    for _ in range(40):
        person.press(Keys.TAB)
        reached.add(str(person.see("document.activeElement.id || document.activeElement.textContent")))
        seen = "getComputedStyle(document.activeElement).outlineStyle"
        assert person.see("document.activeElement === document.body") or person.see(seen) != "none"
    fields = person.see("[...document.querySelectorAll('#fields input, #fields select')].map((one) => one.id)")
    assert isinstance(fields, list)
    assert {*fields, "problem", "key-button", "example", "empty", "Predict"} <= reached


def test_another_problem_has_its_own_form_and_its_rule_is_told(person: Person) -> None:
    person.go_to("#problem")
    person.press("l")
    person.until("document.getElementById('field-loan_intent') !== null")
    assert "person_emp_exp < person_age" in person.text("#rules")
    person.go_to("#field-previous_loan_defaults_on_file")
    person.press("Y")
    person.go_to("#row button.main")
    person.press(Keys.ENTER)
    person.until(ANSWERED)
    assert person.text(".probability") == "0 %"
    assert "previous_default" in person.text(".warning")
    assert "always refused" in person.text(".warning")
    assert person.see("document.querySelector('.factors')") is None
    # A rule between two columns has no field of its own: it is told with the whole.
    person.go_to("#problem")
    person.write("person_age", "20")
    person.write("person_emp_exp", "40")
    person.press(Keys.ENTER)
    person.until(REFUSED)
    assert "person_emp_exp < person_age" in person.text("#trouble li")


def test_what_is_written_stays_text_and_keeps_its_digits(person: Person) -> None:
    person.go_to("#problem")
    person.press("l")
    person.until("document.getElementById('field-loan_intent') !== null")
    person.write("application_id", "<b id=injected>it's")
    person.press(Keys.ENTER)
    person.until(REFUSED)
    assert "<b id=injected>" in person.text("#trouble li")
    assert person.see("document.getElementById('injected')") is None
    person.write("application_id", "A12345678")
    person.write("person_income", "9007.1992547409931")
    person.press(Keys.ENTER)
    person.until(ANSWERED)
    assert '"person_income": 9007.1992547409931' in person.text("pre")
    assert "$MILLRACE_API_KEY" in person.text("pre")


def test_it_fits_a_telephone_and_the_dark(person: Person) -> None:
    light = person.see("getComputedStyle(document.body).backgroundColor")
    metrics = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": False}
    person.session.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    person.session.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": dark})
    try:
        person.go_to("#row button.main")
        person.press(Keys.ENTER)
        person.until(ANSWERED)
        assert person.see("document.documentElement.scrollWidth <= 360")
        assert person.see("getComputedStyle(document.body).backgroundColor") != light
    finally:
        person.session.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        person.session.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_nothing_of_another_host_is_asked_for(person: Person, url: str) -> None:
    asked = person.see("performance.getEntriesByType('resource').map((one) => one.name)")
    assert isinstance(asked, list)
    assert asked
    assert all(one.startswith(url) for one in asked)


def test_before_any_model_it_says_so_and_looks_again(session: Chrome) -> None:
    world = World()
    watch = world.watch()
    watch.look()
    with replica(world.app(watch)) as url:
        person = come_in(session, url)
        person.until("!document.getElementById('nothing').hidden")
        assert person.see("document.getElementById('row').offsetParent") is None
        world.deploy("diabetes", package("diabetes"))
        watch.look()
        person.go_to("#look-again")
        person.press(Keys.ENTER)
        person.until(FORM)
        assert person.see("document.getElementById('nothing').hidden")
        assert person.console() == []


def test_a_key_is_asked_for_where_one_is_needed_and_leaves_with_the_tab(session: Chrome, watch: Watch) -> None:
    with replica(World().app(watch)) as url:
        session.get(f"{url}/#diabetes")
        person = Person(session)
        person.until("document.activeElement.id === 'key'")
        assert "An API key is needed" in person.text("#trouble")
        person.press(KEY, Keys.ENTER)
        person.until(FORM)
        assert person.text("#trouble") == ""
        person.go_to("#row button.main")
        person.press(Keys.ENTER)
        person.until(ANSWERED)
        assert KEY not in person.text("body")
        assert person.see("JSON.stringify([localStorage, document.cookie, location.href])").count(KEY) == 0
        assert person.see("Object.values(sessionStorage)") == [KEY]
