"""The synchronous and the asynchronous client, against a real plannerd and against a planner that does as it is told."""

import asyncio
import functools
import inspect
import pickle
import subprocess
import sys
import tempfile
import unittest
from typing import Any, Awaitable, Callable, List

import grpc
from daemon import Daemon, Mute, request
from fake_planner import FakePlanner, refuse

import planner_client
from planner_client import AsyncClient, Client, Retry, methods
from planner_client.api.v1 import plan_service_pb2, run_pb2


class SyncAsAsync:
    """A Client with the face of an AsyncClient, so that every case is run with both."""

    def __init__(self, *arguments: Any, wait: Any = None, **named: Any) -> None:
        self._client = Client(*arguments, **named, **({"wait": lambda seconds: asyncio.run(wait(seconds))} if wait else {}))

    async def __aenter__(self) -> "SyncAsAsync":
        return self

    async def __aexit__(self, *unused: Any) -> None:
        self._client.close()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if inspect.isgeneratorfunction(method):
            async def answers(*arguments: Any, **named: Any) -> Any:
                for one in method(*arguments, **named):
                    yield one
            return answers

        async def answer(*arguments: Any, **named: Any) -> Any:
            return await asyncio.get_running_loop().run_in_executor(None, functools.partial(method, *arguments, **named))
        return answer


def with_both(case: Callable[[Any, Any], Awaitable[None]]) -> Callable[[Any], None]:
    @functools.wraps(case)
    def run(test: Any) -> None:
        for kind in (SyncAsAsync, AsyncClient):
            with test.subTest(kind.__name__):
                asyncio.run(case(test, kind))
    return run


async def listed(answers: Any) -> List[Any]:
    return [one async for one in answers]


