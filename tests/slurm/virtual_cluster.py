"""A real Slurm on one machine: a controller and some nodes, on loopback only.

Ordinary daemons with their own configuration, key, ports and folders, started and ended
by the tests. The nodes are not separate machines: they share memory, processors and
disks, and a GPU is a name that Slurm counts and hands out.
"""

from __future__ import annotations

import contextlib
import ctypes
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
CLIENTS = ("sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo")
GPUS = 2  # of each node
ACTIVE = {"PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED"}


def find(program: str) -> str | None:
    """Find a program, also where daemons lie and users have no PATH."""
    return shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def missing() -> list[str]:
    """List the programs that a cluster needs and this machine lacks."""
    return [name for name in (*DAEMONS, *CLIENTS) if find(name) is None]


def wait_for(
    what: Callable[[], object], seconds: float, label: str, every: float = 0.2
) -> None:
    """Wait until ``what`` returns something true.

    Raises:
        TimeoutError: with the label, after ``seconds``.
    """
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise TimeoutError(f"{label}: not within {seconds:.0f} s")
        time.sleep(every)


class Cluster:
    """Controller and nodes; a context manager.

    Args:
        nodes: how many.

    Attributes:
        root: its folder: configuration, logs, state.
        environment: what commands and Snakemake need to talk to it.
    """

    def __init__(self, nodes: int = 2) -> None:
        # Unix sockets have short paths, so pytest's long temporary folders will not do.
        self.root = Path(tempfile.mkdtemp(prefix="virtual-slurm-"))
        self.root.chmod(0o755)  # munged refuses a socket in a private folder
        self.nodes = [f"n{i + 1}" for i in range(nodes)]
        self._ports = _free_ports(nodes + 1)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        path = f"{self.root}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = os.environ | {
            "SLURM_CONF": f"{self.root}/slurm.conf",
            "PATH": f"{path}:/usr/sbin:/sbin",
            "OMP_NUM_THREADS": "1",
            "OMP_WAIT_POLICY": "passive",
            "NO_COLOR": "1",
        }

    def __enter__(self) -> Cluster:
        try:
            self._write_files()
            self._start_munge()
            self.start_controller()
            for node in self.nodes:
                self.start_node(node)
            wait_for(self.is_idle, 30, "nodes idle")
        except BaseException:
            logs = sorted((self.root / "log").glob("*"))
            text = "\n".join(f"{p.name}:\n{_tail(p)}" for p in logs)
            self.stop()
            print(text, file=sys.stderr)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def is_idle(self) -> bool:
        """Whether every node can take jobs."""
        states = self.run("sinfo", "--noheader", "--Node", "-o", "%N %t", check=False)
        found = dict(line.split() for line in states.splitlines() if line.strip())
        return all(found.get(node) in ("idle", "mix", "alloc") for node in self.nodes)

    def _write_files(self) -> None:
        for folder in ("bin", "dev", "log", "munge", "run", "spool", "state"):
            (self.root / folder).mkdir()
        controller, *ports = self._ports
        gres, lines = [], []
        for node, port in zip(self.nodes, ports, strict=True):
            for i in range(GPUS):
                # Slurm wants device files, and takes links to one. The number at the
                # end becomes CUDA_VISIBLE_DEVICES.
                (self.root / f"dev/{node}").mkdir(exist_ok=True)
                (self.root / f"dev/{node}/gpu{i}").symlink_to("/dev/null")
            files = f"{self.root}/dev/{node}/gpu[0-{GPUS - 1}]"
            gres.append(f"NodeName={node} Name=gpu Type=fake File={files}")
            lines.append(
                f"NodeName={node} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port}"
                f" CPUs=4 RealMemory=64000 Gres=gpu:fake:{GPUS} State=UNKNOWN"
            )
        (self.root / "gres.conf").write_text("\n".join(gres) + "\n")
        text = textwrap.dedent(
            f"""\
            ClusterName=virtual
            SlurmctldHost=localhost(127.0.0.1)
            SlurmUser={getpass.getuser()}
            SlurmdUser={getpass.getuser()}
            SlurmctldPort={controller}
            AuthType=auth/munge
            # A requeued job waits for as long as a credential lives: 120 s by default.
            AuthInfo=socket={self.root}/munge/socket,cred_expire=10
            # Without these the daemons listen on all interfaces.
            CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
            SlurmctldPidFile={self.root}/run/slurmctld.pid
            SlurmdPidFile={self.root}/run/slurmd-%n.pid
            SlurmdSpoolDir={self.root}/spool/%n
            StateSaveLocation={self.root}/state
            SlurmctldLogFile={self.root}/log/slurmctld.log
            SlurmdLogFile={self.root}/log/slurmd-%n.log
            ProctrackType=proctrack/linuxproc
            TaskPlugin=task/none
            MpiDefault=none
            MailProg=/bin/true
            # Memory limits without control groups: looked at every second.
            JobAcctGatherType=jobacct_gather/linux
            JobAcctGatherFrequency=task=1
            JobAcctGatherParams=OverMemoryKill
            # Four processors and 64 GB a node, whatever the machine has.
            SlurmdParameters=config_overrides
            SelectType=select/cons_tres
            SelectTypeParameters=CR_CPU_Memory
            SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
            # A request that no node can meet is refused, instead of waiting for ever.
            EnforcePartLimits=ALL
            GresTypes=gpu
            # Tests look at jobs that ended long ago on a slow machine; usual is 300 s.
            MinJobAge=7200
            SlurmdTimeout=15
            KillWait=3
            ReturnToService=2
            PreemptType=preempt/partition_prio
            PreemptMode=REQUEUE
            """
        )
        all_nodes = ",".join(self.nodes)
        partitions = (
            "PartitionName=short Default=YES PriorityTier=1",
            "PartitionName=accelerated PriorityTier=1",
            "PartitionName=urgent PriorityTier=9",  # its jobs preempt the others'
            "PartitionName=members PriorityTier=1 AllowAccounts=members",
        )
        lines += [
            f"{partition} Nodes={all_nodes} DefMemPerCPU=500 DefaultTime=10"
            " MaxTime=10000 State=UP"
            for partition in partitions
        ]
        (self.root / "slurm.conf").write_text(text + "\n".join(lines) + "\n")
        # The plugin takes SLURM_CONF out of the environment of the steps in a job.
        # A real cluster has its configuration where Slurm looks for it.
        srun = self.root / "bin/srun"
        srun.write_text(
            f"#!/bin/sh\nexport SLURM_CONF={self.root}/slurm.conf\n"
            f'exec {find("srun")} "$@"\n'
        )
        srun.chmod(0o755)

    def _start_munge(self) -> None:
        key = self.root / "munge/key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        munge = self.root / "munge"
        self._start(
            "munged", "--foreground", "--force", f"--key-file={key}",
            f"--socket={munge}/socket", f"--pid-file={munge}/pid",
            f"--log-file={self.root}/log/munged.log", f"--seed-file={munge}/seed",
        )  # fmt: skip
        wait_for((munge / "socket").exists, 10, "munged")

    def _start(self, program: str, *arguments: str, name: str | None = None) -> None:
        binary = find(program)
        assert binary is not None
        with (self.root / f"log/{name or program}.out").open("ab") as log:
            self._processes[name or program] = subprocess.Popen(
                [binary, *arguments],
                env=self.environment,
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # an interrupt of the tests is not for them
                preexec_fn=_end_with_parent,
            )

    def start_controller(self) -> None:
        """Start the controller; it knows the jobs of the one before."""
        self._start("slurmctld", "-D", "-f", f"{self.root}/slurm.conf")

    def stop_controller(self) -> None:
        """End the controller alone; jobs go on."""
        controller = self._processes.pop("slurmctld")
        controller.terminate()
        controller.wait()

    def start_node(self, node: str) -> None:
        """Start the daemon of a node."""
        conf = f"{self.root}/slurm.conf"
        self._start("slurmd", "-D", "-c", "-N", node, "-f", conf, name=node)

    def kill_node(self, node: str) -> None:
        """End a node and everything on it at once, as a loss of power would."""
        daemon = self._processes.pop(node)
        daemon.kill()
        daemon.wait()
        mine = [pid for pid, text in self._own() if f"SLURMD_NODENAME={node}\0" in text]
        # The daemons of steps first: they would report how their programs ended.
        for pid in sorted({parent for each in mine if (parent := _step_daemon(each))}):
            _kill(pid)
        for pid in mine:
            _kill(pid)
        shutil.rmtree(self.root / f"spool/{node}", ignore_errors=True)

    def _own(self) -> Iterator[tuple[int, str]]:
        """Find processes that belong to this cluster, by their environment."""
        mark = f"SLURM_CONF={self.root}/"
        for pid in _pids():
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{pid}/environ").read_text(errors="replace")
                if mark in text and pid != os.getpid():
                    yield pid, text

    def run(self, *command: str, check: bool = True) -> str:
        """Run one of Slurm's commands; return what it printed."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done.stdout

    def jobs(self, folder: Path) -> list[dict[str, str]]:
        """List the jobs submitted from a folder, oldest first: fields of scontrol."""
        text = self.run("scontrol", "show", "job", "--oneliner", check=False)
        found = []
        for line in text.splitlines():
            pairs = [word.split("=", 1) for word in line.split() if "=" in word]
            fields: dict[str, str] = {}
            for key, value in pairs:
                fields.setdefault(key, value)
            if fields.get("WorkDir") == str(folder):
                found.append(fields)
        return sorted(found, key=lambda job: int(job["JobId"]))

    def active(self, folder: Path) -> list[dict[str, str]]:
        """List the jobs of a folder that have not ended."""
        return [job for job in self.jobs(folder) if job["JobState"] in ACTIVE]

    def end_all(self, folder: Path) -> None:
        """End every run that was started in a folder, and its jobs."""
        for pid, _ in list(self._own()):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/cwd") == str(folder):
                    _kill(pid)
        for job in self.active(folder):
            self.run("scancel", job["JobId"], check=False)

    def stop(self) -> None:
        """End all jobs and daemons, and remove the folder."""
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            self.run("scancel", "--user", getpass.getuser(), check=False)
            time.sleep(1)
        for name in [n for n in self._processes if n != "munged"] + ["munged"]:
            daemon = self._processes.pop(name, None)
            if daemon is None:
                continue
            daemon.terminate()
            try:
                daemon.wait(timeout=10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        # What outlived its job: processes are tracked by their parents here, and one
        # whose parent has gone is lost to Slurm. Real clusters use control groups.
        for _ in range(3):
            for pid, _text in list(self._own()):
                _kill(pid)
            time.sleep(0.2)
        shutil.rmtree(self.root, ignore_errors=True)


def _end_with_parent() -> None:
    """Have the system end this daemon when the tests are killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1: PR_SET_PDEATHSIG


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _step_daemon(pid: int) -> int | None:
    """Return a process's parent if that is the daemon of a step."""
    with contextlib.suppress(OSError):
        # The name, in parentheses, may hold spaces; the parent is two fields behind it.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        title = Path(f"/proc/{fields[1]}/cmdline").read_text(errors="replace")
        if title.startswith("slurmstepd: ["):
            return int(fields[1])
    return None


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _tail(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-15:])
