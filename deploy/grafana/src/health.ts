import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import * as units from '@grafana/grafana-foundation-sdk/units';
import { kUid, Page } from './page';
import { ask, bars, durations, figure, kUnit, limits, lines, stack } from './panels';
import { healthQueries } from './queries';
import { instance } from './variables';

const kMethodLegend = '{{method}}';
/** Where the alerts of deploy/prometheus begin. */
const kLimits = { faults: 0.01, refusals: 0.01, predictionError: 0.25 };

/** Rates, latencies, errors, plugins, and how far predictions are off. */
export function health(): dashboard.Dashboard {
  return new Page(
    kUid.health,
    'Planner / Planner health',
    'How plannerd itself does: rates, latencies, errors, the store, plugins, and how far its predictions are off.',
  )
    .variable(instance())

    .row(1, 'Now')
    .panel(
      4,
      4,
      figure(
        { id: 2, title: 'Daemons up', description: 'plannerds that Prometheus reaches.', unit: units.Short },
        ask(healthQueries.up, 'up'),
        ['red', [1, 'green']],
      ).decimals(0),
    )
    .panel(
      4,
      4,
      figure(
        {
          id: 3,
          title: 'Alerts',
          description: 'Alerts of the planner that fire now. deploy/prometheus says what to do about each.',
          unit: units.Short,
        },
        ask(healthQueries.firing, 'firing'),
        ['green', [1, 'red']],
      ).decimals(0),
    )
    .panel(
      4,
      4,
      figure(
        {
          id: 4,
          title: 'Faults',
          description: 'Part of all calls that failed through the planner itself, not through what was asked.',
          unit: units.PercentUnit,
        },
        ask(healthQueries.faults, 'faults'),
        ['green', [kLimits.faults, 'red']],
      ).decimals(2),
    )
    .panel(
      4,
      4,
      figure(
        {
          id: 5,
          title: 'Refused',
          description: 'Part of all calls that were refused because too many were at work (RESOURCE_EXHAUSTED).',
          unit: units.PercentUnit,
        },
        ask(healthQueries.refusals, 'refused'),
        ['green', [kLimits.refusals, 'orange']],
      ).decimals(2),
    )
    .panel(
      8,
      4,
      bars(
        {
          id: 6,
          title: 'Versions',
          description: 'How many plannerds of which version run. More than one row outlasts no upgrade.',
          unit: units.Short,
        },
        ask(healthQueries.versions, '{{version}}'),
      ).decimals(0),
    )

    .row(7, 'Calls')
    .panel(
      12,
      8,
      stack(
        { id: 8, title: 'Calls by method', description: 'Calls that were answered, of each method.', unit: units.RequestsPerSecond },
        ask(healthQueries.callsByMethod, kMethodLegend),
      ),
    )
    .panel(
      12,
      8,
      stack(
        {
          id: 9,
          title: 'Calls by code',
          description:
            'Calls that were answered, by gRPC code. INVALID_ARGUMENT and NOT_FOUND are the caller’s; INTERNAL and UNAVAILABLE are ours.',
          unit: units.RequestsPerSecond,
        },
        ask(healthQueries.callsByCode, '{{code}}'),
      ),
    )
    .panel(
      8,
      8,
      lines(
        { id: 10, title: 'Median latency', description: 'Half of the calls were answered within this time.', unit: units.Seconds },
        ask(healthQueries.latency(0.5), kMethodLegend),
      ).min(0),
    )
    .panel(
      8,
      8,
      lines(
        {
          id: 11,
          title: '99th percentile of latency',
          description: '99 of 100 calls were answered within this time.',
          unit: units.Seconds,
        },
        ask(healthQueries.latency(0.99), kMethodLegend),
      ).min(0),
    )
    .panel(
      8,
      8,
      durations(
        { id: 12, title: 'Latency of all calls', description: 'How many calls took how long.', unit: units.Seconds },
        healthQueries.latencyBuckets,
      ),
    )
    .panel(
      12,
      8,
      lines(
        {
          id: 13,
          title: 'Calls at work',
          description: 'Calls that are worked on now, and how many may be before the surplus is refused.',
          unit: units.Short,
        },
        ask(healthQueries.activeCalls, '{{instance}}'),
        ask(healthQueries.activeCallsLimit, 'limit of {{instance}}'),
      )
        .decimals(0)
        .min(0),
    )
    .panel(
      12,
      8,
      limits(
        lines(
          {
            id: 14,
            title: 'Faults and refusals',
            description: 'Part of all calls that failed through the planner itself, or were refused. The line is where the alerts begin.',
            unit: units.PercentUnit,
          },
          ask(healthQueries.faults, 'faults'),
          ask(healthQueries.refusals, 'refused'),
        ).min(0),
        'green',
        [kLimits.faults, 'red'],
      ),
    )

    .row(15, 'Store and counters')
    .panel(
      8,
      8,
      lines(
        {
          id: 16,
          title: '99th percentile of the store',
          description: '99 of 100 operations on the store took no longer.',
          unit: units.Seconds,
        },
        ask(healthQueries.storeLatency, '{{operation}}'),
      ).min(0),
    )
    .panel(
      8,
      8,
      lines(
        {
          id: 17,
          title: 'Errors of the store',
          description: 'Operations that the store could not do: disk full, database away. A conflict between two writers is none.',
          unit: units.OpsPerSecond,
        },
        ask(healthQueries.storeErrors, '{{operation}}'),
      ).min(0),
    )
    .panel(
      8,
      8,
      lines(
        {
          id: 18,
          title: '99th percentile of counting',
          description: '99 of 100 models were counted within this time, by each counter.',
          unit: units.Seconds,
        },
        ask(healthQueries.countLatency, '{{counter}}'),
      ).min(0),
    )
    .panel(
      12,
      8,
      limits(
        lines(
          {
            id: 19,
            title: 'Plugins up',
            description: '1: the counter can be asked. 0: on some plannerd it cannot, and models that only it reads are refused.',
            unit: units.Short,
          },
          ask(healthQueries.pluginsUp, '{{counter}}'),
        )
          .decimals(0)
          .min(0)
          .max(1),
        'red',
        [1, 'green'],
      ),
    )
    .panel(
      12,
      8,
      lines(
        {
          id: 20,
          title: 'Restarts of plugins',
          description: 'Plugins that crashed and were started again. After five in an hour one stays down.',
          unit: units.Short,
        },
        ask(healthQueries.pluginRestarts, '{{counter}}'),
      )
        .decimals(0)
        .min(0),
    )

    .row(21, 'Predictions and measurements')
    .panel(
      12,
      8,
      limits(
        lines(
          {
            id: 22,
            title: 'Prediction error',
            description:
              'How far predicted step times were off, median of the finished runs that the planner has learned from: ' +
              '|measured / predicted - 1|. The line is where the alert begins.',
            unit: units.PercentUnit,
          },
          ask(healthQueries.predictionError, '{{cluster}} {{gpu_type}}'),
        ).min(0),
        'green',
        [kLimits.predictionError, 'orange'],
      ),
    )
    .panel(
      12,
      8,
      bars(
        {
          id: 23,
          title: 'Runs behind it',
          description: 'From how many finished runs the prediction error is. Under five it says little, and no alert is made of it.',
          unit: units.Short,
        },
        ask(healthQueries.predictionRuns, '{{cluster}} {{gpu_type}}'),
      ).decimals(0),
    )
    .panel(
      12,
      8,
      lines(
        {
          id: 25,
          title: 'Samples of utilization',
          description: 'Samples that ReportUtilization took, and those that it refused: unknown nodes, times and figures that cannot be.',
          unit: kUnit.samplesPerSecond,
        },
        ask(healthQueries.samples, '{{outcome}}'),
      ).min(0),
    )
    .panel(
      12,
      8,
      stack(
        {
          id: 24,
          title: 'Questions to Prometheus',
          description:
            'Queries for measured utilization, by how they ended. While they fail the planner goes on with the last good values.',
          unit: units.OpsPerSecond,
        },
        ask(healthQueries.collections, '{{cluster}} {{outcome}}'),
      ),
    )
    .build();
}
