#!/usr/bin/env python3
"""The checks of dashboards.py notice what they are for: a committed dashboard, made wrong in one way at a time.

usage: dashboards_test.py FOLDER METRICS_TABLE
"""
import copy
import sys
import unittest

import dashboard
import dashboards
import metrics_table

FOLDER, TABLE = sys.argv[1:3]



def wrong_in_one_way():
    """(what is made wrong, how, part of the complaint)"""
    def panels(board):
        return [panel for panel in board["panels"] if panel["type"] != "row"]

    return [
        ("an id twice", lambda b: panels(b)[1].update(id=panels(b)[0]["id"]), "ids must be positive and unique"),
        ("a title twice", lambda b: panels(b)[1].update(title=panels(b)[0]["title"]), "the same title"),
        ("too wide", lambda b: panels(b)[0]["gridPos"].update(w=25), "not within 24 columns"),
        ("an overlap", lambda b: panels(b)[1]["gridPos"].update(x=panels(b)[0]["gridPos"]["x"] + 1), "overlap"),
        ("no unit", lambda b: panels(b)[0]["fieldConfig"]["defaults"].pop("unit"), "no unit"),
        ("no description", lambda b: panels(b)[0].pop("description"), "no description"),
        ("a fixed data source", lambda b: panels(b)[0]["targets"][0].update(datasource={"uid": "mine"}), "data source"),
        ("thresholds that fall", lambda b: panels(b)[0]["fieldConfig"]["defaults"].update(
            thresholds={"steps": [{"value": None, "color": "a"}, {"value": 2, "color": "b"}, {"value": 1, "color": "c"}]}), "must climb"),
        ("a variable that is gone", lambda b: b["templating"]["list"].pop(1), "$cluster is not defined"),
        ("a spare variable", lambda b: b["templating"]["list"].append({"name": "spare", "type": "custom"}), "$spare is not used"),
        ("a misspelt metric", lambda b: panels(b)[0]["targets"][0].update(expr="planner_cluster_gpu"), "not in the table of metrics"),
        ("broken PromQL", lambda b: panels(b)[0]["targets"][0].update(expr="sum by cluster (planner_cluster_gpus)"), "not PromQL"),
        ("a link to nowhere", lambda b: panels(b)[0].update(links=[{"url": "/d/planner-nowhere?var-run=x"}]), "which is no dashboard"),
        ("a link with too much", lambda b: panels(b)[0].update(links=[{"url": "/d/planner-health?var-run=x"}]), "a variable run"),
        ("a uid twice", lambda b: b.update(uid="planner-health"), "the same uid"),
    ]


class DashboardsTest(unittest.TestCase):
    def complaints(self, change):
        boards = dashboard.read_all(FOLDER)
        fleet = next(index for index, board in enumerate(boards) if board.uid == "planner-fleet")
        boards[fleet].json = copy.deepcopy(boards[fleet].json)
        change(boards[fleet].json)
        boards[fleet].uid = boards[fleet].json["uid"]
        boards[fleet].variables = {variable["name"]: variable for variable in boards[fleet].json["templating"]["list"]}
        return list(dashboards.of_dashboards(boards, metrics_table.read(TABLE)))

    def test_committed_ones_are_right(self):
        self.assertEqual(self.complaints(lambda board: None), [])

    def test_wrong_ones_are_noticed(self):
        for what, change, complaint in wrong_in_one_way():
            with self.subTest(what):
                self.assertTrue(any(complaint in one for one in self.complaints(change)), self.complaints(change))

    def test_a_rule_on_an_unknown_metric_is_noticed(self):
        metrics = metrics_table.read(TABLE)
        self.assertEqual(dashboards.unknown_metrics([("planner_rpc_duration_seconds_bucket", ""), ("up", "")], metrics), [])
        self.assertEqual(dashboards.unknown_metrics([("planner_rpc_duration_seconds", "")], metrics), ["planner_rpc_duration_seconds"])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
