"""A headless Chromium at a replica of its own, and a person with a keyboard alone."""

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from selenium.webdriver import Chrome, ChromeOptions, ChromeService, Keys
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.support.ui import WebDriverWait
from starlette.types import ASGIApp

from tests.awaiting import await_that

PATIENCE_SECONDS = 60
MOST_TABS = 80
# As root it has no sandbox; it fetches nothing by itself.
FLAGS = ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "disable-background-networking")


@contextmanager
def replica(app: ASGIApp) -> Iterator[str]:
    """A uvicorn as the stack starts it, on a port that is free; its address."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, access_log=False, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        await_that("the replica listens", lambda: server.started, seconds=PATIENCE_SECONDS)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def chromium(profile: Path) -> Iterator[Chrome]:
    """The browser; the test is skipped where the machine has none."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("no chromium and chromedriver here: `apt-get install chromium chromium-driver`, then this runs")
    options = ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"user-data-dir={profile}", "window-size=1280,900"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    os.environ["SE_OFFLINE"] = "true"
    session = Chrome(options=options, service=ChromeService(driver))
    try:
        yield session
    finally:
        session.quit()


class Person:
    """What somebody with a keyboard does, and what they see."""

    def __init__(self, session: Chrome) -> None:
        self.session = session

    def until(self, script: str) -> object:
        """What a script says as soon as it says something."""
        return WebDriverWait(self.session, PATIENCE_SECONDS).until(
            lambda _: self.see(script), f"never true: {script}; the console says {self.console()}"
        )

    def see(self, script: str) -> object:
        return self.session.execute_script(f"return {script}")

    def text(self, selector: str) -> str:
        return str(self.see(f"[...document.querySelectorAll('{selector}')].map((one) => one.textContent).join('\\n')"))

    def press(self, *keys: str) -> None:
        ActionChains(self.session).send_keys(*keys).perform()

    def go_to(self, selector: str) -> None:
        """Press Tab until something has the focus."""
        for _ in range(MOST_TABS):
            if self.see(f"document.activeElement.matches('{selector}')"):
                return
            self.press(Keys.TAB)
        raise AssertionError(f"{selector} cannot be reached with the keyboard")

    def write(self, column: str, words: str) -> None:
        """Fill the field of a column anew."""
        self.go_to(f"#field-{column}")
        ActionChains(self.session).key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL).perform()
        self.press(words or Keys.DELETE)

    def console(self) -> list[str]:
        """What the browser complained of since the last look."""
        return [one["message"] for one in self.session.get_log("browser") if one["level"] in ("SEVERE", "WARNING")]
