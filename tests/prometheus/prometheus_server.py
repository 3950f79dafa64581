"""Debian's Prometheus on a free port of loopback, with its data in a folder of its own, and the few questions that tests ask it."""
import json
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

START_SECONDS = 20
PORT_TRIES = 5


class Refused(Exception):
    """Prometheus did not answer with success. The text says why."""


class Api:
    """The HTTP API of a Prometheus that runs."""

    def __init__(self, url):
        self.url = url.rstrip("/")

    def get(self, path, **parameters):
        query = urllib.parse.urlencode(parameters, doseq=True)
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=10) as response:
                answer = json.load(response)
        except urllib.error.HTTPError as error:
            answer = json.load(error)
        if answer["status"] != "success":
            raise Refused(f"{answer.get('errorType')}: {answer.get('error')}")
        return answer["data"]

    def series(self, expr):
        """The labels of every series that an instant query answers with."""
        data = self.get("query", query=expr)
        return [{}] if data["resultType"] == "scalar" else [one["metric"] for one in data["result"]]

    def label_values(self, selector, label):
        return self.get(f"label/{urllib.parse.quote(label)}/values", **{"match[]": selector})

    def rules(self):
        return [rule for group in self.get("rules")["groups"] for rule in group["rules"]]

    def targets(self):
        return self.get("targets", state="active")["activeTargets"]


def wait_until(condition, seconds, what):
    """Asks again until it holds. Prometheus has no way to tell."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.1)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """Scrapes `targets` (job, address, labels) once a second and evaluates the rules of `rule_files` as often, until it is left."""

    def __init__(self, targets, rule_files=()):
        assert shutil.which("prometheus"), "prometheus is not installed: it is in deploy/debian-packages.txt"
        self.folder = tempfile.TemporaryDirectory(prefix="prometheus-")
        self.process = None
        # JSON is YAML.
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(pathlib.Path(file).resolve()) for file in rule_files],
            "scrape_configs": [{"job_name": job, "static_configs": [
                {"targets": [address], "labels": labels} for other, address, labels in targets if other == job]}
                for job in dict.fromkeys(job for job, _, _ in targets)],
        }
        self.config = pathlib.Path(self.folder.name, "prometheus.yml")
        self.config.write_text(json.dumps(config))
        self.log = pathlib.Path(self.folder.name, "log")

    def start(self, port):
        """Whether it is ready. False: it has ended, as it does where somebody else has taken the port meanwhile."""
        with self.log.open("w") as log:
            # It ends with the test, however that ends.
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "prometheus", f"--config.file={self.config}",
                 f"--storage.tsdb.path={self.folder.name}/data", f"--web.listen-address=127.0.0.1:{port}",
                 "--storage.tsdb.retention.time=1h"], stdout=log, stderr=log)
        self.api = Api(f"http://127.0.0.1:{port}")
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.api.url}/-/ready", timeout=1):
                    return self.process.poll() is None
            except OSError:
                time.sleep(0.05)
        return False

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self):
        for _ in range(PORT_TRIES):
            if self.start(free_port()):
                return self.api
            self.stop()
        text = self.log.read_text()
        self.folder.cleanup()
        raise AssertionError(f"prometheus did not start:\n{text[-2000:]}")

    def __exit__(self, *_):
        self.stop()
        self.folder.cleanup()
