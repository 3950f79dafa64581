#!/usr/bin/env python3
"""The simulator's arithmetic, without a planner: trainings, the story, the inventory, readings of GPUs, Prometheus' configuration.

usage: simulator_test.py REPOSITORY
"""
import pathlib
import random
import re
import sys
import unittest

ROOT = pathlib.Path(sys.argv.pop(1)).resolve()
sys.path.insert(0, str(ROOT / "deploy" / "demo"))
# pylint: disable=wrong-import-position,import-error
import dcgm  # noqa: E402
import gpus  # noqa: E402
import hosts  # noqa: E402
import inventory  # noqa: E402
import prometheus_config  # noqa: E402
import published  # noqa: E402
import story  # noqa: E402
import training  # noqa: E402

BEGIN = 1_800_000_000


class Still(random.Random):
    """No noise: what follows can be worked out by hand."""

    def gauss(self, mu=0.0, sigma=1.0):
        return mu


def played(incidents=(), steps=100, first_step=0, until=1000.0, noise=None):
    one = training.Training(0.5, steps, 10, incidents, noise or Still(), first_step)
    return one, one.advance(until)


class TrainingTest(unittest.TestCase):
    def test_reports_every_two_seconds_and_at_the_end(self):
        one, reports = played(steps=10)
        # 0.5 s a step: the 4th one ends at 2 s, the 8th at 4 s, the 10th is the last; 10 tokens a step are 20 a second.
        self.assertEqual(reports, [(2.0, 4, 20.0), (4.0, 8, 20.0), (5.0, 10, 20.0)])
        self.assertTrue(one.is_done)

    def test_is_the_same_however_often_it_is_advanced(self):
        incidents = [training.SlowNode(7.0, 1.5), training.Failure(40.0, 5.0)]
        _, at_once = played(incidents, until=120.0, noise=random.Random(7))
        one = training.Training(0.5, 100, 10, incidents, random.Random(7))
        piecemeal = [report for tenth in range(1201) for report in one.advance(tenth / 10)]
        self.assertEqual(piecemeal, at_once)
        self.assertGreater(len(at_once), 20)

    def test_a_slow_node_slows_every_step_after_it(self):
        _, reports = played([training.SlowNode(10.0, 2.0)], steps=40)
        # 20 steps in 10 s, the other 20 at 1 s; the step that would have ended at 10 s is slow already.
        self.assertAlmostEqual(reports[-1].seconds, 30.5)
        self.assertAlmostEqual(reports[-1].tokens_per_second, 10.0)

    def test_after_a_failure_it_goes_on_from_its_checkpoint(self):
        one, reports = played([training.Failure(30.2, 10.0)], steps=100)
        steps = [report.step for report in reports]
        # 25 s are 50 steps: the checkpoint. At 30.2 s 60 steps are done; at 40.2 s it is at 50 again, and 50 more take 25 s.
        self.assertIn(60, steps)
        self.assertEqual(steps[steps.index(60) + 1], 54)
        self.assertAlmostEqual(reports[steps.index(60) + 1].seconds, 42.2)
        self.assertAlmostEqual(reports[-1].seconds, 65.2)
        self.assertTrue(all(abs(report.tokens_per_second - 20) < 1e-6 for report in reports))
        self.assertEqual(one.checkpoint, 100)

    def test_cards_stand_still_while_it_restarts(self):
        one, _ = played([training.Failure(30.2, 10.0)], until=35.0)
        self.assertFalse(one.is_training_at(35.0))
        one.advance(41.0)
        self.assertTrue(one.is_training_at(41.0))

    def test_a_final_failure_ends_it(self):
        one, reports = played([training.Failure(30.2, 0.0, is_final=True)])
        self.assertTrue(one.is_over and one.has_failed and not one.is_done)
        self.assertEqual((reports[-1].step, one.checkpoint), (60, 50))

    def test_one_that_hangs_reports_nothing_more_and_never_ends(self):
        one, reports = played([training.Hang(10.2)])
        self.assertEqual(reports[-1].step, 20)
        self.assertTrue(one.hangs and not one.is_over)
        self.assertEqual(one.advance(1e6), [])

    def test_a_second_run_begins_at_the_checkpoint(self):
        _, reports = played(first_step=90)
        self.assertEqual(reports[-1], (5.0, 100, 20.0))

    def test_noise_is_the_seeds(self):
        self.assertEqual(played(noise=random.Random(3))[1], played(noise=random.Random(3))[1])
        self.assertNotEqual(played(noise=random.Random(3))[1], played(noise=random.Random(4))[1])


