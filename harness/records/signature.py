"""A detached signature of a seal, made and checked by `ssh-keygen -Y`, with the keys that people have anyway."""

from __future__ import annotations

import subprocess
from pathlib import Path

from harness.errors import ChangedError, HarnessError, SystemRefusedError
from harness.records.run_folder import SEAL_FILE
from harness.records.seal import SIGNATURE_FILE, read_seal

NAMESPACE = "harness-seal"
"""Says what is signed, so that a signature of something else is never taken for one of a seal."""
SECONDS = 120


def sign_seal(run: Path, key: Path) -> Path:
    """Sign a run's seal; `key` is a private key, or a public one whose private half an agent holds."""
    read_seal(run)
    if not key.is_file():
        raise HarnessError("no such key", where=key, expected="an SSH key: ssh-keygen -t ed25519 makes one")
    seal, signature = run / SEAL_FILE, run / SIGNATURE_FILE
    made = _ssh_keygen("sign", "-f", str(key), "-n", NAMESPACE, content=seal.read_bytes())
    if made.returncode != 0:
        raise HarnessError("ssh-keygen did not sign", where=key, got=_last_line(made))
    partial = signature.with_suffix(".partial")
    partial.write_bytes(made.stdout)
    partial.replace(signature)
    return signature


def check_signature(run: Path, signers: Path) -> str:
    """Who signed a run's seal, of those in an allowed-signers file; refused where nobody of them did."""
    seal, signature = run / SEAL_FILE, run / SIGNATURE_FILE
    if not signers.is_file():
        raise HarnessError(
            "no such file of signers",
            where=signers,
            expected="lines `NAME ssh-ed25519 KEY`, as ssh-keygen calls allowed signers",
        )
    if not signature.is_file():
        raise HarnessError("the run is not signed", where=run, mend="harness seal RUN --sign KEY signs it")
    content = seal.read_bytes()
    found = _ssh_keygen("find-principals", "-s", str(signature), "-f", str(signers), content=content)
    names = found.stdout.decode(errors="replace").split("\n")
    for name in filter(None, names):
        words = ("-f", str(signers), "-I", name, "-n", NAMESPACE, "-s", str(signature))
        if _ssh_keygen("verify", *words, content=content).returncode == 0:
            return name
    raise ChangedError(
        "the signature is of nobody in the file of signers, or not of this seal",
        where=signature,
        got=_last_line(found)
        if not any(names)
        else f"key of {', '.join(filter(None, names))}, other content",
        expected=f"a signature of {seal} by a signer in {signers}",
    )


def _ssh_keygen(verb: str, *words: str, content: bytes) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["ssh-keygen", "-Y", verb, *words],
            input=content,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise SystemRefusedError(
            "there is no ssh-keygen", mend="install OpenSSH (8.2 or newer), or leave signatures out"
        ) from None


def _last_line(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"
