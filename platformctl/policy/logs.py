"""The rule about log drivers: the engine, which is root, opens the files and sockets that their options name."""

import re
from collections.abc import Iterator, Mapping

from platformctl.model.compose import ComposeService
from platformctl.policy.rules import Rule, in_services, is_off, shown, words

_DRIVERS = words("awslogs etwlogs fluentd gcplogs gelf journald json-file local none splunk syslog")
_OF_THE_HOST = re.compile(r"\s*(?:/|unix(?:gram|packet)?:|file:)", re.IGNORECASE)
_NAMES_A_FILE = ("ca-cert", "tls-cert", "tls-key", "capath")


def _logging(service: ComposeService) -> Iterator[tuple[str, str]]:
    logging = service.definition.get("logging")
    if not isinstance(logging, Mapping):
        if not is_off(logging):
            yield "logging", "has a logging that is no mapping"
        return
    driver = logging.get("driver")
    if not is_off(driver) and not (isinstance(driver, str) and driver in _DRIVERS):
        yield "logging.driver", f"has the log driver {shown(driver)}"
    options = logging.get("options")
    for name, value in options.items() if isinstance(options, Mapping) else ():
        if name.endswith(_NAMES_A_FILE) or _OF_THE_HOST.match(str(value)):
            yield f"logging.options.{name}", f"has the log option {shown(name)}, which names a file of the host"


LOG_RULES = (
    Rule(
        "log-driver",
        why="the engine is root, and would open a file or socket of the host for the container",
        instead="use json-file, local or journald, or an address on the network",
        look=in_services(_logging),
    ),
)
