"""How many people a host asks for: by its name, by its labels, the strictest of all."""

from platformctl.model.desired import HostEntry
from platformctl.model.names import HostName
from platformctl.model.policy import ApprovalRule

PROD, EDGE, BARE = (HostName(name) for name in ("prod", "edge", "bare"))
HOSTS = {
    PROD: HostEntry(PROD, "ssh", "/opt/platform", labels={"env": "prod", "tier": "data"}),
    EDGE: HostEntry(EDGE, "ssh", "/opt/platform", labels={"env": "edge"}),
    BARE: HostEntry(BARE, "ssh", "/opt/platform"),
}


def people(rule: ApprovalRule, host: HostName, *, destructive: bool = False) -> int:
    return rule.for_hosts(HOSTS).people_for(host, destructive=destructive)


def test_a_label_asks_for_as_many_people_as_it_says() -> None:
    rule = ApprovalRule(per_label={"env=prod": 2})
    assert [people(rule, host) for host in HOSTS] == [2, 1, 1]


def test_the_strictest_of_name_labels_and_destruction_counts() -> None:
    rule = ApprovalRule(destructive=3, per_host={PROD: 2, EDGE: 5}, per_label={"env=prod": 1, "tier=data": 4})
    assert [people(rule, host) for host in HOSTS] == [4, 5, 1]
    assert [people(rule, host, destructive=True) for host in HOSTS] == [4, 5, 3]


def test_a_label_of_another_value_asks_for_nothing() -> None:
    assert people(ApprovalRule(per_label={"env=production": 9, "prod=env": 9}), PROD) == 1