class RealPlanner(unittest.TestCase):
    @with_both
    async def test_a_plan_and_its_runs(self, make: Any) -> None:
        with Daemon() as daemon:
            async with make(daemon.address) as planner:
                self.assertEqual(list((await planner.get_version()).api_versions), ["planner.v1"])
                answer = await planner.estimate(request())
                self.assertEqual(answer.recommendations[0].gpu_type, "A100-SXM-80GB")
                plan = await planner.create_plan(request(), description="nightly")
                self.assertEqual((await planner.get_plan(plan.name)).description, "nightly")
                self.assertEqual([one.name for one in await listed(planner.list_plans())], [plan.name])
                self.assertEqual((await planner.confirm_plan(plan.name)).state, plan_service_pb2.Plan.CONFIRMED)

                run = await planner.start_run(plan.name, description="first")
                samples = [run_pb2.ProgressSample(step=step) for step in range(1, 2501)]
                for sample in samples:
                    sample.time.CopyFrom(run.start_time)
                    sample.time.nanos = 0
                    sample.time.seconds += 1
                answer = await planner.report_progress(run.name, samples)
                # Three messages; times of the second to come are within the planner's tolerance.
                self.assertEqual((answer.accepted_count, answer.refused_count), (2500, 0))
                ended = await planner.finish_run(run.name, run_pb2.Run.FAILED, message="out of memory")
                self.assertEqual((ended.state, ended.message, ended.actual.last.step), (run_pb2.Run.FAILED, "out of memory", 2500))
                self.assertEqual([one.name for one in await listed(planner.list_runs(plan=plan.name, state=run_pb2.Run.FAILED))], [run.name])
                self.assertEqual(await listed(planner.list_runs(state=run_pb2.Run.RUNNING)), [])
                await planner.delete_run(run.name)
                with self.assertRaises(planner_client.NotFoundError):
                    await planner.get_run(run.name)
                self.assertEqual((await planner.cancel_plan(plan.name)).state, plan_service_pb2.Plan.CANCELLED)
                await planner.delete_plan(plan.name)

    @with_both
    async def test_the_same_request_id_makes_one(self, make: Any) -> None:
        with Daemon() as daemon:
            async with make(daemon.address) as planner:
                first = await planner.create_plan(request(), request_id="a")
                self.assertEqual((await planner.create_plan(request(), request_id="a")).name, first.name)
                self.assertNotEqual((await planner.create_plan(request())).name, first.name)

    @with_both
    async def test_catalogues(self, make: Any) -> None:
        with Daemon(config='clusters { name: "one" node_pools { name: "p" gpu_type: "A100-SXM-80GB" node_count: 1 gpus_per_node: 8 } }') as daemon:
            async with make(daemon.address) as planner:
                self.assertIn("llama-7b", [model.name for model in await listed(planner.list_models())])
                self.assertEqual((await planner.get_model("gpt2")).parameter_count, 124439808)
                self.assertIn("H100-SXM-80GB", [gpu.name for gpu in await listed(planner.list_gpu_types())])
                self.assertEqual((await planner.get_gpu_type("a100")).name, "A100-SXM-80GB")
                self.assertEqual([cluster.name for cluster in await listed(planner.list_clusters())], ["clusters/one"])
                self.assertEqual((await planner.get_cluster("one")).node_pools[0].node_count, 1)

    @with_both
    async def test_errors_have_the_field(self, make: Any) -> None:
        wrong = request()
        wrong.resources.max_gpus = -1
        with Daemon() as daemon:
            async with make(daemon.address) as planner:
                with self.assertRaises(planner_client.InvalidArgumentError) as raised:
                    await planner.estimate(wrong)
                self.assertEqual((raised.exception.field, raised.exception.reason, raised.exception.code),
                                 ("resources.max_gpus", "OUT_OF_RANGE", grpc.StatusCode.INVALID_ARGUMENT))
                self.assertIn("max_gpus=-1", str(raised.exception))
                with self.assertRaises(planner_client.NotFoundError):
                    await planner.get_plan("plans/20260101-000000-4f3a9c01")
                with self.assertRaises(planner_client.FailedPreconditionError) as refused:
                    plan = await planner.create_plan(request())
                    await planner.cancel_plan(plan.name)
                    await planner.start_run(plan.name)
                self.assertEqual(refused.exception.reason, "PLAN_NOT_RUNNABLE")

    @with_both
    async def test_the_next_address_answers(self, make: Any) -> None:
        async def wait(seconds: float) -> None:
            raise AssertionError("there was an address that had not been asked")

        with Daemon() as daemon:
            for addresses in (f"unix:/nonexistent/a, unix:/nonexistent/b,{daemon.address}", ["unix:/nonexistent/a", daemon.address]):
                async with make(addresses, wait=wait) as planner:
                    self.assertEqual((await planner.get_version()).api_versions[0], "planner.v1")

    @with_both
    async def test_an_address_that_stands_still_is_passed_over(self, make: Any) -> None:
        with Daemon() as daemon, Mute() as mute:
            async with make([mute.address, daemon.address], timeout=60, retry=Retry(rounds=1, longest_connect=0.1)) as planner:
                self.assertEqual((await planner.get_version()).api_versions[0], "planner.v1")
                self.assertEqual((await planner.get_version()).api_versions[0], "planner.v1")
            self.assertEqual(mute.connections(), 1, "it is not asked again by every call")
            # Its share of a call that has less time than longest_connect is its share, and not all of it.
            async with make([mute.address, daemon.address], timeout=20, retry=Retry(rounds=1, longest_connect=1000)) as planner:
                self.assertEqual((await planner.get_version()).api_versions[0], "planner.v1")
            # Alone it has the whole time of the call.
            async with make(mute.address, timeout=0.2, retry=Retry(rounds=1)) as planner:
                with self.assertRaises(planner_client.PlannerError):
                    await planner.get_version()

    @with_both
    async def test_a_connected_planner_that_stops_costs_one_call(self, make: Any) -> None:
        with Daemon() as stopped, Daemon() as daemon:
            async with make([stopped.address, daemon.address], timeout=60) as planner:
                plan = await planner.create_plan(request())
                stopped.freeze()
                with self.assertRaises(planner_client.DeadlineExceededError):
                    await planner.get_plan(plan.name, timeout=0.2)
                with self.assertRaises(planner_client.NotFoundError):  # The other one says so: it has a store of its own.
                    await planner.get_plan(plan.name)

    @with_both
    async def test_waits_for_a_planner_that_comes(self, make: Any) -> None:
        waited: List[float] = []
        with Daemon(starts=False) as daemon:
            async def wait(seconds: float) -> None:
                waited.append(seconds)
                if len(waited) == 2:
                    daemon.start()
                await asyncio.sleep(0)

            # gRPC connects again in its own time: as many tries as that takes.
            async with make(daemon.address, wait=wait, timeout=60, retry=Retry(rounds=10**6, first_wait=0.01, longest_wait=0.02)) as planner:
                self.assertEqual((await planner.get_version()).api_versions[0], "planner.v1")
        self.assertGreaterEqual(len(waited), 2)

    @with_both
    async def test_nobody_answers(self, make: Any) -> None:
        async with make("unix:/nonexistent/a", retry=Retry(rounds=1)) as planner:
            with self.assertRaises(planner_client.UnavailableError):
                await planner.get_version()

    @with_both
    async def test_a_planner_that_is_stopped(self, make: Any) -> None:
        with Daemon() as daemon:
            async with make(daemon.address) as planner:
                await planner.get_version()
                daemon.freeze()
                with self.assertRaises(planner_client.DeadlineExceededError):
                    await planner.get_version(timeout=0.2)
                daemon.thaw()
                await planner.get_version()

    @with_both
    async def test_watches_a_plan(self, make: Any) -> None:
        with Daemon() as daemon:
            async with make(daemon.address) as planner:
                plan = await planner.create_plan(request())
                states = []
                with self.assertRaises(planner_client.NotFoundError):
                    async for seen in planner.watch_plan(plan.name, timeout=60):
                        states.append(seen.state)
                        if len(states) == 1:
                            await planner.confirm_plan(plan.name)
                        else:
                            await planner.delete_plan(plan.name)
                self.assertEqual(states, [plan_service_pb2.Plan.PLANNED, plan_service_pb2.Plan.CONFIRMED])


