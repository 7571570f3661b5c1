"""Where a group's coordinator is, and how it is killed: in a cluster of three, or in a broker that is alone."""

import group_wire
import nodes
from broker import Broker
from nodes import wait_for


def ask_all(addresses, group):
    """The coordinator's node and address, as the first node says that knows it."""
    for address in addresses:
        try:
            return group_wire.find(address, group)
        except (OSError, group_wire.Refused):
            pass
    return None


class OneBroker(Broker):
    """A broker in the place of a cluster, for other brokers than ours."""

    replicas = 1

    @property
    def addresses(self):
        return f"127.0.0.1:{self.port}"

    def format(self):
        pass

    def coordinator(self, group):
        return ask_all([self.addresses], group)

    def kill_coordinator(self, _):
        self.kill()
        self.start()
        return "the broker"

    def heal(self, topic, partitions):
        pass

    def end(self):
        if self.process and self.process.poll() is None:
            self.kill()


class ThreeNodes(nodes.Cluster):
    replicas = 3

    def start(self):
        super().start()
        wait_for("a cluster of three", lambda: (said := self.metadata(1, [])) and len(said.brokers) == 3)

    def coordinator(self, group):
        return ask_all([node.address for node in self.nodes.values()], group)

    def kill_coordinator(self, group):
        number, _ = wait_for("a coordinator", lambda: self.coordinator(group))
        self.nodes[number].kill()
        return f"node {number}"

    def heal(self, topic, partitions):
        """Brings it back, and waits until a topic has all its replicas."""
        for node in self.nodes.values():
            if node.process.poll() is not None:
                node.start()
        wait_for("a whole cluster", lambda: self.leaders(topic, partitions))
