"""Programs of Apache Kafka's, each in a process of its own that goes on while brokers come and go."""

import os
import shutil
import subprocess
import threading

from nodes import TIMEOUT_S, WORK

OPTIONS = ["-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
           "-Dorg.slf4j.simpleLogger.showDateTime=true", "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS"]


class Jvm:
    """One program through all its lives. Every line that it says to standard output is kept; the rest is its log."""

    every = []

    def __init__(self, name, classes, *arguments, options=()):
        self.name = name
        self.command = ["setpriv", "--pdeathsig", "KILL", "java", *OPTIONS, *options, "-cp", classes, *arguments]
        self.log = f"{WORK}/{name}.log"
        self.process, self.said = None, []
        Jvm.every.append(self)

    def start(self):
        self.said = []
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
        threading.Thread(target=self.listen, args=(self.process, self.said), daemon=True).start()

    @staticmethod
    def listen(process, said):
        for line in process.stdout:
            said.append(line.rstrip("\n"))

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.is_running():
            self.process.kill()
            self.process.wait()

    def stop(self):
        """Asks it to end, and waits."""
        self.process.terminate()
        self.process.wait(TIMEOUT_S)


def end_all():
    for each in Jvm.every:
        each.kill()
        if kept := os.environ.get("LOGS"):
            os.makedirs(kept, exist_ok=True)
            shutil.copy(each.log, kept)
