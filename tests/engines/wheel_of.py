"""A package that is installed here as a wheel again, so that an environment can be built where no index is reachable."""

from __future__ import annotations

import zipfile
from importlib.metadata import distribution
from pathlib import Path


def wheel_of(name: str, folder: Path) -> str:
    """Write the wheel from the files that its installation lists; gives the line that locks it."""
    found = distribution(name)
    files = [file for file in found.files or () if ".." not in file.parts and "__pycache__" not in file.parts]
    tag = next(
        line.split()[1] for line in (found.read_text("WHEEL") or "").splitlines() if line.startswith("Tag:")
    )
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{found.version}-{tag}.whl", "w") as archive:
        for file in files:
            if "tests" in file.parts or file.name in ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json"):
                continue
            archive.write(Path(str(file.locate())), file.as_posix())
        kept = "".join(f"{entry},,\n" for entry in archive.namelist())
        record = next(file for file in files if file.name == "RECORD").as_posix()
        archive.writestr(record, kept + f"{record},,\n")
    return f"{name}=={found.version}"
