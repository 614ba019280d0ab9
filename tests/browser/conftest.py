"""A headless Chromium that looks at pages as a reader does, and notes what the page says and asks for behind their back."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.datasets.dataset import PerturbDataset

HERE = Path(__file__).parent
SHOTS = HERE / "shots"
"""Pictures of every page as the tests saw it; ignored by git."""
WIDTHS = (1280, 768, 360)


@dataclass(frozen=True)
class Look:
    """One browser, and the page that it shows."""

    driver: Any

    def open(
        self,
        page: Path | str,
        *,
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
        script: bool = True,
        media: str = "",
    ) -> None:
        """Show a page; its console and its requests are noted from here on."""
        tell = self.driver.execute_cdp_cmd
        tell("Emulation.setScriptExecutionDisabled", {"value": not script})
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        tell("Emulation.setDeviceMetricsOverride", metrics)
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"},  # what is scrolled to is there at once
        ]
        tell("Emulation.setEmulatedMedia", {"media": media, "features": features})
        self.driver.get("about:blank")
        self.messages()
        self.requests()
        self.driver.get(page.as_uri() if isinstance(page, Path) else page)

    def run(self, script: str) -> Any:
        """What a script answers: the name of one beside this file, or its text."""
        file = HERE / script
        return self.driver.execute_script(
            file.read_text(encoding="utf-8") if script.endswith(".js") else script
        )

    def processor_ms(self, script: str) -> float:
        """Processor time of the page's thread for a script, with the style and layout that it leads to, in milliseconds."""
        tell = self.driver.execute_cdp_cmd
        tell("Performance.enable", {"timeDomain": "threadTicks"})

        def spent() -> float:
            told = {one["name"]: one["value"] for one in tell("Performance.getMetrics", {})["metrics"]}
            return float(sum(told[f"{part}Duration"] for part in ("Script", "Layout", "RecalcStyle")))

        before = spent()
        self.run(script)
        return 1000 * (spent() - before)

    def find(self, selector: str) -> list[Any]:
        """Elements by CSS selector."""
        return list(self.driver.find_elements("css selector", selector))

    def press(self, *keys: str) -> None:
        """Keys, to whatever has the focus."""
        from selenium.webdriver import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def messages(self) -> list[str]:
        """What the console got since it was last asked."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Addresses asked for since this was last asked, the pages themselves and inline data left out."""
        found = []
        for entry in self.driver.get_log("performance"):
            told = json.loads(entry["message"])["message"]
            if told["method"] == "Network.requestWillBeSent":
                url = told["params"]["request"]["url"]
                if told["params"].get("type") != "Document" and not url.startswith("data:"):
                    found.append(url)
        return found

    def shot(self, name: str) -> Path:
        """A picture of the whole page."""
        SHOTS.mkdir(exist_ok=True)
        taken = self.driver.execute_cdp_cmd(
            "Page.captureScreenshot", {"captureBeyondViewport": True, "format": "png"}
        )
        target = SHOTS / f"{name}.png"
        target.write_bytes(base64.b64decode(taken["data"]))
        return target

    def pdf(self) -> bytes:
        """The page as it is printed."""
        return base64.b64decode(self.driver.execute_cdp_cmd("Page.printToPDF", {})["data"])


@pytest.fixture(scope="session")
def look(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Look]:
    """One browser for the session; every `open` is a fresh page."""
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    from harness.doctor.probes import finding

    home = tmp_path_factory.mktemp("chromium")
    options = Options()
    options.binary_location = str(finding("chromium").facts["program"])
    for word in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
        "--no-first-run", "--disable-extensions", "--disable-background-networking", f"--user-data-dir={home / 'profile'}",
    ):  # fmt: skip
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = Service(shutil.which("chromedriver"), env={**os.environ, "HOME": str(home)})
    driver = webdriver.Chrome(options=options, service=service)
    yield Look(driver)
    driver.quit()


@pytest.fixture(scope="session")
def gallery(tiny_dataset: PerturbDataset, made_once: Callable[[str, Callable[[Path], object]], Path]) -> Any:
    """A page of every kind; see `gallery.py`."""
    spec = importlib.util.spec_from_file_location("browser_gallery", HERE / "gallery.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    folder = made_once("gallery", lambda folder: module.make_gallery(folder, tiny_dataset))
    return module.Gallery(folder, folder / "site")
