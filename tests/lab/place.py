"""Where a host lives: its namespaces, its disk, its pid 1, and how these come and go."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.lab import disk
from tests.lab.engine import Engine
from tests.lab.machine import ENVIRONMENT, HOME, LabError, kill, kill_processes_in, processes_in, run, wait_until
from tests.lab.network import Network

SSH_PORT = 22
Daemon = Literal["dockerd", "sshd"]
LISTENS_ON_22 = " 00000000:0016 00000000:0000 0A "
"""As /proc/net/tcp shows it: asked for there, a cut network does not matter and sshd counts no connection."""
UNSHARE = ("unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--propagation", "private")


@dataclass(frozen=True)
class Place:
    network: Network
    name: str
    index: int

    @property
    def address(self) -> str:
        return self.network.address(self.index)

    @property
    def folder(self) -> Path:
        return HOME / str(self.network.number) / self.name

    @property
    def faults(self) -> Path:
        """One empty file for each fault that is in force, so that another process can mend it."""
        return self.folder / "faults"

    @property
    def pid(self) -> int:
        """The host's pid 1 in this machine's counting. Raises LabError when it is not running."""
        pid = int((self.folder / "pid").read_text())
        if pid not in self._processes():
            raise LabError(f"lab host {self.name} is not running")
        return pid

    @property
    def engine(self) -> Engine:
        return Engine(Path(f"/proc/{self.pid}/root/run/docker.sock"))

    @property
    def inside(self) -> tuple[str, ...]:
        """What to put before a command for it to run as root in the host."""
        return ("nsenter", f"--target={self.pid}", "--mount", "--uts", "--ipc", "--net", "--pid", "--wd=/")

    def create(self, authorized_key: str) -> disk.Identity:
        self.faults.mkdir(parents=True)
        self.network.connect(self.name, self.index)
        return disk.create(self.folder, self.network.namespace(self.name), authorized_key)

    def boot(self) -> None:
        """Returns when sshd listens and the engine answers."""
        namespace = self.network.namespace(self.name)
        enter = ("setsid", "--fork", "nsenter", f"--net={self.network.namespace_path(self.name)}")
        init = ("sh", str(disk.INIT), "boot", str(self.folder / "disk"), namespace)
        log = self.folder / "boot.log"
        with log.open("wb") as errors:
            boot = subprocess.Popen((*enter, *UNSHARE, *init), stdout=subprocess.PIPE, stderr=errors, env=ENVIRONMENT)
        with boot:
            assert boot.stdout is not None
            pid = boot.stdout.readline()  # comes when the host's own root is in place
        if not pid:
            raise LabError(f"lab host {self.name} did not boot: {log.read_text().strip()}")
        (self.folder / "pid").write_bytes(pid)
        for daemon in ("dockerd", "sshd"):
            self.wait_for(daemon)

    def cut_power(self) -> None:
        """Nothing of the host is left but its disk."""
        first = self.pid
        kill({first}, lambda pid: pid == self.pid)  # with it the kernel ends all others, before one tells of another
        kill_processes_in([self.network.namespace_path(self.name)])
        self.network.disconnect(self.name)
        self.network.connect(self.name, self.index)

    def start(self, daemon: Daemon) -> None:
        run(*self.inside, "/lab/init", daemon)
        self.wait_for(daemon)

    def wait_for(self, daemon: Daemon) -> None:
        """Raises LabError with the end of the daemon's log when it is not ready in time."""
        pid = self.pid
        sockets = Path(f"/proc/{pid}/net/tcp")
        engine = Engine(Path(f"/proc/{pid}/root/run/docker.sock"), timeout=2)
        ready = engine.answers if daemon == "dockerd" else lambda: LISTENS_ON_22 in sockets.read_text()
        try:
            wait_until(ready, f"{daemon} of lab host {self.name} is ready")
        except LabError as late:
            log = self.folder / f"disk/upper/var/log/{daemon}.log"
            raise LabError(f"{late}\n{log.read_text()[-2000:]}") from late

    def daemon_pids(self, daemon: Daemon) -> set[int]:
        """The daemon's processes; newer sshd runs each session in a program of another name (sshd-session)."""
        return {pid for pid in self._processes() if _program(pid).startswith(daemon)}

    def kill(self, daemon: Daemon) -> None:
        kill(self.daemon_pids(daemon), lambda pid: pid in self.daemon_pids(daemon))

    def _processes(self) -> set[int]:
        return set(processes_in([self.network.namespace_path(self.name)]))


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
