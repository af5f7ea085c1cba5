"""Random edits of a module: of its compose file, of files beside it, and of what runs on the host behind its back.

Everything is drawn from the `Random` given, so that a seed is a whole sequence of edits.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.lab import Host

SLEEPER, HEALTHY, JOB = (f"platformctl-lab/{name}:1" for name in ("sleeper", "healthy", "job"))
Document = dict[str, Any]
OnHost = Callable[[Host], object]


@dataclass(frozen=True)
class Edit:
    """The compose file after the edit, files beside it by name, and what is done on the host; `name` are words."""

    name: str
    document: Document
    files: Mapping[str, str] = field(default_factory=dict)
    on_host: OnHost | None = None


@dataclass(frozen=True)
class _Drawn:
    """What an edit is made from: a copy to change, the module's own service, and one service of its closure."""

    random: Random
    document: Document
    main: str
    service: str
    project: str

    @property
    def definition(self) -> dict[str, Any]:
        found: dict[str, Any] = self.document["services"][self.service]
        return found

    @property
    def number(self) -> int:
        return self.random.randrange(10**6)

    def edit(self, words: str, files: Mapping[str, str] | None = None) -> Edit:
        return Edit(f"{words} of {self.service}", self.document, files or {})

    def behind_its_back(self, *words: str) -> Edit | None:
        if self.definition.get("scale") == 0:
            return None

        def on_host(host: Host) -> None:
            found = host.docker("ps", "-aq", "--filter", f"label=com.docker.compose.project={self.project}",
                                "--filter", f"label=com.docker.compose.service={self.service}").split()  # fmt: skip
            host.docker(*words, found[0])

        return Edit(f"docker {' '.join(words)} {self.service}", self.document, on_host=on_host if words else None)


def draw(random: Random, document: Document, main: str, project: str) -> Edit:
    """One edit that leaves the module one that comes up and stays up."""
    services = sorted(closure(document, main))
    while True:
        drawn = _Drawn(random, deepcopy(document), main, random.choice(services), project)
        edit = random.choice(_EDITS)(drawn)
        if edit is not None:
            return edit


def closure(document: Document, main: str) -> set[str]:
    """The services that `up -d` of `main` starts."""
    services = document["services"]
    enabled = set(services[main].get("profiles", ()))
    found: set[str] = set()
    open_names = [main]
    while open_names:
        name = open_names.pop()
        if name not in found:
            found.add(name)
            needed = services[name].get("depends_on", {})
            away = {
                each
                for each, how in needed.items()
                if how.get("required") is False and _is_off(services[each], enabled)
            }
            linked = (link.partition(":")[0] for link in services[name].get("links", ()))
            open_names += {*needed, *linked} - away
    return found


def _is_off(service: Mapping[str, Any], enabled: set[str]) -> bool:
    return bool(service.get("profiles")) and enabled.isdisjoint(service["profiles"])


def generated(random: Random) -> Document:
    """A compose file of up to five services, the first of which needs the others, some of them in a chain."""
    names = [f"s{number}" for number in range(random.randint(2, 5))]
    services = {name: _service(random) for name in names}
    for position, name in enumerate(names[:-1]):
        needed = random.sample(names[position + 1 :], k=random.randint(1, len(names) - position - 1))
        services[name]["depends_on"] = {each: _condition(random, services[each]) for each in sorted(needed)}
    services["s0"].pop("one_shot", None)
    return {"services": services, "networks": {"other": {}}, "volumes": {"data": {}}}


def _service(random: Random) -> dict[str, Any]:
    service: dict[str, Any] = {"image": random.choice([SLEEPER, HEALTHY]), "environment": {"A": "1"}}
    if random.random() < 0.3:
        service["restart"] = "unless-stopped"
    if random.random() < 0.3:
        service["networks"] = {"default": {}, "other": {}}
    if random.random() < 0.3:
        service["volumes"] = ["data:/data"]
    return service


def _condition(random: Random, needed: Mapping[str, Any]) -> dict[str, Any]:
    healthy = needed["image"] == HEALTHY and random.random() < 0.5
    restart = {"restart": True} if random.random() < 0.3 else {}
    return {"condition": "service_healthy" if healthy else "service_started", **restart}


# --- edits of the repository -----------------------------------------------------------------------


def _nothing(drawn: _Drawn) -> Edit:
    return Edit("nothing", drawn.document)


def _environment(drawn: _Drawn) -> Edit:
    drawn.definition.setdefault("environment", {})["EDITED"] = str(drawn.number)
    return drawn.edit("environment")


def _label(drawn: _Drawn) -> Edit:
    drawn.definition.setdefault("labels", {})["edited"] = str(drawn.number)
    return drawn.edit("label")


def _restart(drawn: _Drawn) -> Edit | None:
    if _is_one_shot(drawn):
        return None
    now = drawn.definition.get("restart", "no")
    drawn.definition["restart"] = drawn.random.choice(sorted({"no", "always", "unless-stopped"} - {now}))
    return drawn.edit("restart policy")


def _hostname(drawn: _Drawn) -> Edit:
    drawn.definition["hostname"] = f"h{drawn.number}"
    return drawn.edit("hostname")


def _memory(drawn: _Drawn) -> Edit:
    drawn.definition["mem_limit"] = f"{drawn.random.randint(32, 64)}m"
    return drawn.edit("memory limit")


def _image(drawn: _Drawn) -> Edit | None:
    """Only of a service whose health nobody waits for: the images differ in that alone."""
    image = drawn.definition["image"]
    if image not in (SLEEPER, HEALTHY) or _is_waited_for(drawn):
        return None
    drawn.definition["image"] = SLEEPER if image == HEALTHY else HEALTHY
    return drawn.edit("image")


