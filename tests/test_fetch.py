"""The command that fetches, from its arguments to its exit status; nothing leaves this machine."""

import pytest

from src import fetch
from src.data.errors import DataError
from src.data.registry import RemoteFile
from src.fetch import Wanted, inventory, main, wanted, weight_files
from src.studies import STUDIES


@pytest.fixture
def no_network(monkeypatch):
    """What would be downloaded, by address, in place of the download."""
    asked = []

    def retrieve(url, known_hash, fname, path, downloader):
        asked.append(url)
        (path / fname).write_bytes(b"whatever")

    monkeypatch.setattr("src.data.fetch.pooch.retrieve", retrieve)
    monkeypatch.setattr("src.data.fetch.require_intact", lambda *_: None)
    return asked


def test_weights_are_those_of_the_profile_s_networks():
    files = {f.path: f for f in weight_files(STUDIES["macaque_it"].profile("full"))}
    resnet = files.pop("resnet50-11ad3fa6.pth")
    assert resnet.sha256 == "11ad3fa6" and resnet.url.endswith("/resnet50-11ad3fa6.pth")
    assert set(files) == {"densenet201-c1103571.pth", "vit_b_16-c867db91.pth"}
    assert not weight_files(STUDIES["macaque_it"].profile("demo"))
    nsd = weight_files(STUDIES["nsd_gnet"].profile("full"))  # twice the same file, once
    assert [f.path for f in nsd] == ["alexnet-owt-7be5be79.pth"] and nsd[0].url
    assert nsd[0].instead == "alexnet_conv_imagenet.pt"


def test_simulated_and_own_recordings_need_no_download():
    assert not wanted("sensorium2022", "smoke")
    weights = wanted("macaque_it", "full", recording=True)
    weights += wanted("macaque_it", "recording")
    assert weights and all(one.folder.name == "weights" for one in weights)


def test_the_list_counts_entries(tmp_path, capsys):
    raw = tmp_path / "raw/sensorium2022/full"
    raw.mkdir(parents=True)
    first, second, *_ = wanted("sensorium2022", "full", str(tmp_path))
    (raw / first.file.path).touch()
    (raw / second.file.path).touch()
    (raw / "detector.pt").touch()
    assert main(["sensorium2022", "--list", "--data-root", str(tmp_path)]) == 0
    mice, boxes = capsys.readouterr().out.splitlines()
    assert mice.startswith("mice: 7 files  2 here") and "by hand" in mice
    assert boxes.split()[:2] == ["boxes.csv", "here"]  # detector.pt serves as well


def test_sizes_are_summed_as_far_as_known(tmp_path):
    sizes = {"a": 2 * 10**9, "b": 5 * 10**8, "c": None}
    files = [Wanted(RemoteFile("e", n, note="x", about=s), tmp_path) for n, s in sizes.items()]
    assert "2.5 GB and more of unknown size" in inventory(files)[0]
    assert inventory(files[:2])[0].split("  ")[2] == "2.5 GB"
    assert "size unknown" in inventory(files[2:])[0]


def test_some_are_fetched_and_the_others_told(tmp_path, capsys, no_network):
    root = ["--data-root", str(tmp_path)]
    assert main(["sensorium2022", *root]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3 and "(6 more like it)" in said[0] and "--mirror" in said[2]
    assert "https://gin.g-node.org/cajal/Sensorium2022" in said[0] and not no_network
    assert main(["sensorium2023", "--only", "mice A to E", *root]) == 0
    assert len(no_network) == 5 and capsys.readouterr().out.count("fetched: ") == 5
    assert main(["sensorium2023", "--only", "*29156*", *root]) == 0
    assert len(no_network) == 5 and capsys.readouterr().out.startswith("there: ")


def test_a_mirror_serves_what_has_no_address(tmp_path, no_network):
    options = ["--only", "design", "--mirror", "https://lab/nsd", "--data-root", str(tmp_path)]
    assert main(["nsd_gnet", *options]) == 0
    assert no_network == ["https://lab/nsd/nsddata/experiments/nsd/nsd_expdesign.mat"]


def test_one_that_fails_does_not_stop_the_others(tmp_path, capsys, monkeypatch):
    def failing(file, folder, data_root):
        if "29228" in file.path:
            raise DataError("not today")
        return folder / file.path

    monkeypatch.setattr(fetch, "fetch", failing)
    options = ["--only", "mice A to E", "--data-root", str(tmp_path)]
    assert main(["sensorium2023", *options]) == 1
    told = capsys.readouterr()
    assert told.out.count("fetched: ") == 4 and told.err == "src.fetch: not today\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [(["--only", "mouse"], "choose of mice, boxes"), (["--profile", "huge"], "no profile 'huge'")],
)
def test_mistakes_are_told(tmp_path, capsys, options, said):
    assert main(["sensorium2022", *options, "--data-root", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err


def test_a_data_root_that_is_a_file_is_told(tmp_path, capsys):
    (tmp_path / "data").write_text("not a folder")
    assert main(["sensorium2022", "--data-root", str(tmp_path / "data")]) == 2
    told = capsys.readouterr().err
    assert "a file is where a folder should be" in told and told.count("\n") == 1
