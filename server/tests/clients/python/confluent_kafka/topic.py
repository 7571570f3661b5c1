"""Creates or deletes a topic, for kcat, which cannot: topic.py create TOPIC PARTITIONS [NAME=VALUE...] | delete TOPIC..."""

import os
import sys

from confluent_kafka.admin import AdminClient, NewTopic

verb, *arguments = sys.argv[1:]
admin = AdminClient({"bootstrap.servers": os.environ["BOOTSTRAP"]})
if verb == "create":
    topic, partitions, *configs = arguments
    config = dict(setting.split("=", 1) for setting in configs)
    futures = admin.create_topics([NewTopic(topic, int(partitions), 1, config=config)])
else:
    futures = admin.delete_topics(arguments)
for future in futures.values():
    future.result(30)
