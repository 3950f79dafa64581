import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import * as units from '@grafana/grafana-foundation-sdk/units';
import { kUid, Page } from './page';
import { ask, figure, kUnit, limits, lines, plannedLine, property, rows, runUrl, word } from './panels';
import { runQueries, runsQueries } from './queries';
import { cluster, gpuType, run } from './variables';

const kDriftColors: Record<string, string> = { on_plan: 'green', early: 'blue', late: 'orange', stalled: 'red', unknown: 'gray' };
const kDriftTexts = Object.fromEntries(
  Object.entries(kDriftColors).map(([drift, color]) => [drift, { text: drift.replace('_', ' '), color }]),
);

const kPlanned = 'planned';
const kActual = 'actual';

/** What was planned beside what is: of all runs in a table, of one in pictures. */
export function runs(): dashboard.Dashboard {
  const drift = word(
    {
      id: 11,
      title: 'Drift',
      description:
        'on plan: will finish within the 90 % interval of the plan. late, early: beyond its upper or lower end. stalled: ' +
        'nothing has been reported for too long. unknown: nothing has been reported yet. Of a run that has ended, as it did.',
      unit: units.String,
    },
    ask(runQueries.drift, '{{drift}}'),
  ).noValue('none');
  for (const [name, color] of Object.entries(kDriftColors)) drift.overrideByName(name, [property.color(color)]);

  return new Page(
    kUid.runs,
    'Planner / Planned vs actual',
    'What was planned beside what training does: progress, tokens per second, finish time with its interval, utilization, GPU ' +
      'hours and cost.',
  )
    .variable(cluster())
    .variable(gpuType())
    .variable(run())

    .row(1, 'All runs')
    .panel(
      4,
      4,
      figure(
        { id: 2, title: 'Running', description: 'Runs that report to the planner.', unit: units.Short },
        ask(runsQueries.running, 'running'),
      ).decimals(0),
    )
    .panel(
      4,
      4,
      figure(
        { id: 3, title: 'Late', description: 'Runs that will finish beyond the 90 % interval of their plan.', unit: units.Short },
        ask(runsQueries.inDrift('late'), 'late'),
        ['green', [1, 'orange']],
      ).decimals(0),
    )
    .panel(
      4,
      4,
      figure(
        {
          id: 4,
          title: 'Stalled',
          description: 'Runs that should report and do not: no report for ten times their usual interval, and at least 10 minutes.',
          unit: units.Short,
        },
        ask(runsQueries.inDrift('stalled'), 'stalled'),
        ['green', [1, 'red']],
      ).decimals(0),
    )
    .panel(
      6,
      4,
      figure(
        {
          id: 5,
          title: 'Progress over plan',
          description: 'How far the runs are, over how far they were to be by now; 100 % is as planned.',
          unit: units.PercentUnit,
        },
        ask(runsQueries.progressOfPlan, 'of plan'),
        ['red', [0.8, 'orange'], [0.95, 'green']],
      ).decimals(1),
    )
    .panel(
      6,
      4,
      figure(
        {
          id: 6,
          title: 'GPU hours used',
          description: 'Cards times hours of the runs that are shown, running ones and the most recent finished ones.',
          unit: kUnit.gpuHours,
        },
        ask(runsQueries.gpuHoursUsed, 'used'),
      ).decimals(0),
    )
    .panel(
      24,
      9,
      rows(
        {
          id: 7,
          title: 'Runs',
          description: 'Every running training and the most recent finished ones. A run leads to its pictures below.',
          unit: units.Short,
        },
        [
          { title: 'Run', label: 'run', properties: [property.link('Show this run', runUrl('${__value.raw}'))] },
          { title: 'Cluster', label: 'cluster' },
          { title: 'GPU type', label: 'gpu_type' },
          { title: 'GPUs', label: 'gpus' },
          { title: 'State', label: 'state' },
          {
            title: 'Drift',
            label: 'drift',
            properties: [property.texts(kDriftTexts), property.cell(common.TableCellDisplayMode.ColorText)],
          },
          { title: '', expr: runsQueries.table.info },
          { title: '', expr: runsQueries.table.drift },
          {
            title: 'Planned progress',
            expr: runsQueries.table.plannedProgress,
            properties: [property.unit(units.PercentUnit), property.decimals(1)],
          },
          {
            title: 'Progress',
            expr: runsQueries.table.actualProgress,
            properties: [property.unit(units.PercentUnit), property.decimals(1)],
          },
          { title: 'Predicted finish', expr: runsQueries.table.predictedFinish, properties: [property.unit(units.DatetimeISO)] },
          { title: 'Behind plan', expr: runsQueries.table.delay, properties: [property.unit(units.Seconds)] },
          {
            title: 'MFU',
            expr: runsQueries.table.modelFlopsUtilization,
            properties: [property.unit(units.PercentUnit), property.decimals(1)],
          },
          {
            title: 'GPU hours planned',
            expr: runsQueries.table.plannedGpuHours,
            properties: [property.unit(kUnit.gpuHours), property.decimals(0)],
          },
          {
            title: 'GPU hours used',
            expr: runsQueries.table.actualGpuHours,
            properties: [property.unit(kUnit.gpuHours), property.decimals(0)],
          },
        ],
      ).sortBy([new common.TableSortByFieldStateBuilder().displayName('Run').desc(true)]),
    )

    .row(10, 'Run $run')
    .panel(4, 4, drift)
    .panel(
      4,
      4,
      figure(
        { id: 12, title: 'Progress', description: 'Of all planned steps.', unit: units.PercentUnit },
        ask(runQueries.progress.actual, kActual),
      )
        .decimals(1)
        .min(0)
        .max(1),
    )
    .panel(
      4,
      4,
      figure(
        {
          id: 13,
          title: 'Predicted finish',
          description: 'From the pace that was measured; of a run that has ended, when it did.',
          unit: units.DatetimeISO,
        },
        ask(runQueries.finish.predicted, 'predicted'),
      ).graphMode(common.BigValueGraphMode.None),
    )
    .panel(
      4,
      4,
      figure(
        { id: 14, title: 'Behind plan', description: 'Predicted minus planned finish; negative is early.', unit: units.Seconds },
        ask(runQueries.delay, 'behind'),
        ['green', [1, 'orange']],
      ),
    )
    .panel(
      4,
      4,
      figure(
        {
          id: 15,
          title: 'Pace over plan',
          description: 'Tokens per second, measured over planned; 100 % is as planned.',
          unit: units.PercentUnit,
        },
        ask(runQueries.rateOfPlan, 'of plan'),
        ['red', [0.8, 'orange'], [0.95, 'green']],
      ).decimals(1),
    )
    .panel(
      4,
      4,
      figure(
        {
          id: 16,
          title: 'Model FLOPs utilization',
          description: 'FLOPs of the model, without recomputation, over the peak of the cards.',
          unit: units.PercentUnit,
        },
        ask(runQueries.modelFlopsUtilization.actual, kActual),
      )
        .decimals(1)
        .min(0)
        .max(1),
    )

    .panel(
      12,
      9,
      lines(
        {
          id: 17,
          title: 'Progress',
          description: 'Part of all planned steps that is done, beside where the plan has it.',
          unit: units.PercentUnit,
        },
        ask(runQueries.progress.planned, kPlanned),
        ask(runQueries.progress.actual, kActual),
      )
        .min(0)
        .max(1)
        .overrideByName(kPlanned, plannedLine),
    )
    .panel(
      12,
      9,
      lines(
        {
          id: 18,
          title: 'Finish time',
          description:
            'Predicted finish with its 90 % interval, which narrows to nothing at the end, beside the planned one. A ' +
            'predicted line that climbs means that the run loses time.',
          unit: units.DatetimeISO,
        },
        ask(runQueries.finish.planned, kPlanned),
        ask(runQueries.finish.predicted, 'predicted'),
        ask(runQueries.finish.low, '90 % from'),
        ask(runQueries.finish.high, '90 % to'),
      )
        .overrideByName(kPlanned, plannedLine)
        .overrideByName('predicted', [property.color('blue')])
        .overrideByName('90 % from', [property.color('light-blue'), property.thin])
        .overrideByName('90 % to', [property.color('light-blue'), property.thin, ...property.fillDownTo('90 % from')]),
    )
    .panel(
      12,
      9,
      lines(
        {
          id: 19,
          title: 'Tokens per second',
          description: 'Of all cards together (samples where the model has no sequences). Restarts and checkpoints show as dips.',
          unit: kUnit.tokensPerSecond,
        },
        ask(runQueries.tokensPerSecond.planned, kPlanned),
        ask(runQueries.tokensPerSecond.actual, kActual),
      )
        .min(0)
        .overrideByName(kPlanned, plannedLine),
    )
    .panel(
      12,
      9,
      lines(
        {
          id: 20,
          title: 'Model FLOPs utilization',
          description:
            'FLOPs of the model, without recomputation, over the peak of the cards. The planned one follows from the planned ' +
            'tokens per second.',
          unit: units.PercentUnit,
        },
        ask(runQueries.modelFlopsUtilization.planned, kPlanned),
        ask(runQueries.modelFlopsUtilization.actual, kActual),
      )
        .min(0)
        .axisSoftMax(0.6)
        .overrideByName(kPlanned, plannedLine),
    )
    .panel(
      8,
      8,
      limits(
        lines(
          {
            id: 21,
            title: 'Behind plan',
            description: 'Predicted minus planned finish; below zero the run is early.',
            unit: units.Seconds,
          },
          ask(runQueries.delay, 'behind'),
        ),
        'green',
        [0, 'orange'],
      ),
    )
    .panel(
      8,
      8,
      lines(
        {
          id: 22,
          title: 'GPU hours',
          description: 'Cards times hours so far, beside what the plan has for the whole run.',
          unit: kUnit.gpuHours,
        },
        ask(runQueries.gpuHours.planned, kPlanned),
        ask(runQueries.gpuHours.actual, kActual),
      )
        .decimals(0)
        .min(0)
        .overrideByName(kPlanned, plannedLine),
    )
    .panel(
      8,
      8,
      lines(
        {
          id: 23,
          title: 'Cost',
          description:
            'So far, beside what the plan has for the whole run, at the prices of the plan. No cost where the inventory has no prices.',
          unit: units.Short,
        },
        ask(runQueries.cost.planned, 'planned {{currency}}'),
        ask(runQueries.cost.actual, 'actual {{currency}}'),
      )
        .min(0)
        .overrideByRegexp('/^planned/', plannedLine),
    )
    .build();
}
