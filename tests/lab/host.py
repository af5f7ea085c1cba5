"""One host of a lab: asked without its network, broken on purpose, mended, emptied.

What is asked goes through the host's namespaces and its Docker socket, not through ssh, so that a test sees what is
true while a client sees nothing.
"""

import http.client
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.lab import faults, images
from tests.lab.disk import AGENT, AGENT_HOME, PLATFORM_ROOT, fingerprint
from tests.lab.engine import Engine, EngineRefused
from tests.lab.machine import run, wait_until
from tests.lab.place import Daemon, Place

BUILT_IN_NETWORKS = {"bridge", "host", "none"}
END_PROCESSES = f"pkill -KILL -u {AGENT} || :"
CLEAR_FILES = f"""
find {PLATFORM_ROOT} /tmp -mindepth 1 -delete
chown {AGENT}: {PLATFORM_ROOT}; chmod 755 {PLATFORM_ROOT}
find {AGENT_HOME} -mindepth 1 -maxdepth 1 ! -name .ssh -exec rm -rf {{}} +
"""
WRITE_FILE = 'umask 022; mkdir -p "$(dirname "$1")" && cat >"$1" && chown -h "$2:" "$(dirname "$1")" "$1"'


@dataclass(frozen=True)
class Host:
    """What an inventory says of a host, and what a test may do to it."""

    name: str
    address: str
    port: int
    user: str
    root: str
    host_keys: tuple[str, ...]
    """Public keys as `known_hosts` has them: type, blank, base64."""
    machine_id: str
    engine_id: str
    key_path: Path
    place: Place

    @property
    def host_key_fingerprints(self) -> tuple[str, ...]:
        return tuple(fingerprint(key) for key in self.host_keys)

    # --- ask -------------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """The host's pid 1 in this machine's counting; another one after `reboot`."""
        return self.place.pid

    @property
    def engine(self) -> Engine:
        return self.place.engine

    def docker(self, *arguments: str) -> str:
        """Standard output of the docker program, which asks this host's engine. Raises LabError when it fails."""
        return run("docker", "--host", f"unix://{self.engine.socket_path}", *arguments)

    def sh(self, command: str, stdin: bytes = b"") -> str:
        """Standard output of a shell command run by the host's root. Raises LabError when it fails."""
        return run(*self.place.inside, "sh", "-c", command, stdin=stdin)

    def write(self, path: str, content: bytes, owner: str = AGENT) -> None:
        """A file in the host, absolute or relative to the platform's root; its folder belongs to the owner too."""
        full = str(Path(PLATFORM_ROOT) / path)
        run(*self.place.inside, "sh", "-c", WRITE_FILE, "write", full, owner, stdin=content)

    def http(self, port: int, path: str = "/", patience: float = 20.0) -> tuple[int, str]:
        """Status and body, asked over the network within `patience` seconds; a port that refuses is asked again."""
        deadline = time.monotonic() + patience
        while True:
            try:
                return self._get(port, path, patience)
            except ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.005)

    def _get(self, port: int, path: str, timeout: float) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.address, port, timeout=timeout)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode(errors="replace")
        finally:
            connection.close()

    # --- break and mend --------------------------------------------------------------------------

    def partition(self, direction: Literal["both", "in", "out"] = "both") -> None:
        """Packets vanish. `in`: no request arrives; `out`: requests arrive and are carried out, no answer returns."""
        if direction != "out":
            faults.make(self.place, "cut-in")
        if direction != "in":
            faults.make(self.place, "cut-out")

    def freeze(self, daemon: Daemon) -> None:
        """The kernel still accepts connections for it; nothing is answered."""
        faults.make(self.place, f"{daemon}-frozen")

    def kill(self, daemon: Daemon) -> None:
        """Containers of a dead dockerd run on, until it is started again and stops them."""
        faults.make(self.place, f"{daemon}-dead")

    def start(self, daemon: Daemon) -> None:
        """After `kill`; returns when the daemon is ready."""
        faults.mend(self.place, f"{daemon}-dead")

    def reload_sshd(self) -> None:
        """sshd has its new settings: it writes its pid file when it listens again, and hears SIGHUP from then on."""
        listening = "grep -c '^Server listening on 0.0.0.0' /var/log/sshd.log || :"
        before = self.sh(listening)
        self.sh("kill -HUP $(cat /run/sshd.pid)")
        wait_until(
            lambda: self.sh(listening) != before and self.sh("[ ! -s /run/sshd.pid ] || echo y") == "y\n",
            "sshd has read its settings",
        )

    def fill_disk(self) -> None:
        """Not one byte is left for files and images."""
        faults.make(self.place, "disk-full")

    def reboot(self) -> None:
        """The power goes and comes back: processes are gone, the disk is kept, the network is as cut as before."""
        self.power_off()
        self.power_on()

    def power_off(self) -> None:
        """Nobody answers until the power is back."""
        self.place.cut_power()

    def power_on(self) -> None:
        """After `power_off`."""
        faults.forget_after_reboot(self.place)
        self.place.boot()

    def heal(self) -> None:
        """Every fault is mended."""
        faults.mend_all(self.place)

    # --- empty -----------------------------------------------------------------------------------

    def reset(self) -> None:
        """As new: healed, no process or file of the agent, nothing in Docker but the lab's images."""
        self.heal()
        self.sh(END_PROCESSES)
        self._remove_docker_objects()
        self.sh(CLEAR_FILES)  # no container makes a mounted folder anew any more
        self._restore_images()

    def _remove_docker_objects(self) -> None:
        """Until there is nothing: what was under way when its client was ended comes to an end of its own."""
        wait_until(self._has_no_docker_objects, "Docker has nothing any more")

    def _has_no_docker_objects(self) -> bool:
        """What there is goes; whether there was anything."""
        engine = self.engine
        found = [
            *(f"/containers/{each['Id']}?force=1&v=1" for each in engine.get("/containers/json?all=1")),
            *(f"/networks/{each['Id']}" for each in engine.get("/networks") if each["Name"] not in BUILT_IN_NETWORKS),
            *(f"/volumes/{each['Name']}?force=1" for each in engine.get("/volumes")["Volumes"] or ()),
        ]
        for path in found:
            with suppress(EngineRefused):  # it goes already, or is still in use
                engine.request("DELETE", path)
        return not found

    def _restore_images(self) -> None:
        """Tags are what tests move, so each is put back where it was."""
        engine = self.engine
        found = {image["Id"]: image["RepoTags"] for image in engine.get("/images/json")}
        if found != {image_id: [reference] for reference, image_id in images.ids().items()}:
            for image_id in found:
                engine.request("DELETE", f"/images/{image_id}?force=1")
            images.load(engine)
