"""A notebook in JupyterLab, in a real browser: opened, run from the menu, read back."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import jupytext
import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.expected_conditions import element_to_be_clickable
from selenium.webdriver.support.wait import WebDriverWait

from src.parameters import tagged
from src.paths import ROOT

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
TOKEN = "0123456789abcdef"
QUIET = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--window-size=1200,1600"),
)
NO_NEWS = {"fetchNews": "false", "checkForUpdates": False}

pytestmark = pytest.mark.skipif(
    not (BROWSER and DRIVER), reason="no chromium with chromedriver: apt install chromium-driver"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(address: str) -> dict:
    request = urllib.request.Request(address, headers={"Authorization": f"token {TOKEN}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def wait_for(condition, seconds: float, what: str):
    """The first true value of `condition()`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.5)
    raise TimeoutError(what)


@contextmanager
def jupyter_lab(folder):
    """Address of a JupyterLab server for `folder` that leaves no trace in the home folder."""
    private = folder.with_name("private")
    settings = private / "settings/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(NO_NEWS))
    names = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "IPYTHONDIR": "ipython"}
    names |= {"JUPYTER_RUNTIME_DIR": "runtime", "JUPYTERLAB_SETTINGS_DIR": "settings"}
    names |= {"JUPYTERLAB_WORKSPACES_DIR": "workspaces", "HOME": "home"}
    places = {name: str(private / place) for name, place in names.items()}
    (private / "home").mkdir()
    port = free_port()
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"]
    options = [f"--port={port}", "--port-retries=0", f"--IdentityProvider.token={TOKEN}"]
    with open(private / "server.log", "w") as log:
        server = subprocess.Popen(
            [*command, *options, f"--ServerApp.root_dir={folder}"],
            env=os.environ | places,
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    address = f"http://127.0.0.1:{port}"

    def answers():
        assert server.poll() is None, (private / "server.log").read_text()
        try:
            return get(f"{address}/api/status")
        except OSError:
            return None

    try:
        wait_for(answers, 120, "JupyterLab does not answer")
        yield address
    finally:
        server.terminate()
        server.wait(30)


@contextmanager
def browser(profile):
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*QUIET, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def test_a_notebook_runs_in_jupyterlab(smoke_run, tmp_path):
    """Training on the smoke recordings, from a folder outside the repository."""
    shutil.copytree(smoke_run.data / "processed", tmp_path / "data/processed")
    notebook = jupytext.read(ROOT / "notebooks/sensorium2022/02_train.ipynb")
    (cell,) = tagged(notebook, "parameters")
    results = {"data_root": tmp_path / "data", "output_root": tmp_path / "figures"}
    values = {"profile": "smoke", **{name: str(path) for name, path in results.items()}}
    cell.source += "".join(f"\n{name} = {value!r}" for name, value in values.items())
    (tmp_path / "lab").mkdir()
    jupytext.write(notebook, tmp_path / "lab/02_train.ipynb")

    with jupyter_lab(tmp_path / "lab") as address, browser(tmp_path / "chromium") as driver:
        driver.get(f"{address}/lab/tree/02_train.ipynb?token={TOKEN}")
        redrawn = [StaleElementReferenceException]  # between being found and being asked
        wait = WebDriverWait(driver, 120, ignored_exceptions=redrawn)
        wait.until(element_to_be_clickable((By.CSS_SELECTOR, ".jp-Notebook .jp-Cell")))
        kernels = f"{address}/api/kernels"
        wait_for(lambda: get(kernels), 120, "no kernel started")
        run = "//*[contains(@class, 'lm-MenuBar-itemLabel') and text()='Run']"
        wait.until(element_to_be_clickable((By.XPATH, run))).click()
        everything = "li[data-command='notebook:run-all-cells'], li[data-command='runmenu:run-all']"
        wait.until(element_to_be_clickable((By.CSS_SELECTOR, everything))).click()

        def finished():
            """The saved notebook, once its last code cell ran."""
            ActionChains(driver).key_down(Keys.CONTROL).send_keys("s").key_up(
                Keys.CONTROL
            ).perform()
            try:
                cells = get(f"{address}/api/contents/02_train.ipynb")["content"]["cells"]
            except urllib.error.HTTPError:  # the file is being written
                return None
            code = [c for c in cells if c["cell_type"] == "code" and c["source"].strip()]
            failed = [o for c in code for o in c["outputs"] if o["output_type"] == "error"]
            return code if failed or code[-1]["execution_count"] else None

        try:
            code = wait_for(finished, 240, "the notebook did not finish")
        finally:
            driver.save_screenshot(str(tmp_path / "lab.png"))

    outputs = [output for cell in code for output in cell["outputs"]]
    assert not [o for o in outputs if o["output_type"] == "error"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert list((tmp_path / "data/runs").rglob("weights.pt"))
    assert not list((tmp_path / "lab").glob("*.pt"))
