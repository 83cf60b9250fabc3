"""What a notebook needs of `src`, read from its text."""

import pytest

from src import imports


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A repository of four modules and one notebook."""
    monkeypatch.setattr(imports.paths, "ROOT", tmp_path)
    texts = {
        "src/__init__.py": "",
        "src/a.py": "def f():\n    from src import b\n",
        "src/b.py": "import src.studies.x\n",
        "src/c.py": "",
        "src/studies/x.py": "VALUE = 1\n",
        "notebooks/s/01.py": "from src.a import (\n    f as g,  # from src import c\n    h,\n)\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for cached in (imports.imported, imports._sha256):
        cached.cache_clear()
    return tmp_path


def test_imports_are_followed_inside_functions_and_brackets(root):
    found = [f.relative_to(root).as_posix() for f in imports.sources(root / "notebooks/s/01.py")]
    assert found == ["src/__init__.py", "src/a.py", "src/b.py", "src/studies/x.py"]


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("src/b.py", True),
        ("notebooks/s/01.py", True),
        ("src/c.py", False),
        ("src/studies/x.py", False),
    ],
)
def test_code_is_the_notebook_and_what_it_imports(root, name, counts):
    """But for what says values only, which a job is given."""
    before = imports.code_sha256(root / "notebooks/s/01.ipynb")
    (root / name).write_text((root / name).read_text() + "# more\n")
    for cached in (imports.imported, imports._sha256):
        cached.cache_clear()
    assert (imports.code_sha256(root / "notebooks/s/01.py") != before) == counts
