"""A lab of real hosts on one machine: own network, processes, files, sshd and dockerd each.

A host is a set of namespaces over an overlay whose lower layer is this machine's own root, so it runs whatever
is installed here and costs about 0.3 s and 50 MB. `Lab` makes and removes hosts, `Host` asks one and breaks it,
`python -m tests.lab` does the same from a shell. Needs root and what `setup_lab_tools` in scripts/setup.sh installs.
"""

from tests.lab.host import Host
from tests.lab.lab import Lab, LabUnavailable
from tests.lab.machine import LabError

__all__ = ["Host", "Lab", "LabError", "LabUnavailable"]
