"""People who look around and ask, so that the planner has more to do than runs alone: its own health has something to show."""
import random

import published
import story

MODELS = ("llama-3-8b", "gpt2-xl", "mixtral-8x7b", "resnet50", "llama-2-70b")


class Visitors:
    def __init__(self, planner, published_runs, seed):
        self.planner = planner
        self.random = random.Random(f"{seed} visitors")
        self.jobs = [job for job in story.JOBS if job.arrival >= 0]
        self.published_runs = published_runs

    def ask(self):
        """One question of somebody."""
        question = self.random.choice((self.estimate, self.count, self.planner.list_plans, self.planner.list_runs, self.look_at_cluster))
        question()

    def estimate(self):
        self.planner.estimate(published.estimate_request(self.published_runs[self.random.choice(self.jobs).planned_as], story.CLUSTER))

    def count(self):
        self.planner.count(self.random.choice(MODELS))

    def look_at_cluster(self):
        self.planner.get_cluster(story.CLUSTER)
