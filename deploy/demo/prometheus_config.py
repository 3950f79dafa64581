#!/usr/bin/env python3
"""deploy/prometheus/prometheus.yml for the demo: the same jobs and rules, with the demo's addresses, asked more often.

usage: prometheus_config.py PLANNERD_METRICS_ADDRESS WEB_ADDRESS < deploy/prometheus/prometheus.yml > prometheus.yml

Beside it a link named rules must lead to deploy/prometheus/rules.
"""
import json
import re
import sys

import story


def replaced(pattern, replacement, text):
    """Everything that is replaced must be there: a file that has changed meanwhile is not passed on half adapted."""
    text, count = re.subn(pattern, lambda _: replacement, text, flags=re.MULTILINE | re.DOTALL)
    assert count == 1, f"{count} places instead of one match: {pattern}"
    return text


def configuration(text, plannerd, web):
    # Minutes are played, not weeks.
    text = replaced(r"scrape_interval: 15s", "scrape_interval: 5s", text)
    text = replaced(r"evaluation_interval: 15s", "evaluation_interval: 5s", text)
    text = replaced(r'\["127\.0\.0\.1:9464"\]', json.dumps([plannerd]), text)
    # All nodes are behind one proxy, which plays their exporters.
    text = replaced(r"- job_name: dcgm-exporter\n", f"- job_name: dcgm-exporter\n    proxy_url: http://{web}\n", text)
    text = replaced(r'\["gpu001\.example\.org:9400", "gpu002\.example\.org:9400"\]\n        labels:\n          cluster: main',
                    f"{json.dumps(story.exporters())}\n        labels:\n          cluster: {story.CLUSTER}", text)
    # Of the nodes' own metrics nothing is shown; of the jobs' names is.
    return replaced(r"  - job_name: node-exporter\n.*\Z", f"""  - job_name: scheduler
    static_configs:
      - targets: ["{web}"]
""", text)


if __name__ == "__main__":
    sys.stdout.write(configuration(sys.stdin.read(), sys.argv[1], sys.argv[2]))
