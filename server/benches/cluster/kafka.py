"""Three nodes of Apache Kafka, each a broker and a controller, with a heap of 1 GiB and Kafka's own defaults otherwise."""

import os
import subprocess

from nodes import WORK, Cluster, Node, free_ports

JARS = os.environ["KAFKA_JARS"]
CLUSTER_ID = "AAAAAAAAAAAAAAAAAAAAAQ"


class KafkaNode(Node):
    def __init__(self, number, address, control, folder):
        super().__init__(number, address, None, [], folder)
        self.control = control

    def configure(self, voters):
        with open(self.settings, "w") as file:
            file.write("\n".join([
                f"node.id={self.number}", "process.roles=broker,controller", f"controller.quorum.voters={voters}",
                f"listeners=EXTERNAL://{self.address},CONTROLLER://{self.control}", "controller.listener.names=CONTROLLER",
                "inter.broker.listener.name=EXTERNAL", "listener.security.protocol.map=EXTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
                f"log.dirs={self.folder}", ""]))

    def format(self):
        subprocess.run(["java", "-cp", JARS, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", self.settings], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(["java", "-Xms1g", "-Xmx1g", "-cp", JARS, "kafka.Kafka", self.settings],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def gauges(self):
        return {}


class KafkaCluster(Cluster):
    has_networks = False

    def __init__(self, nodes=3, folder=f"{WORK}/kafka"):
        os.makedirs(folder, exist_ok=True)
        self.folder = folder
        ports = [f"127.0.0.1:{port}" for port in free_ports(2 * nodes)]
        self.nodes = {number: KafkaNode(number, ports[number - 1], ports[nodes + number - 1], folder) for number in range(1, nodes + 1)}

    def format(self):
        voters = ",".join(f"{node.number}@{node.control}" for node in self.nodes.values())
        for node in self.nodes.values():
            node.configure(voters)
            node.format()
