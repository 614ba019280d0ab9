"""A lock file leaves no choice, and its hash changes with everything that decides what is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.runtimes.environments.lock import read_lock


@pytest.fixture
def lock(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "requirements.lock"
        path.write_text(text)
        return path

    return write


def test_what_uv_and_pip_write_is_read(lock):
    path = lock(
        "# made by uv pip compile\n"
        "--index-url https://example.org/simple\n"
        "NumPy==2.1.0 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n"
        "    # via scipy\n"
        "zope.interface[test]==5.0 ; python_version >= '3.9'  # why\n"
        f"direct @ https://example.org/direct-1-py3-none-any.whl#sha256={'a' * 64}\n"
    )
    packages = read_lock(path).packages
    assert packages == {
        "numpy": "2.1.0",
        "zope-interface": "5.0",
        "direct": f"https://example.org/direct-1-py3-none-any.whl#sha256={'a' * 64}",
    }


@pytest.mark.parametrize(
    "line",
    [
        "numpy",
        "numpy>=2",
        "numpy==2.*",
        "numpy==2,<3",
        "git+https://example.org/x",
        "./folder",
        "x @ https://a/x.whl",
    ],
)
def test_a_line_that_leaves_a_choice_is_refused_with_its_number(lock, line):
    with pytest.raises(HarnessError, match="leaves a choice") as refused:
        read_lock(lock(f"scipy==1.0\n{line}\n"))
    assert str(refused.value.where).endswith("requirements.lock:2")
    assert refused.value.got == line


@pytest.mark.parametrize(
    "line", ["-r other.txt", "-e .", "--editable=.", "--no-binary :all:", "-c constraints.txt"]
)
def test_an_option_whose_content_the_hash_would_not_cover_is_refused(lock, line):
    with pytest.raises(HarnessError, match="cannot hold this option"):
        read_lock(lock(line + "\n"))


def test_two_versions_of_one_package_are_refused(lock):
    with pytest.raises(HarnessError, match="locked twice"):
        read_lock(lock("a-b==1\nA_B==2\n"))


def test_a_missing_lock_says_how_to_write_one(tmp_path):
    with pytest.raises(HarnessError, match="missing") as refused:
        read_lock(tmp_path / "requirements.lock")
    assert "uv pip compile" in str(refused.value.mend)


def test_the_hash_covers_the_file_and_the_wheels_it_takes_but_no_others(lock, tmp_path, write_wheel):
    path = lock("--find-links wheels\nfirst-part==1.0\n")
    write_wheel(tmp_path / "wheels", "first_part")
    before = read_lock(path).digest().hexdigest()
    write_wheel(tmp_path / "wheels", "other")
    write_wheel(tmp_path / "wheels", "first_part", "1.1")
    assert read_lock(path).digest().hexdigest() == before
    write_wheel(tmp_path / "wheels", "first_part", code="CHANGED = True\n")
    changed = read_lock(path).digest().hexdigest()
    assert changed != before
    path.write_text(path.read_text() + "# a note\n")
    assert read_lock(path).digest().hexdigest() != changed


def test_remarks_are_read_from_comments_and_leave_the_packages_alone(lock):
    read = read_lock(
        lock(
            "# harness: notice The licence of this is a strict one.\n"
            "# harness: regardless Old_Part 3.10\n"
            "old-part==1.0\nother==2  # harness is a word like any other\n"
        )
    )
    assert read.packages == {"old-part": "1.0", "other": "2"}
    assert read.remarks.notices == ("The licence of this is a strict one.",)
    assert read.remarks.regardless == {"old-part": "3.10"}


@pytest.mark.parametrize(
    ("remark", "said"),
    [
        ("notise x", "did you mean 'notice'"),
        ("regardless othr 3.10", "did you mean 'other'"),
        ("regardless other", "3.N"),
    ],
)
def test_a_remark_that_says_nothing_known_is_refused(lock, remark, said):
    with pytest.raises(HarnessError) as refused:
        read_lock(lock(f"# harness: {remark}\nother==2\n"))
    assert said in str(refused.value)
