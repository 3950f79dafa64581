"""The cluster as the planner is told of it at some time of the story. Pure."""
import datetime

import story


def time_text(seconds):
    """RFC 3339 of seconds since 1970."""
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def changes(begin):
    """When the inventory changes by itself, in seconds since 1970; `begin` is when the story begins."""
    days = [day for entry in (*story.TROUBLES, *story.GUESTS) for day in (entry.from_day, entry.until_day)]
    return sorted({begin + day * story.DAY for day in days if 0 < day < story.FOREVER})


def cluster(begin, now, failed_nodes=(), overruns=()):
    """
    The JSON form of planner.v1.Cluster. `failed_nodes` are DOWN beside those of the story; `overruns` are names and nodes of jobs
    that go on after the end of their bookings.
    """
    day = (now - begin) / story.DAY

    def until(last_day):
        return {} if last_day == story.FOREVER else {"untilTime": time_text(begin + last_day * story.DAY)}

    pools = []
    for pool in story.POOLS:
        names = set(pool.node_names)
        conditions = [{"nodes": trouble.node, "state": trouble.state, "reason": trouble.reason, **until(trouble.until_day)}
                      for trouble in story.TROUBLES if trouble.node in names and trouble.from_day <= day < trouble.until_day]
        conditions += [{"nodes": node, "state": "DOWN", "reason": "Xid 79: a GPU has fallen off the bus; reboots"}
                       for node in sorted(names.intersection(failed_nodes))]
        occupations = []
        for guest in story.GUESTS:
            if guest.pool == pool.name and guest.from_day <= day < guest.until_day:
                release = {"releaseTime": time_text(begin + guest.until_day * story.DAY)} if guest.end_is_known else {}
                occupations.append({"nodes": guest.nodes, "description": guest.description, **release})
        occupations += [{"nodes": ",".join(nodes), "description": f"{job}, longer than it was planned"}
                        for job, nodes in overruns if names.issuperset(nodes)]
        pools.append({"name": pool.name, "gpuType": pool.gpu_type, "nodeCount": str(pool.nodes), "gpusPerNode": story.GPUS_PER_NODE,
                      "pricePerGpuHour": pool.price_per_gpu_hour, "nodeNames": f"{pool.name}-[01-{pool.nodes:02}]",
                      "nodeConditions": conditions, "occupations": occupations})
    windows = [{"nodePool": window.pool, "nodes": window.nodes, "description": window.description,
                "startTime": time_text(begin + window.from_day * story.DAY), "endTime": time_text(begin + window.until_day * story.DAY)}
               for window in story.MAINTENANCE]
    return {"name": story.CLUSTER, "description": "64 nodes that a simulator plays", "currency": "USD", "nodePools": pools,
            "maintenanceWindows": windows}