class PlannerAsTold(unittest.TestCase):
    @with_both
    async def test_is_asked_again_when_it_says(self, make: Any) -> None:
        waited: List[float] = []

        async def wait(seconds: float) -> None:
            waited.append(seconds)

        def handler(message: Any, context: grpc.ServicerContext) -> Any:
            if len(waited) < 2:
                refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "too many calls at once", reason="TOO_MANY_CALLS", retry_seconds=3.0)
            return run_pb2.Run(name="runs/1")

        with FakePlanner() as fake:
            fake.handlers[methods.GET_RUN.path] = handler
            async with make(fake.address, wait=wait) as planner:
                self.assertEqual((await planner.get_run("runs/1")).name, "runs/1")
        self.assertEqual(len(waited), 2)
        for seconds in waited:
            self.assertTrue(3.0 <= seconds <= 4.5, waited)

    @with_both
    async def test_a_change_whose_answer_was_lost(self, make: Any) -> None:
        """The first try did it, and broke: the second one is refused because it is done."""
        for method, state, call in ((methods.CONFIRM_PLAN, plan_service_pb2.Plan.CONFIRMED, "confirm_plan"),
                                    (methods.CANCEL_PLAN, plan_service_pb2.Plan.CANCELLED, "cancel_plan")):
            calls: List[str] = []

            def change(message: Any, context: grpc.ServicerContext) -> Any:
                calls.append(message.name)
                if len(calls) == 1:
                    context.abort(grpc.StatusCode.UNAVAILABLE, "connection lost")
                refuse(context, grpc.StatusCode.FAILED_PRECONDITION, "the plan is not PLANNED", reason="WRONG_STATE")

            with FakePlanner() as fake:
                fake.handlers[method.path] = change
                fake.handlers[methods.GET_PLAN.path] = lambda message, context: plan_service_pb2.Plan(name=message.name, state=state)
                async with make(fake.address, retry=Retry(first_wait=0.001)) as planner:
                    self.assertEqual((await getattr(planner, call)("plans/1")).state, state)
                    # Without a lost answer it is what the planner says.
                    with self.assertRaises(planner_client.FailedPreconditionError):
                        await getattr(planner, call)("plans/1")

    @with_both
    async def test_what_is_made_is_made_once(self, make: Any) -> None:
        seen: List[str] = []

        def create(message: Any, context: grpc.ServicerContext) -> Any:
            seen.append(message.request_id)
            if len(seen) == 1:
                context.abort(grpc.StatusCode.UNAVAILABLE, "connection lost")
            return plan_service_pb2.Plan(name="plans/1")

        with FakePlanner() as fake:
            fake.handlers[methods.CREATE_PLAN.path] = create
            async with make(fake.address, retry=Retry(first_wait=0.001)) as planner:
                await planner.create_plan(request())
        self.assertEqual(len(seen), 2)
        self.assertEqual(seen[0], seen[1])
        self.assertTrue(seen[0])

    @with_both
    async def test_garbled_details_do_not_hide_the_error(self, make: Any) -> None:
        def handler(message: Any, context: grpc.ServicerContext) -> Any:
            context.set_trailing_metadata((("grpc-status-details-bin", b"\xff\xff\xff"),))
            context.abort(grpc.StatusCode.ABORTED, "etag")

        with FakePlanner() as fake:
            fake.handlers[methods.GET_RUN.path] = handler
            async with make(fake.address) as planner:
                with self.assertRaises(planner_client.AbortedError) as raised:
                    await planner.get_run("runs/1")
        self.assertEqual((raised.exception.message, raised.exception.field), ("etag", ""))