def _scale(drawn: _Drawn) -> Edit | None:
    if _is_one_shot(drawn) or drawn.definition.keys() & {"ports", "container_name", "deploy"}:
        return None
    drawn.definition["scale"] = 1 if drawn.definition.get("scale", 1) == 2 else 2
    return drawn.edit("scale")


def _new_service(drawn: _Drawn) -> Edit | None:
    if len(drawn.document["services"]) > 6:
        return None
    name = f"new{drawn.number}"
    drawn.document["services"][name] = {"image": SLEEPER}
    drawn.definition.setdefault("depends_on", {})[name] = {"condition": "service_started"}
    return drawn.edit("a new dependency")


def _needed_no_longer(drawn: _Drawn) -> Edit | None:
    needed = drawn.definition.get("depends_on")
    if not needed:
        return None
    del needed[drawn.random.choice(sorted(needed))]
    return drawn.edit("a dependency less")


def _linked(drawn: _Drawn) -> Edit | None:
    if len(drawn.document["services"]) > 6:
        return None
    name = f"linked{drawn.number}"
    drawn.document["services"][name] = {"image": SLEEPER}
    drawn.definition.setdefault("links", []).append(name)
    return drawn.edit("a new link")


def _if_it_is_there(drawn: _Drawn) -> Edit | None:
    """A dependency of a profile, which is there where the module's own service has that too."""
    if len(drawn.document["services"]) > 6:
        return None
    name = f"rare{drawn.number}"
    drawn.document["services"][name] = {"image": SLEEPER, "profiles": ["rare"]}
    drawn.definition.setdefault("depends_on", {})[name] = {"condition": "service_started", "required": False}
    return drawn.edit("a new dependency of a profile")


def _profile_of_main(drawn: _Drawn) -> Edit:
    main = drawn.document["services"][drawn.main]
    if main.pop("profiles", None) is None:
        main["profiles"] = ["rare"]
    return Edit("profile of the module's own service", drawn.document)


def _none(drawn: _Drawn) -> Edit | None:
    if _is_one_shot(drawn) or drawn.definition.keys() & {"ports", "container_name", "deploy"}:
        return None
    drawn.definition["scale"] = 1 if drawn.definition.get("scale") == 0 else 0
    return drawn.edit("scale to or from 0")


def _mounted_file(drawn: _Drawn) -> Edit:
    mount = f"./mounted-{drawn.service}:/etc/mounted:ro"
    volumes = drawn.definition.setdefault("volumes", [])
    if mount not in volumes:
        volumes.append(mount)
    return drawn.edit("mounted file", {f"mounted-{drawn.service}": f"{drawn.number}\n"})


def _env_file(drawn: _Drawn) -> Edit:
    drawn.definition["env_file"] = [f"./{drawn.service}.env"]
    return drawn.edit("env file", {f"{drawn.service}.env": f"EDITED_FILE={drawn.number}\n"})


def _network(drawn: _Drawn) -> Edit:
    drawn.document.setdefault("networks", {})["edited"] = {}
    has = set(drawn.definition.get("networks", {"default": {}}))
    drawn.definition["networks"] = {name: {} for name in sorted({"default"} | (has ^ {"edited"}))}
    return drawn.edit("networks")


def _volume(drawn: _Drawn) -> Edit:
    name = f"v{drawn.number}"
    drawn.document.setdefault("volumes", {})[name] = {}
    drawn.definition.setdefault("volumes", []).append(f"{name}:/{name}")
    return drawn.edit("a new volume")


def _two_at_once(drawn: _Drawn) -> Edit:
    first = draw(drawn.random, drawn.document, drawn.main, drawn.project)
    second = draw(drawn.random, first.document, drawn.main, drawn.project)
    if first.on_host and second.on_host:
        return first
    return Edit(
        f"{first.name}, and {second.name}",
        second.document,
        {**first.files, **second.files},
        first.on_host or second.on_host,
    )


# --- edits behind the module's back ----------------------------------------------------------------


def _stopped(drawn: _Drawn) -> Edit | None:
    return drawn.behind_its_back("stop", "--time=0")


def _killed(drawn: _Drawn) -> Edit | None:
    """One that ended already can not be killed, and one that is restarted is only restarted."""
    return None if _is_one_shot(drawn) or drawn.definition.get("restart") else drawn.behind_its_back("kill")


def _removed(drawn: _Drawn) -> Edit | None:
    return drawn.behind_its_back("rm", "--force")


def _restarted(drawn: _Drawn) -> Edit | None:
    return drawn.behind_its_back("restart", "--time=0")


def _other_policy(drawn: _Drawn) -> Edit | None:
    """A policy that the compose file does not ask for."""
    if _is_one_shot(drawn) or drawn.definition.get("restart", "no") == "always":
        return None
    return drawn.behind_its_back("update", "--restart=always")


def _is_one_shot(drawn: _Drawn) -> bool:
    return bool(drawn.definition["image"] == JOB)


def _is_waited_for(drawn: _Drawn) -> bool:
    needs = (each.get("depends_on", {}).get(drawn.service, {}) for each in drawn.document["services"].values())
    return any(need.get("condition") != "service_started" for need in needs if need)


_EDITS: tuple[Callable[[_Drawn], Edit | None], ...] = (
    *(_nothing, _environment, _label, _restart, _hostname, _memory, _image, _scale, _new_service, _needed_no_longer),
    *(_linked, _if_it_is_there, _profile_of_main, _none, _mounted_file, _env_file, _network, _volume, _two_at_once),
    *(_stopped, _killed, _removed, _restarted, _other_policy),
)