class StoryTest(unittest.TestCase):
    def setUp(self):
        self.runs = published.read(ROOT / "tests" / "accuracy" / "published_runs.csv")

    def test_is_of_64_nodes(self):
        self.assertEqual(sum(pool.nodes for pool in story.POOLS), 64)
        self.assertEqual(len({node for pool in story.POOLS for node in pool.node_names}), 64)

    def test_jobs_are_published_runs_on_the_clusters_gpus(self):
        types = {pool.gpu_type: pool.nodes * story.GPUS_PER_NODE for pool in story.POOLS}
        names = [job.name for job in story.JOBS + story.EARLIER_JOBS]
        self.assertEqual(len(set(names)), len(names))
        for job in story.JOBS + story.EARLIER_JOBS:
            for row in {job.planned_as, job.runs_as or job.planned_as}:
                self.assertLessEqual(self.runs[row].gpus, types[self.runs[row].gpu_type], job.name)
                self.assertGreater(self.runs[row].step_seconds, 0)

    def test_has_every_fate(self):
        kinds = [type(incident).__name__ for job in story.JOBS for incident in job.incidents]
        self.assertEqual(sorted(kinds), ["Failure", "Failure", "Hang", "SlowNode"])
        self.assertTrue(any(job.retry_after_days for job in story.JOBS))
        early = [job for job in story.JOBS if job.runs_as]
        self.assertTrue(early and all(self.runs[job.runs_as].step_seconds < 0.8 * self.runs[job.planned_as].step_seconds for job in early))

    def test_what_hangs_has_been_silent_for_longer_than_the_planner_waits(self):
        for job in story.JOBS:
            for incident in job.incidents:
                if isinstance(incident, training.Hang):
                    silent = -job.arrival * story.DAY - incident.at * job.days * story.DAY
                    self.assertGreater(silent, 600 + 30)

    def test_requests_say_everything_but_the_measured_time(self):
        request = published.estimate_request(self.runs["mlperf41-lora-h100-64"], "demo")
        self.assertEqual(request["training"], {"globalBatch": "8", "precision": "fp8", "framework": "megatron-core", "attention": "flash", "recompute": "NONE",
                                               "finetune": "LORA"})
        self.assertEqual(request["layout"], {"tensorParallel": "4", "pipelineParallel": "1", "dataParallel": "8", "contextParallel": "2", "microBatchSize": "1",
                                             "zeroStage": "1", "sequenceParallel": True})
        self.assertEqual(request["resources"], {"cluster": "demo", "gpuTypes": ["H100-SXM-80GB"], "minGpus": "64", "maxGpus": "64"})
        self.assertNotIn("0.5412", str(request))


