"""A SLURM of the tests' own beside the one that `SLURM_CONF` names: its controller may be killed without harm to others."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

CONF = """
ClusterName=harnesstest{port}
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
{auth}
CredType=cred/munge
StateSaveLocation={home}/ctld
SlurmdSpoolDir={home}/d
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd.pid
SlurmctldLogFile={home}/slurmctld.log
SlurmdLogFile={home}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
KillWait=2
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
NodeName=localhost NodeAddr=127.0.0.1 NodeHostname={host} CPUs=4 RealMemory=64000 State=UNKNOWN
PartitionName=cpu Nodes=localhost Default=YES DefaultTime=00:10:00 MaxTime=1-00:00:00 State=UP
"""


@dataclass
class Cluster:
    """One controller and one node."""

    home: Path
    conf: Path

    def start_controller(self) -> None:
        """Start the controller, or start it again; it goes on with what it had saved."""
        self._run("slurmctld", "-f", str(self.conf))
        self._wait("scontrol", "ping", "UP")

    def take_back_node(self) -> None:
        """Let the node take jobs again, as an administrator would: a controller that forgot jobs which it had started sets a
        node aside that still has them.
        """
        if "drain" in self._said("sinfo", "-h", "-o", "%T"):
            self._said("scontrol", "update", "NodeName=localhost", "State=RESUME")

    def start_node(self) -> None:
        """Start the node's daemon."""
        self._run("slurmd", "-f", str(self.conf), "-N", "localhost")
        self._wait("sinfo", "-h", "-o", "%T", "idle")

    def kill(self, daemon: str, how: int = signal.SIGKILL) -> None:
        """Kill a daemon of this cluster and wait until it is gone."""
        path = self.home / f"{daemon}.pid"
        if not path.is_file():
            return
        pid = int(path.read_text())
        if Path(f"/proc/{pid}/comm").is_file() and daemon in Path(f"/proc/{pid}/comm").read_text():
            os.kill(pid, how)
            while Path(f"/proc/{pid}").is_dir() and " Z " not in Path(f"/proc/{pid}/stat").read_text():
                time.sleep(0.05)
        path.unlink(missing_ok=True)

    def stop(self) -> None:
        """End everything."""
        jobs = self._said("squeue", "-h", "-o", "%A").split()
        if jobs:
            self._said("scancel", *jobs)
            time.sleep(1)
        self.kill("slurmd", signal.SIGTERM)
        self.kill("slurmctld", signal.SIGTERM)

    def _run(self, *words: str) -> None:
        subprocess.run(words, env=self._environment(), check=True, capture_output=True, timeout=60)

    def _said(self, *words: str) -> str:
        return subprocess.run(
            words, env=self._environment(), capture_output=True, text=True, timeout=60, check=False
        ).stdout

    def _wait(self, *words: str) -> None:
        *ask, answer = words
        end = time.monotonic() + 60
        while answer not in self._said(*ask):
            assert time.monotonic() < end, (self.home / "slurmctld.log").read_text()[-2000:]
            time.sleep(0.2)

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "SLURM_CONF": str(self.conf)}


def why_not() -> str | None:
    """Why a cluster of one's own cannot be started here."""
    if os.geteuid() != 0:
        return "starting slurmctld and slurmd needs root"
    for program in ("slurmctld", "slurmd"):
        if shutil.which(program) is None:
            return f"no {program} here"
    return None


def start_cluster(home: Path) -> Cluster:
    """Start a cluster beside the one of `SLURM_CONF`, with the same munge."""
    given = Path(os.environ["SLURM_CONF"]).read_text()
    auth = re.search(r"^AuthInfo=.*$", given, re.M)
    ports = [_free_port() for _ in range(2)]
    for folder in ("ctld", "d"):
        (home / folder).mkdir(parents=True)
    conf = home / "slurm.conf"
    conf.write_text(
        CONF.format(
            home=home,
            port=ports[0],
            node_port=ports[1],
            auth=auth.group(0) if auth else "",
            host=socket.gethostname().partition(".")[0],
        )
    )
    (home / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nConstrainCores=no\n")
    cluster = Cluster(home, conf)
    try:
        cluster.start_controller()
        cluster.start_node()
    except BaseException:
        cluster.stop()
        raise
    return cluster


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