class Shapes(unittest.TestCase):
    def test_both_clients_have_the_same_calls(self) -> None:
        def calls(kind: Any) -> Any:
            return {name: list(inspect.signature(method).parameters.values()) for name, method in vars(kind).items()
                    if not name.startswith("_") and callable(method)}

        self.assertEqual({name: [str(p.name) for p in parameters] for name, parameters in calls(Client).items()},
                         {name: [str(p.name) for p in parameters] for name, parameters in calls(AsyncClient).items()})

    def test_errors_travel_between_processes(self) -> None:
        error = planner_client.NotFoundError(grpc.StatusCode.NOT_FOUND, "no such run", "UNKNOWN", metadata={"run": "x"})
        again = pickle.loads(pickle.dumps(error))
        self.assertEqual((type(again), str(again), again.metadata), (planner_client.NotFoundError, str(error), {"run": "x"}))

    def test_addresses(self) -> None:
        for address in ("", "localhost", "host:0", "host:65536", "http://host:1", "unix:relative", "a:1,,b:2", "a b:1"):
            with self.subTest(address), self.assertRaises(ValueError):
                Client(address or [])
        Client("[::1]:7070,planner.example:7070,unix:/run/planner.sock")

    def test_tls_files_belong_together(self) -> None:
        with tempfile.NamedTemporaryFile() as file:
            for tls in (planner_client.TlsFiles(key=file.name), planner_client.TlsFiles(ca=file.name, key=file.name)):
                with self.assertRaisesRegex(ValueError, "tls"):
                    Client("a:1", tls=tls)

    def test_does_not_take_googles_names(self) -> None:
        """A training may have googleapis-common-protos loaded, and torch is nothing that a client needs."""
        script = ("import sys, planner_client\nfrom google.protobuf import descriptor_pool\npool = descriptor_pool.Default()\n"
                  "for name in ('google/rpc/status.proto', 'google/rpc/error_details.proto'):\n"
                  "    try:\n        pool.FindFileByName(name)\n        sys.exit(name)\n    except KeyError:\n        pass\n"
                  "sys.exit('torch' in sys.modules or 'planner' in sys.modules)\n")
        self.assertEqual(subprocess.run([sys.executable, "-c", script], timeout=60).returncode, 0)


if __name__ == "__main__":
    unittest.main()