class InventoryTest(unittest.TestCase):
    def test_host_lists(self):
        self.assertEqual(hosts.expand("h100-[01-03,07],a100-16"), ["h100-01", "h100-02", "h100-03", "h100-07", "a100-16"])
        self.assertEqual(hosts.expand(""), [])
        for pool in story.POOLS:
            self.assertEqual(hosts.expand(f"{pool.name}-[01-{pool.nodes:02}]"), pool.node_names)

    def test_changes_with_the_story(self):
        def conditions(day, failed=()):
            cluster = inventory.cluster(BEGIN, BEGIN + day * story.DAY, failed)
            return {condition["nodes"]: condition["state"] for pool in cluster["nodePools"] for condition in pool["nodeConditions"]}
        self.assertEqual(conditions(0), {"h100-46": "DOWN", "h100-47": "DRAINED", "h100-48": "DRAINED"})
        self.assertEqual(conditions(3), {"h100-46": "DOWN", "h100-47": "DRAINED"})
        self.assertEqual(conditions(3, ("a100-03",))["a100-03"], "DOWN")
        first = inventory.changes(BEGIN)[0]
        before, after = (inventory.cluster(BEGIN, first + shift) for shift in (-1, 1))
        self.assertNotEqual(before, after)

    def test_a_job_that_overruns_occupies_its_nodes(self):
        cluster = inventory.cluster(BEGIN, BEGIN, (), [("late", ["a100-01", "a100-02"])])
        occupied = {pool["name"]: [occupation["nodes"] for occupation in pool["occupations"]] for pool in cluster["nodePools"]}
        self.assertEqual(occupied, {"h100": ["h100-[40-45]"], "a100": ["a100-[15-16]", "a100-01,a100-02"]})


class GpuTest(unittest.TestCase):
    def page(self, load, failed=()):
        pool = story.POOLS[0]
        readings = [one for one in gpus.readings({"h100-01": load}, failed, Still()) if one.node == "h100-01"]
        return dcgm.page(readings, pool)

    def values(self, text, name):
        return [float(value) for value in re.findall(rf"^{name}\{{[^}}]*\}} (\S+)$", text, re.MULTILINE)]

    def test_a_training_works_the_tensor_cores_a_little_more_than_its_mfu(self):
        text = self.page(gpus.training_load("job", 0.4, 40 * 2**30, True, False))
        self.assertEqual(self.values(text, "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE"), [0.44] * 8)
        self.assertEqual(self.values(text, "DCGM_FI_DEV_GPU_UTIL"), [98.0] * 8)
        self.assertEqual(self.values(text, "DCGM_FI_DEV_FB_USED"), [40960.0] * 8)
        # 110 W idle, 590 W more at most, of which 0.25 + 0.9 x 0.44 + 0.3 x 0.45 = 0.781.
        self.assertEqual(self.values(text, "DCGM_FI_DEV_POWER_USAGE"), [570.79] * 8)
        self.assertEqual(text.count('hpc_job="job"'), 8 * len(dcgm.METRICS))

    def test_one_that_hangs_is_busy_and_does_nothing(self):
        text = self.page(gpus.training_load("job", 0.4, 40 * 2**30, False, True))
        self.assertEqual((self.values(text, "DCGM_FI_DEV_GPU_UTIL"), self.values(text, "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE")), ([100.0] * 8, [0.0] * 8))

    def test_a_card_that_failed_says_so(self):
        text = self.page(gpus.IDLE, {"h100-01"})
        self.assertEqual(self.values(text, "DCGM_FI_DEV_XID_ERRORS"), [79.0] + [0.0] * 7)
        self.assertNotIn("hpc_job", text)


class PrometheusConfigTest(unittest.TestCase):
    def setUp(self):
        self.text = (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text()

    def test_every_node_that_boots_is_a_target_behind_the_proxy(self):
        found = prometheus_config.configuration(self.text, "127.0.0.1:1", "127.0.0.1:2")
        self.assertEqual(len(set(re.findall(r"[ah]100-\d\d:9400", found))), 63)
        self.assertIn('- targets: ["127.0.0.1:1"]', found)
        self.assertIn("proxy_url: http://127.0.0.1:2\n", found)
        self.assertNotIn("example.org", found)
        self.assertIn("- rules/alerts.yml", found)

    def test_a_file_that_has_changed_is_not_half_adapted(self):
        with self.assertRaises(AssertionError):
            prometheus_config.configuration(self.text.replace("9464", "9465"), "127.0.0.1:1", "127.0.0.1:2")


if __name__ == "__main__":
    unittest.main()
