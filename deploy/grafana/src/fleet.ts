import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import * as units from '@grafana/grafana-foundation-sdk/units';
import { kUid, Page } from './page';
import { ask, bars, figure, limits, lines, plannedLine, property, rows, runsOnUrl, stack, thresholds } from './panels';
import { exporterQueries, fleetQueries } from './queries';
import { cluster, gpuType } from './variables';

const kTypeLegend = '{{cluster}} {{gpu_type}}';
/** What the planner thinks is taken stands beside what is measured. */
const kTaken = 'taken';
const kModelLegend = '{{cluster}} {{modelName}}';
/** After so many seconds the planner's own alert calls measurements stale. */
const kStaleSeconds = 900;

/** GPUs by state and type, how busy they are, and what is planned on them. */
export function fleet(): dashboard.Dashboard {
  return new Page(
    kUid.fleet,
    'Planner / Fleet',
    'GPUs by state and type, how busy they have been measured to be, and the load that is planned on them.',
  )
    .variable(cluster())
    .variable(gpuType())

    .row(1, 'Now')
    .panel(
      4,
      4,
      figure(
        { id: 2, title: 'GPUs', description: 'Cards of the inventory, in whatever state.', unit: units.Short },
        ask(fleetQueries.gpus, 'GPUs'),
      ).decimals(0),
    )
    .panel(
      4,
      4,
      figure(
        { id: 3, title: 'Free', description: 'Cards that a job could have at once: ready, not in use, not booked.', unit: units.Short },
        ask(fleetQueries.gpusIn('free'), 'free'),
        ['red', [1, 'green']],
      ).decimals(0),
    )
    .panel(
      4,
      4,
      figure(
        {
          id: 4,
          title: 'Down, drained or in maintenance',
          description: 'Cards that no new job can have, whoever waits for them.',
          unit: units.Short,
        },
        ask(fleetQueries.gpusIn('down|drained|maintenance'), 'out of service'),
        ['green', [1, 'orange']],
      ).decimals(0),
    )
    .panel(
      4,
      4,
      figure(
        {
          id: 5,
          title: 'Measured utilization',
          description:
            'Share of the time in which the cards ran something, mean over all cards that are measured. It says that a job ' +
            'runs, not that it runs well: see the tensor cores below.',
          unit: units.PercentUnit,
        },
        ask(fleetQueries.utilization, 'busy'),
      )
        .decimals(0)
        .min(0)
        .max(1),
    )
    .panel(
      4,
      4,
      figure(
        {
          id: 6,
          title: 'Booked, next 7 days',
          description: 'Part of all GPU time of the next 7 days that plans and reservations hold. Over 90 % a new job waits.',
          unit: units.PercentUnit,
        },
        ask(fleetQueries.bookedRatio('7d'), 'booked'),
        ['blue', [0.9, 'orange']],
      )
        .decimals(0)
        .min(0)
        .max(1),
    )
    .panel(
      4,
      4,
      bars(
        {
          id: 7,
          title: 'Trainings that run',
          description: 'Runs that report to the planner, by the cluster and GPU type of their plan.',
          unit: units.Short,
        },
        ask(fleetQueries.runsByType, kTypeLegend),
      )
        .decimals(0)
        .overrideByRegexp('/.*/', [
          property.link('Planned vs actual', runsOnUrl('${__field.labels.cluster}', '${__field.labels.gpu_type}')),
        ]),
    )

    .row(8, 'By state and type')
    .panel(
      12,
      9,
      stack(
        {
          id: 9,
          title: 'GPUs by state',
          description:
            'Every card is in one state: down, used by a job that the planner has not placed, booked by one that it has, in ' +
            'maintenance, drained, or free.',
          unit: units.Short,
        },
        ask(fleetQueries.gpusByState, '{{state}}'),
      )
        .decimals(0)
        .overrideByName('free', [property.color('green')])
        .overrideByName('booked', [property.color('blue')])
        .overrideByName('used', [property.color('purple')])
        .overrideByName('maintenance', [property.color('yellow')])
        .overrideByName('drained', [property.color('orange')])
        .overrideByName('down', [property.color('red')]),
    )
    .panel(
      12,
      9,
      rows(
        {
          id: 10,
          title: 'Clusters and GPU types',
          description:
            'The same by cluster and GPU type, as of now, with how busy they are and how much of the next 7 days is booked. A ' +
            'cluster leads to its runs.',
          unit: units.Short,
        },
        [
          {
            title: 'Cluster',
            label: 'cluster',
            properties: [property.link('Planned vs actual', runsOnUrl('${__value.raw}', '${__data.fields["GPU type"]}'))],
          },
          { title: 'GPU type', label: 'gpu_type' },
          { title: 'GPUs', expr: fleetQueries.table.total },
          { title: 'Free', expr: fleetQueries.table.inState('free') },
          { title: 'Booked', expr: fleetQueries.table.inState('booked') },
          { title: 'Used otherwise', expr: fleetQueries.table.inState('used') },
          {
            title: 'Out of service',
            expr: fleetQueries.table.inState('down|drained|maintenance'),
            properties: [property.steps('transparent', [1, 'orange']), property.cell(common.TableCellDisplayMode.ColorBackground)],
          },
          { title: 'Busy', expr: fleetQueries.table.utilization, properties: [property.unit(units.PercentUnit), property.decimals(0)] },
          {
            title: 'Booked, 7 days',
            expr: fleetQueries.table.booked('7d'),
            properties: [property.unit(units.PercentUnit), property.decimals(0)],
          },
        ],
      ),
    )

    .row(11, 'Measured utilization')
    .panel(
      6,
      8,
      lines(
        {
          id: 12,
          title: 'Busy',
          description:
            'Share of the time in which a card ran any kernel, mean over the cards of a cluster and type. Waiting for the ' +
            'network counts as busy.',
          unit: units.PercentUnit,
        },
        ask(fleetQueries.utilizationByType, kTypeLegend),
      )
        .min(0)
        .max(1),
    )
    .panel(
      6,
      8,
      lines(
        {
          id: 23,
          title: 'Occupied',
          description:
            'Cards that something was measured to run on, or that held over 1 GiB, beside those that the inventory and the ' +
            'calendar say are taken. More occupied than taken: somebody runs what nobody planned; fewer: booked cards lie idle.',
          unit: units.Short,
        },
        ask(fleetQueries.occupiedByType, kTypeLegend),
        ask(fleetQueries.takenByType, `${kTypeLegend} ${kTaken}`),
      )
        .min(0)
        .overrideByRegexp(`/ ${kTaken}$/`, plannedLine),
    )
    .panel(
      6,
      8,
      lines(
        {
          id: 13,
          title: 'Tensor cores',
          description:
            'Share of the cycles in which the tensor cores worked, mean over the cards of a cluster and type: the nearest ' +
            'that can be measured from outside to model FLOPs utilization.',
          unit: units.PercentUnit,
        },
        ask(fleetQueries.tensorActiveByType, kTypeLegend),
      )
        .min(0)
        .max(1),
    )
    .panel(
      6,
      8,
      limits(
        lines(
          {
            id: 14,
            title: 'Age of the newest sample',
            description:
              'How old what the planner knows of utilization is. From 15 minutes on plans are made with what was measured ' +
              'before, and say so.',
            unit: units.Seconds,
          },
          ask(fleetQueries.sampleAge, kTypeLegend),
        ).min(0),
        'green',
        [kStaleSeconds, 'orange'],
      ),
    )

    .row(15, 'Planned load ahead')
    .panel(
      8,
      8,
      bars(
        {
          id: 16,
          title: 'Booked ahead',
          description: 'Part of the GPU time from now until then that plans and reservations hold.',
          unit: units.PercentUnit,
        },
        ask(fleetQueries.bookedRatio('1h'), 'next hour'),
        ask(fleetQueries.bookedRatio('1d'), 'next day'),
        ask(fleetQueries.bookedRatio('7d'), 'next 7 days'),
        ask(fleetQueries.bookedRatio('30d'), 'next 30 days'),
      )
        .max(1)
        .decimals(0)
        .thresholds(thresholds('blue', [0.9, 'orange'])),
    )
    .panel(
      8,
      8,
      lines(
        {
          id: 17,
          title: 'Booked for the next day',
          description: 'Cards that plans and reservations hold, mean over the 24 hours that began at each point of the axis.',
          unit: units.Short,
        },
        ask(fleetQueries.bookedByType('1d'), kTypeLegend),
      ).min(0),
    )
    .panel(
      8,
      8,
      lines(
        {
          id: 18,
          title: 'Booked for the next 30 days',
          description: 'Cards that plans and reservations hold, mean over the 30 days that began at each point of the axis.',
          unit: units.Short,
        },
        ask(fleetQueries.bookedByType('30d'), kTypeLegend),
      ).min(0),
    )

    .row(19, 'As the exporters see it')
    .panel(
      8,
      8,
      lines(
        {
          id: 20,
          title: 'Tensor cores, dcgm-exporter',
          description:
            'DCGM_FI_PROF_PIPE_TENSOR_ACTIVE, mean by the name that DCGM gives a card. It should agree with what the planner ' +
            'has been told.',
          unit: units.PercentUnit,
        },
        ask(exporterQueries.tensorActive, kModelLegend),
      )
        .min(0)
        .max(1),
    )
    .panel(
      8,
      8,
      lines(
        { id: 21, title: 'Power, dcgm-exporter', description: 'DCGM_FI_DEV_POWER_USAGE of all cards together.', unit: units.Watt },
        ask(exporterQueries.power, kModelLegend),
      ).min(0),
    )
    .panel(
      8,
      8,
      lines(
        { id: 22, title: 'Memory in use, dcgm-exporter', description: 'DCGM_FI_DEV_FB_USED of all cards together.', unit: units.BytesIEC },
        ask(exporterQueries.memoryUsed, kModelLegend),
      ).min(0),
    )
    .build();
}
